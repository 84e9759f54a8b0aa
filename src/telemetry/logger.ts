import { type DestinationStream, type Logger, pino } from 'pino'
import { Failure } from '../errors.ts'

/** What is logged of an error: where it happened and what it is called, never what it says or carries. */
interface ErrorRecord {
  readonly type: string
  readonly code?: string | number
  readonly frames?: readonly string[]
  readonly cause?: ErrorRecord
  readonly [fact: string]: unknown
}

/**
 * The log: pino, as JSON.
 * @param level pino's, from `fatal` to `trace`, or `silent`
 * @param destination standard output unless given
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        // Where a library logs an error without words, pino would take the error's own.
        logMethod(args, log) {
          log.apply(this, args.length === 1 && typeof args[0] === 'object' ? [args[0], 'without words'] : args)
        },
      },
      // A request or a response has headers and a body; no line of this service needs either.
      serializers: { err: describeError, error: describeError, req: () => undefined, res: () => undefined },
    },
    // Synchronous: lines come out in order, and the last one before the process ends is not lost.
    destination ?? pino.destination({ dest: 1, sync: true }),
  )
}

/**
 * A failure known by name with its facts; of any other error its type, code and stack frames. The message of a foreign
 * error is left out: parsers and serializers quote the data they stumble over.
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

/** Frames only: the message stands before them, and may look like some. */
function framesOf({ message, stack = '' }: Error): string[] {
  return stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .flatMap((line) => (/^ {4}at .*:\d+:\d+\)?$/.test(line) ? line.trim() : []))
}
