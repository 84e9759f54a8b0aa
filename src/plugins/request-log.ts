import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { failureKinds } from '../failure-kinds.ts'

/** One line for each request, when its answer has left, or when the caller did: no id, no query, no header, no body. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    logWhenOver(request, reply)
    done()
  })
}

/** Logs one request when it is over. */
export function logWhenOver(request: FastifyRequest, reply: FastifyReply): void {
  reply.raw.once('close', () => {
    const { failure, method, routeOptions } = request
    const status = failure ? failureKinds[failure.code].status : reply.statusCode
    const left = !reply.raw.writableFinished
    const level = status < 500 ? 'info' : status === 500 ? 'error' : 'warn'
    request.log[level](
      {
        method,
        route: routeOptions.url ?? null,
        status: left ? null : status,
        ...(request.caller && { caller: request.caller.name }),
        cache: reply.getHeader('cache-status'),
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
        ...(failure && { err: failure }),
      },
      left ? 'the caller left before the answer' : 'answered',
    )
  })
}
