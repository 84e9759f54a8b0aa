import type { FastifyInstance } from 'fastify'
import { failureKinds } from '../failure-kinds.ts'

/** One line for each request, when its answer has left: no id, no query, no header, no body. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { failure, method, routeOptions } = request
    const status = failure ? failureKinds[failure.code].status : reply.statusCode
    const level = status < 500 ? 'info' : status === 500 ? 'error' : 'warn'
    request.log[level](
      {
        method,
        route: routeOptions.url ?? null,
        status,
        cache: reply.getHeader('cache-status'),
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
        ...(failure && { err: failure }),
      },
      'answered',
    )
    done()
  })
}
