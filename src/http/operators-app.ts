import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { createAdminTokenCheck } from '../access/admin-token.ts'
import { type CacheRoutesOptions, cacheRoutes } from '../admin/cache.ts'
import { type HealthRoutesOptions, healthRoutes } from '../admin/health.ts'
import { operatorsDescription } from '../admin/openapi.ts'
import { type ReportRoutesOptions, reportRoutes } from '../admin/reports.ts'
import type { Secret } from '../common/secret.ts'
import type { Limits } from '../config/config.ts'
import { documentOf, serveDocumentation } from '../plugins/documentation.ts'
import { refuseForeignRequests } from '../plugins/foreign-requests.ts'
import { describeLater } from '../plugins/openapi.ts'
import { answerWithProblems } from '../plugins/problems.ts'
import { checkRequests } from '../plugins/request-checks.ts'
import { useBaseHeaders } from '../plugins/security-headers.ts'
import { serveStatic } from '../plugins/static-answers.ts'
import { frontPageRoutes } from '../routes/front-page.ts'
import { problemRoutes } from '../routes/problems.ts'
import { createServer } from './server.ts'

type RoutesOptions = HealthRoutesOptions & ReportRoutesOptions & Omit<CacheRoutesOptions, 'guard'>

export interface OperatorsAppOptions extends RoutesOptions {
  /** As for `refuseForeignRequests`. */
  readonly allowedHosts: readonly string[]
  /** The credential for deleting from the cache; null if it is not needed. */
  readonly deletionToken: Secret | null
  /** The app whose documentation is served here; null for none. */
  readonly described: FastifyInstance | null
}

/**
 * The operators' listener. It is an application of its own, so that limits, load and shutdown of the callers' listener do
 * not affect it. It asks for a credential only before it deletes, and logs only requests that delete or are refused.
 */
export async function createOperatorsApp(
  limits: Limits,
  logger: FastifyBaseLogger,
  options: OperatorsAppOptions,
): Promise<FastifyInstance> {
  // Probes and Prometheus have no credential, so none of them is a stranger here.
  const ownLimits = { ...limits, strangerKeepAliveMs: limits.keepAliveMs }
  const { app } = createServer(ownLimits, logger, { closesAtOnce: true })
  answerWithProblems(app)
  useBaseHeaders(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    request.log = request.log.child({ peer: request.ip })
  })
  checkRequests(app, limits)
  refuseForeignRequests(app, options.allowedHosts)
  app.addHook('onResponse', async ({ failure, log }) => {
    if (failure?.code === 'internal_error') log.error({ err: failure }, 'request of an operator failed')
    if (failure?.code === 'foreign_request' || failure?.code === 'unauthenticated')
      log.warn({ err: failure }, 'request to the operators’ listener refused')
  })
  describeLater(app, [], operatorsDescription)
  healthRoutes(app, options)
  reportRoutes(app, options)
  const checkToken = options.deletionToken === null ? () => {} : createAdminTokenCheck(options.deletionToken)
  cacheRoutes(app, { ...options, guard: async ({ headers }) => checkToken(headers.authorization) })
  problemRoutes(app, 'foreign_request')
  serveStatic(app, '/openapi.json', documentOf(app))
  if (options.described !== null) serveDocumentation(app, options.described)
  frontPageRoutes(app, 'For operators', {
    'openapi.json': 'The paths below as OpenAPI 3.1',
    ...(options.described !== null && { docs: 'The API for callers, to read' }),
  })
  return app
}
