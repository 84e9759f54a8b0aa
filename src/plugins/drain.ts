import type { FastifyInstance } from 'fastify'

/**
 * Lets the server close as soon as the last request is answered. Node's own close waits for every connection that was
 * busy when it began, or was never used, until the other side gives up.
 */
export function drainOnClose(app: FastifyInstance): void {
  let inFlight = 0
  let closing = false

  const closeWhenIdle = () => {
    if (closing && inFlight === 0) app.server.closeAllConnections()
  }

  app.addHook('onRequest', (_request, reply, done) => {
    inFlight += 1
    // Emitted when the answer has left, and when the caller has.
    reply.raw.once('close', () => {
      inFlight -= 1
      closeWhenIdle()
    })
    done()
  })
  app.addHook('preClose', async () => {
    closing = true
    closeWhenIdle()
  })
}
