import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { Metrics } from '../telemetry/metrics.ts'

/** How one part of the service is: facts without values that must not be seen. */
export interface PartStatus {
  /** Whether what the settings ask for is in use; if not, what was in use before still is. */
  readonly ok: boolean
  readonly [fact: string]: unknown
}

export interface OperatorsAppOptions {
  /** How each part is that can be changed while the service runs; null where the settings do not ask for it. */
  readonly parts: () => Readonly<Record<string, PartStatus | null>>
  readonly metrics: Pick<Metrics, 'exposition' | 'contentType'>
}

/** The operators' listener. It shares nothing with the callers' but the process it reports on. */
export function createOperatorsApp(logger: FastifyBaseLogger, options: OperatorsAppOptions): FastifyInstance {
  const { parts, metrics } = options
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  })
  // Fastify's own would tell the error to whoever asked, and nobody else.
  app.setErrorHandler((err: Error, request, reply) => {
    request.log.error({ err }, 'the operators’ listener failed')
    return reply.code(500).type('text/plain').send('failed, see the log\n')
  })
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  // Whoever gets this answer knows that the event loop turns; it says nothing of Hilos.
  app.get('/livez', (_request, reply) => reply.type('text/plain').send('ok\n'))
  // What could not be taken over is told, but is no reason to take the service out: it goes on with what it had.
  app.get('/readyz', (_request, reply) => reply.send({ ready: true, parts: parts() }))
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.exposition()))
  return app
}
