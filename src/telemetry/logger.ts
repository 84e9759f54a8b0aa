import { type DestinationStream, type Logger, pino } from 'pino'
import { Failure } from '../failures/failure.ts'

/** pino's number for it. */
const warn = 40

/** What is logged of an error: where it happened and what it is called, never what it says or carries. */
interface ErrorRecord {
  readonly type: string
  readonly code?: string | number
  readonly frames?: readonly string[]
  readonly cause?: ErrorRecord
  readonly [fact: string]: unknown
}

/** Where lines go. */
export interface LogOutput extends DestinationStream {
  /** Writes what has come together so far. */
  readonly flush?: () => void
}

/** Node's stream of standard output. What sets its descriptor is there when it is a pipe, and not documented. */
export interface StandardOutput {
  readonly _handle?: { readonly setBlocking?: (blocking: boolean) => void } | null
}

/** Lines that wait while nothing can be written; those beyond are lost. */
const maxWaitingBytes = 1024 * 1024

/**
 * Standard output, in order and in few system calls: written when some lines have come together, and after a fifth of a
 * second at the latest. Whoever ends the process calls `flushAtExit` before. Where nothing can be written, as on a full
 * disk, lines wait and then are lost, and the service goes on.
 * @param onLost told once, with Node's code, when writing begins to fail; nobody unless given
 * @param stdout Node opens it as soon as anybody pipes any stream, and makes the descriptor non-blocking by that: from then
 * on, a pipe that is full for a moment would stop the process for a tenth of a second. So it is opened first, and mended.
 */
export function createLogOutput(stdout?: StandardOutput, onLost?: (code: string | undefined) => void) {
  stdout?._handle?.setBlocking?.(true)
  const output = pino.destination({
    ...{ dest: 1, sync: true, minLength: 4096, periodicFlush: 200 },
    maxLength: maxWaitingBytes,
  })
  let isBroken = false
  output.on('write', () => {
    isBroken = false
  })
  output.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (!isBroken) onLost?.(code)
    isBroken = true
  })
  const flushAtExit = () => {
    output.flush()
    // It would try for ever.
    if (!isBroken) output.flushSync()
  }
  return Object.assign(output, { flushAtExit })
}

/**
 * The log: pino, as JSON.
 * @param level pino's, from `fatal` to `trace`, or `silent`
 */
export function createLogger(level: string, destination: LogOutput): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: createIsoTime(),
      hooks: {
        // Where a library logs an error without words, pino would take the error's own.
        logMethod(args, log, severity) {
          log.apply(this, args.length === 1 && typeof args[0] === 'object' ? [args[0], 'without words'] : args)
          // Trouble is not kept waiting.
          if (severity >= warn) destination.flush?.()
        },
      },
      // A request or a response has headers and a body; no line of this service needs either.
      serializers: { err: describeError, error: describeError, req: () => undefined, res: () => undefined },
    },
    destination,
  )
}

/** pino's own, but written once a millisecond: under load, that is how often a dozen lines have the same time. */
function createIsoTime(): () => string {
  let writtenAt = -1
  let written = ''
  return () => {
    const now = Date.now()
    if (now !== writtenAt) {
      writtenAt = now
      written = `,"time":"${new Date(now).toISOString()}"`
    }
    return written
  }
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
