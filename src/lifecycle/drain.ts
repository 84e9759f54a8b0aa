import type { ServerResponse } from 'node:http'
import { Server, type Socket } from 'node:net'
import { setImmediate as immediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type Clock, sleep, systemClock } from '../common/clock.ts'
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

interface Connection {
  /** The responses in flight, in the order of their requests. */
  readonly responses: Set<ServerResponse>
  /** Bytes it had received at the last check; -1 before the first. */
  bytesSeen: number
}

/** The interval of the checks without a grace: a response that began before the drain can leave its connection open. */
const checkMs = 50

/**
 * Counts the requests in flight, and returns the function that drains the server. `close` of Node.js would cut responses to
 * slow readers, and would wait for connections that never sent a request.
 */
export function createDrain(app: FastifyInstance, lifecycle: Lifecycle, clock: Pick<Clock, 'schedule'> = systemClock) {
  const connections = new Map<Socket, Connection>()

  app.server.on('connection', (socket) => {
    connections.set(socket, { responses: new Set(), bytesSeen: -1 })
    socket.once('close', () => connections.delete(socket))
  })
  // Before the listener of Fastify, which may respond immediately, and sometimes does so without running hooks.
  app.server.prependListener('request', ({ socket }, response) => {
    const { responses } = connections.get(socket) as Connection
    responses.add(response)
    lifecycle.requestBegan()
    if (lifecycle.state() === 'draining') closeAfterLast(responses)
    // `close` is emitted when the response was sent, and when the caller has disconnected.
    response.once('close', () => {
      responses.delete(response)
      lifecycle.requestEnded()
    })
  })

  function closeIdle(hasGrace: boolean): void {
    for (const [socket, connection] of connections) {
      const isSilent = socket.bytesRead === connection.bytesSeen
      connection.bytesSeen = socket.bytesRead
      if (connection.responses.size === 0 && (isSilent || !hasGrace)) socket.destroy()
    }
  }

  /**
   * Drains the server. It resolves when every response is sent and every connection is closed. From the call on, responses
   * say `Connection: close`, so that callers open their next connection to another replica.
   */
  return async ({ delay, idleGraceMs }: DrainOptions) => {
    lifecycle.drain()
    for (const { responses } of connections.values()) closeAfterLast(responses)
    await delay
    const closed = stopListening(app).then(() => true)
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

/**
 * Closes a connection after the last of its responses in flight. After an earlier one, those behind it would be lost
 * (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
 */
function closeAfterLast(responses: ReadonlySet<ServerResponse>): void {
  const unsent = [...responses].filter(({ headersSent }) => !headersSent)
  for (const response of unsent) response.removeHeader('connection')
  unsent.at(-1)?.setHeader('connection', 'close')
}

/** Accepts no new connections, and resolves when the last one is closed. `close` of the HTTP server would do more. */
function stopListening(app: FastifyInstance): Promise<void> {
  return new Promise((resolve) => Server.prototype.close.call(app.server, () => resolve()))
}
