import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../errors.ts'
import { failureKinds } from '../failure-kinds.ts'
import { presentProblem, problemMediaType } from '../presentation/problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Why the request was not answered with what it asked for, for the log. */
    failure: Failure | null
  }
}

/** Answers every failure of a request with a problem (RFC 9457), and keeps the failure for the log. */
export function answerWithProblems(app: FastifyInstance): void {
  app.decorateRequest('failure', null)
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(failureOf(error), request, reply))
}

export function sendProblem(failure: Failure, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  request.failure = failure
  if (failure.retryAfterSeconds !== null) reply.header('retry-after', failure.retryAfterSeconds)
  return reply
    .code(failureKinds[failure.code].status)
    .header('cache-control', 'no-store')
    .type(problemMediaType)
    .send(Buffer.from(JSON.stringify(presentProblem(failure, pathOf(request.url), request.id))))
}

/** The failure behind anything thrown on the way; what nobody foresaw is a mistake of this service. */
export function failureOf(error: FastifyError | Failure): Failure {
  if (error instanceof Failure) return error
  if (error.validationContext === 'params') return new Failure('invalid_id')
  if (error.validationContext === 'querystring') return new Failure('invalid_query')
  const refused = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
  return new Failure(refused ? 'malformed_request' : 'internal_error', { cause: error })
}

/** The target without its query: a query may hold what should not be repeated. */
export function pathOf(url: string): string {
  return url.replace(/[?#].*$/s, '')
}
