import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'

/** The operators' listener. It shares nothing with the callers' but the process it reports on. */
export function createOperatorsApp(logger: FastifyBaseLogger): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  })
  // Whoever gets this answer knows that the event loop turns; it says nothing of Hilos.
  app.get('/livez', (_request, reply) => reply.header('cache-control', 'no-store').type('text/plain').send('ok\n'))
  return app
}
