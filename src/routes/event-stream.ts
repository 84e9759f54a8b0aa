import { Readable } from 'node:stream'
import type { Clock } from '../common/clock.ts'

/**
 * The start of an event (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream). Its data, JSON
 * on one line, and an empty line follow.
 * @param id without line ends and NUL; none for events after which a reader cannot go on
 */
export function eventStart(event: string, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: `
}

/** One event as text. */
export function eventText(event: string, data: string, id?: string): string {
  return `${eventStart(event, id)}${data}\n\n`
}

/** Tells a browser how long to wait before it opens the stream anew, in milliseconds. */
export function retryText(ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`
}

/** What is sent in one piece, in bytes. A reader who takes less than this in the time of a stalled one counts as stalled. */
const pieceBytes = 16_384

/**
 * The body of a stream of events. Of each kind of event, one waits for a slow reader, and a newer one replaces it: a reader never
 * gets what is out of date already, and what it does not read takes no memory, because all readers share the data.
 */
export class EventStream extends Readable {
  /** Makes each event that waits, in the order in which they are sent. */
  readonly #waiting = new Map<string, () => readonly Buffer[]>()
  /** The rest of the event that is being sent. */
  #pieces: Buffer[] = []
  readonly #elapsed: Clock['elapsed']
  #isFull = false
  #isLast = false
  #movedAt: number

  constructor(elapsed: Clock['elapsed']) {
    super({ highWaterMark: 1 })
    this.#elapsed = elapsed
    this.#movedAt = elapsed()
  }

  /**
   * Sends an event when the reader is ready.
   * @param write makes it at that moment, in parts
   */
  offer(kind: string, write: () => string | readonly Buffer[]): void {
    if (this.#isLast || this.destroyed) return
    this.#waiting.delete(kind)
    this.#waiting.set(kind, () => {
      const written = write()
      return typeof written === 'string' ? [Buffer.from(written)] : written
    })
    this.#flush()
  }

  /** Drops all events that wait, except the last text of a stream that has ended already. */
  discard(): void {
    for (const kind of this.#waiting.keys()) if (kind !== 'last') this.#waiting.delete(kind)
  }

  /** Ends the stream with this text, after the events that wait. */
  finish(text: string): void {
    if (this.#isLast) return
    this.offer('last', () => text)
    this.#isLast = true
    this.#flush()
  }

  /** Whether a part of a large event has been sent, so that no other event can be sent before its rest. */
  isWithinEvent(): boolean {
    return this.#pieces.length > 0
  }

  /** For how long the reader has taken nothing of what waits, in milliseconds; 0 while nothing waits. */
  stalledMs(): number {
    return this.#isFull ? this.#elapsed() - this.#movedAt : 0
  }

  override _read(): void {
    this.#isFull = false
    this.#flush()
  }

  #flush(): void {
    while (!this.#isFull) {
      const piece = this.#nextPiece()
      if (piece === undefined) break
      this.#movedAt = this.#elapsed()
      this.#isFull = !this.push(piece)
    }
    if (this.#isLast && !this.#isFull) this.push(null)
  }

  #nextPiece(): Buffer | undefined {
    if (this.#pieces.length === 0) {
      const [next] = this.#waiting
      if (next === undefined) return undefined
      const [kind, write] = next
      this.#waiting.delete(kind)
      this.#pieces = piecesOf(write())
    }
    return this.#pieces.shift()
  }
}

/** A small event is one piece. Of a large one, the pieces are no copies. */
function piecesOf(parts: readonly Buffer[]): Buffer[] {
  if (parts.reduce((bytes, { length }) => bytes + length, 0) <= pieceBytes) return [Buffer.concat(parts)]
  return parts.flatMap((part) =>
    Array.from({ length: Math.ceil(part.length / pieceBytes) }, (_, index) =>
      part.subarray(index * pieceBytes, (index + 1) * pieceBytes),
    ),
  )
}
