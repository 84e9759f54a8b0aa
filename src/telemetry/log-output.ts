import { writeSync } from 'node:fs'
import { type Cancel, type Clock, systemClock } from '../common/clock.ts'

export interface LogLimits {
  /** How much may wait, in characters, until further lines of a kind are lost. */
  readonly maxWaiting: { readonly info: number; readonly warning: number; readonly disclosure: number }
  /** How long the exit waits for the reader. */
  readonly longestExitMs: number
}

export interface LogOutputOptions {
  /** Writes as many of the bytes as it can without waiting, and returns their number; to standard output by default. */
  readonly write: (bytes: Uint8Array) => number
  /** Called with an error code of Node.js when lines begin to be lost, or cannot be written; EAGAIN: nothing reads them. */
  readonly onLosing: (code: string) => void
  /** Called when all lines are written again, with the number of those that were lost. */
  readonly onRecovered: (linesLost: number) => void
  readonly clock: Pick<Clock, 'schedule' | 'elapsed'>
}

/** What the service has to know about its log. */
export type LogState = Pick<ReturnType<typeof createLogOutput>, 'status' | 'linesLost' | 'isFull'>

/** In characters. */
const batch = 4096
/** A full pipe is tried again after so many more characters: it has place for as many. A busy event loop is late for timers. */
const batchOfFullPipe = 64 * 1024
const batchMs = 200
/** How soon a reader that has just read something is tried again, one that has not, and an output that fails. */
const retryMs = { slow: 1, stalled: 10, failing: 200 }

/**
 * Writes lines, in order and with few system calls: when 4 KiB have collected, and after 200 ms at the latest. While they
 * cannot be written they wait in memory, and beyond `maxWaiting` they are lost and counted. Lines of the record of
 * disclosure are never lost while the process runs: no data must be shown while `isFull`. `flushAtExit` must be called
 * before the process ends.
 */
export function createLogOutput({ maxWaiting, longestExitMs }: LogLimits, options: Partial<LogOutputOptions> = {}) {
  const { write = (bytes) => writeSync(1, bytes), onLosing, onRecovered, clock = systemClock } = options
  const lost = { info: 0, warning: 0 }
  const linesLost = () => lost.info + lost.warning
  let text = ''
  /** The part of the text that came first, from the first byte that is not written. */
  let bytes: Uint8Array = new Uint8Array()
  let failure: string | null = null
  /** Null while no line is lost; otherwise the number of lines lost before. */
  let lostBefore: number | null = null
  let cancelFlush: Cancel | null = null
  /** How much has to wait for the next try. */
  let enough = batch
  const waiting = () => text.length + bytes.length

  function flush(): void {
    cancelFlush?.()
    cancelFlush = null
    const waitingBefore = waiting()
    try {
      while (waiting() > 0) {
        if (bytes.length === 0) [bytes, text] = [Buffer.from(text), '']
        bytes = bytes.subarray(write(bytes))
      }
      recover()
      enough = batch
    } catch (error) {
      failure = String((error as NodeJS.ErrnoException).code)
      const isSlow = waiting() < waitingBefore
      if (failure !== 'EAGAIN') reportLosing(failure)
      enough = failure === 'EAGAIN' ? waiting() + batchOfFullPipe : Number.POSITIVE_INFINITY
      const delayMs = failure !== 'EAGAIN' ? retryMs.failing : isSlow ? retryMs.slow : retryMs.stalled
      cancelFlush = clock.schedule(flush, delayMs)
    }
  }

  function recover(): void {
    const before = lostBefore
    ;[failure, lostBefore] = [null, null]
    if (before !== null && linesLost() > before) onRecovered?.(linesLost() - before)
  }

  function reportLosing(code: string): void {
    if (lostBefore !== null) return
    lostBefore = linesLost()
    onLosing?.(code)
  }

  /** Only while many lines wait, so that reading a line costs nothing otherwise. */
  function hasRoomFor(line: string): boolean {
    const kind = kindOf(line)
    if (kind === 'disclosure' || waiting() < maxWaiting[kind]) return true
    reportLosing(String(failure))
    lost[kind] += 1
    return false
  }

  return {
    write: (line: string) => {
      if (waiting() >= maxWaiting.info && !hasRoomFor(line)) return
      text += line
      if (waiting() >= enough) flush()
      else cancelFlush ??= clock.schedule(flush, batchMs)
    },
    /** Writes the lines that wait. While that fails, it is tried again at intervals only. */
    flush: () => {
      if (failure === null) flush()
    },
    /** Writes the lines that wait, and waits for a slow reader meanwhile, so that nothing else runs. */
    flushAtExit: () => {
      const end = clock.elapsed() + longestExitMs
      for (flush(); failure === 'EAGAIN' && clock.elapsed() < end; flush()) sleepSync(retryMs.stalled)
      if (failure !== null) reportLosing(failure)
    },
    /** Whether so much waits that nothing may be shown which has to be recorded. */
    isFull: () => waiting() >= maxWaiting.disclosure,
    /** Lines lost since the start, by kind: `info` and below, and warnings and errors. */
    linesLost: (): Readonly<typeof lost> => lost,
    /** Not ok while lines are lost or cannot be written, until all are written again. */
    status: () => ({ ok: lostBefore === null, linesLost: linesLost() }),
  }
}

function kindOf(line: string): keyof LogLimits['maxWaiting'] {
  const { level, record } = JSON.parse(line)
  if (record === 'disclosure') return 'disclosure'
  return level >= 40 ? 'warning' : 'info'
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
