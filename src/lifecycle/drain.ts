import type { Server as HttpServer } from 'node:http'
import { Server } from 'node:net'
import { setImmediate as immediate } from 'node:timers/promises'
import { type Clock, sleep, systemClock } from '../common/clock.ts'
import { type Connection, type Connections, closeAfterLast } from './connections.ts'
import type { Lifecycle } from './lifecycle.ts'

export interface DrainOptions {
  /** Until it resolves, requests and new connections are accepted as before. */
  readonly delay: Promise<unknown>
  /**
   * A connection without a request in flight is closed when it has been silent for this long after the delay, because a
   * request may be on its way. 0 closes it immediately.
   */
  readonly idleGraceMs: number
}

/** The interval of the checks without a grace: a response that began before the drain can leave its connection open. */
const checkMs = 50

/**
 * Returns the function that drains the server. `close` of Node.js would cut responses to slow readers, and would wait for
 * connections that never sent a request.
 * @param endStreams ends all streams after the delay, and cuts those whose readers do not take the end within the grace
 */
export function createDrain(
  server: HttpServer,
  connections: Pick<Connections, 'all'>,
  lifecycle: Pick<Lifecycle, 'drain'>,
  clock: Pick<Clock, 'schedule'> = systemClock,
  endStreams: (graceMs: number) => void = () => {},
) {
  /** Bytes that each connection had received at the last check. */
  const bytesSeen = new WeakMap<Connection, number>()

  function closeIdle(hasGrace: boolean): void {
    for (const connection of connections.all()) {
      const { socket, responses } = connection
      const isSilent = socket.bytesRead === bytesSeen.get(connection)
      bytesSeen.set(connection, socket.bytesRead)
      if (responses.length === 0 && (isSilent || !hasGrace)) socket.destroy()
    }
  }

  /**
   * Drains the server. It resolves when every response is sent and every connection is closed. From the call on, responses
   * say `Connection: close`, so that callers open their next connection to another replica.
   */
  return async ({ delay, idleGraceMs }: DrainOptions) => {
    lifecycle.drain()
    for (const { responses } of connections.all()) closeAfterLast(responses)
    await delay
    endStreams(idleGraceMs || checkMs)
    const closed = stopListening(server).then(() => true)
    for (let isOver = false; !isOver; isOver = await Promise.race([closed, nextCheck(idleGraceMs || checkMs)]))
      closeIdle(idleGraceMs > 0)
  }

  async function nextCheck(ms: number): Promise<false> {
    await sleep(clock, ms)
    // Data that has arrived in the meantime is read first.
    await immediate()
    return false
  }
}

/** Accepts no new connections, and resolves when the last one is closed. `close` of the HTTP server would do more. */
function stopListening(server: HttpServer): Promise<void> {
  return new Promise((resolve) => Server.prototype.close.call(server, () => resolve()))
}
