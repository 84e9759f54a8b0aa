import { type DestinationStream, type Logger, pino } from 'pino'
import { Failure } from '../failures/failure.ts'

/** The number of the level `warn` in pino. */
const warn = 40

/** What is logged about an error: its type, code and stack frames, but not its message or other properties. */
interface ErrorRecord {
  readonly type: string
  readonly code?: string | number
  readonly frames?: readonly string[]
  readonly cause?: ErrorRecord
  readonly [fact: string]: unknown
}

export interface LogOutput extends DestinationStream {
  /** Writes the lines that wait. */
  readonly flush?: () => void
}

/**
 * Creates the log: one JSON object per line, by pino.
 * @param level a level of pino, from `fatal` to `trace`, or `silent`
 */
export function createLogger(level: string, destination: LogOutput): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: createIsoTime(),
      hooks: {
        // For an error without a message of ours, pino would log the message of the error.
        logMethod(args, log, severity) {
          log.apply(
            this,
            args.length === 1 && typeof args[0] === 'object' ? [args[0], 'error without a message'] : args,
          )
          // Warnings and errors are written immediately.
          if (severity >= warn) destination.flush?.()
        },
      },
      // Requests and responses have headers, which must not be logged.
      serializers: { err: describeError, error: describeError, req: () => undefined, res: () => undefined },
    },
    destination,
  )
}

/** As the function of pino, but it formats the time only once per millisecond. Under load, many lines have the same time. */
function createIsoTime(): () => string {
  let formattedAt = -1
  let formatted = ''
  return () => {
    const now = Date.now()
    if (now !== formattedAt) {
      formattedAt = now
      formatted = `,"time":"${new Date(now).toISOString()}"`
    }
    return formatted
  }
}

/**
 * Describes a Failure by its code and facts, and any other error by its type, code and stack frames. The message of another
 * error is dropped, because parsers and serializers quote data in it.
 */
export function describeError(error: unknown): ErrorRecord {
  if (!(error instanceof Error)) return { type: typeof error }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  if (error instanceof Failure) return { type: error.name, code: error.code, ...error.facts, ...cause }
  const { name, code } = error as Error & { code?: unknown }
  return {
    type: name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    frames: framesOf(error),
    ...cause,
  }
}

/** The stack frames. They follow the message, which may contain lines that look like frames. */
function framesOf({ message, stack = '' }: Error): string[] {
  return stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .flatMap((line) => (/^ {4}at .*:\d+:\d+\)?$/.test(line) ? line.trim() : []))
}
