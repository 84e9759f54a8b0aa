import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AccessFailure } from '../access/access-failure.ts'
import { Failure } from '../failures/failure.ts'
import { failureKinds } from '../failures/failure-kinds.ts'
import { presentProblem, problemMediaType } from '../failures/problem.ts'

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
  // What has a route but turns out to be missing, such as a file of the documentation page.
  app.setNotFoundHandler((request, reply) => sendProblem(new Failure('route_not_found'), request, reply))
}

export function sendProblem(failure: Failure, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  request.failure = failure
  if (failure.retryAfterSeconds !== null) reply.header('retry-after', failure.retryAfterSeconds)
  if (failure instanceof AccessFailure) reply.header('www-authenticate', failure.challenge)
  // Who sends something malformed and who reads it may not agree on where it ends.
  if (failure.code === 'malformed_request') reply.header('connection', 'close')
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
  if (error.statusCode === 404) return new Failure('route_not_found')
  const refused = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
  return new Failure(refused ? 'malformed_request' : 'internal_error', { cause: error })
}

/**
 * The path alone: the query, and the authority of a full URL, may hold what should not be repeated. What HTTP parsers
 * let through though no URI has it, such as `<` or `%zz`, is percent-encoded.
 */
export function pathOf(url: string): string {
  const path = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path.replace(/^\/*/, '/').replace(notInPaths, (given) => encodeURIComponent(given.toWellFormed()))
}

/** All but `pchar` and `/` (https://www.rfc-editor.org/rfc/rfc3986#section-3.3). */
const notInPaths = /%(?![\da-fA-F]{2})|[^\w\-.~!$&'()*+,;=:@/%]/gu
