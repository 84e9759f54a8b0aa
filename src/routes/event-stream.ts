import { Readable } from 'node:stream'
import type { Clock } from '../common/clock.ts'

/**
 * One event as text (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
 * @param data JSON on one line
 * @param id without line ends and NUL; none for events after which a reader cannot go on
 */
export function eventText(event: string, data: string, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`
}

/** Tells a browser how long to wait before it opens the stream anew, in milliseconds. */
export function retryText(ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`
}

/**
 * The body of a stream of events. Of each kind of event, one waits for a slow reader, and a newer one replaces it: a reader never
 * gets what is out of date already, and what it does not read takes no memory.
 */
export class EventStream extends Readable {
  /** Makes the text of each event that waits, in the order in which they are sent. */
  readonly #waiting = new Map<string, () => string>()
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
   * @param write makes its text at that moment
   */
  offer(kind: string, write: () => string): void {
    if (this.#isLast) return
    this.#waiting.delete(kind)
    this.#waiting.set(kind, write)
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

  /** For how long the reader has taken nothing of what waits, in milliseconds; 0 while nothing waits. */
  stalledMs(): number {
    return this.#isFull ? this.#elapsed() - this.#movedAt : 0
  }

  override _read(): void {
    this.#isFull = false
    this.#flush()
  }

  #flush(): void {
    for (const [kind, write] of this.#waiting) {
      if (this.#isFull) return
      this.#waiting.delete(kind)
      this.#movedAt = this.#elapsed()
      this.#isFull = !this.push(write())
    }
    if (this.#isLast && !this.#isFull) this.push(null)
  }
}
