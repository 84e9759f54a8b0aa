import type { ServerResponse } from 'node:http'
import { Server, type Socket } from 'node:net'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Lifecycle } from './lifecycle.ts'

export interface DrainOptions {
  /** Until it resolves, new work is taken as before, on new connections as well. */
  readonly delay: Promise<unknown>
  /**
   * A connection that waits for no answer is closed when it has carried nothing for so long after the delay: a request
   * may be on its way to it. 0 for at once, whatever it has carried.
   */
  readonly lingerMs: number
}

/**
 * Ends the work for callers, and resolves when every answer has left and every connection is closed. From the call on,
 * answers say that they are the last on their connection, so that callers open another one, elsewhere.
 */
export type Drain = (options: DrainOptions) => Promise<void>

interface Connection {
  /** Those under way, in the order of their requests. */
  readonly answers: Set<ServerResponse>
  /** What it had carried when it was last looked at; -1 when it never was. */
  bytesSeen: number
}

/** How often connections are looked at where none may linger: an answer begun before the end can leave one open. */
const lookMs = 50

/**
 * Counts the requests in flight, and lets the server be drained. Node's own `close` would cut answers that a slow reader
 * has not taken yet, and wait for connections that were never used.
 * @param after timers by default, for which no process is kept alive
 */
export function drainable(
  app: FastifyInstance,
  lifecycle: Lifecycle,
  after: (ms: number) => Promise<unknown> = (ms) => sleep(ms, undefined, { ref: false }),
): Drain {
  const connections = new Map<Socket, Connection>()

  app.server.on('connection', (socket) => {
    connections.set(socket, { answers: new Set(), bytesSeen: -1 })
    socket.once('close', () => connections.delete(socket))
  })
  // Before Fastify, which may answer at once, and for all that it would answer without its hooks.
  app.server.prependListener('request', ({ socket }, answer) => {
    const { answers } = connections.get(socket) as Connection
    answers.add(answer)
    lifecycle.requestBegan()
    if (lifecycle.state() === 'draining') closeAfterLast(answers)
    // Emitted when the answer has left, and when the caller has.
    answer.once('close', () => {
      answers.delete(answer)
      lifecycle.requestEnded()
    })
  })

  function look(mayLinger: boolean): void {
    for (const [socket, connection] of connections) {
      const isSilent = socket.bytesRead === connection.bytesSeen
      connection.bytesSeen = socket.bytesRead
      if (connection.answers.size === 0 && (isSilent || !mayLinger)) socket.destroy()
    }
  }

  return async ({ delay, lingerMs }) => {
    lifecycle.drain()
    for (const { answers } of connections.values()) closeAfterLast(answers)
    await delay
    const closed = stopListening(app).then(() => true)
    const mayLinger = lingerMs > 0
    for (let isOver = false; !isOver; isOver = await Promise.race([closed, nextLook(lingerMs || lookMs)]))
      look(mayLinger)
  }

  async function nextLook(ms: number): Promise<false> {
    await after(ms)
    // What has arrived meanwhile is read first.
    await immediate()
    return false
  }
}

/**
 * Closes a connection after the last of its answers. After an earlier one, those behind it would be lost
 * (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
 */
function closeAfterLast(answers: ReadonlySet<ServerResponse>): void {
  const unsent = [...answers].filter(({ headersSent }) => !headersSent)
  for (const answer of unsent) answer.removeHeader('connection')
  unsent.at(-1)?.setHeader('connection', 'close')
}

/** Takes no further connections; resolves when the last one is closed. The HTTP server's `close` would do more. */
function stopListening(app: FastifyInstance): Promise<void> {
  return new Promise((resolve) => Server.prototype.close.call(app.server, () => resolve()))
}
