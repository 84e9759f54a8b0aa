import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AccessFailure } from '../access/access-failure.ts'
import { Failure } from '../failures/failure.ts'
import { failureKinds } from '../failures/failure-kinds.ts'
import { presentProblem, problemMediaType } from '../failures/problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Why the response is a problem; null for any other response. */
    failure: Failure | null
  }
}

/** Answers each failed request with a problem (RFC 9457), and keeps the failure for the log. */
export function answerWithProblems(app: FastifyInstance): void {
  app.decorateRequest('failure', null)
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(failureOf(error), request, reply))
}

export function sendProblem(failure: Failure, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  request.failure = failure
  if (failure.retryAfterSeconds !== null) reply.header('retry-after', failure.retryAfterSeconds)
  if (failure instanceof AccessFailure) reply.header('www-authenticate', failure.challenge)
  // The client and this server may not agree on where a malformed request ends, and the next one has to open a connection first.
  if (failure.code === 'malformed_request' || failure.code === 'uri_too_long') reply.header('connection', 'close')
  return reply
    .code(failureKinds[failure.code].status)
    .header('cache-control', 'no-store')
    .type(problemMediaType)
    .send(Buffer.from(JSON.stringify(presentProblem(failure, pathOf(request.url), request.id))))
}

/** Turns any error into a failure. An unexpected error is a bug of this service. */
export function failureOf(error: FastifyError | Failure): Failure {
  if (error instanceof Failure) return error
  if (error.validationContext === 'params') return new Failure('invalid_id')
  if (error.validationContext === 'querystring') return new Failure('invalid_query')
  const isClientError = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
  return new Failure(isClientError ? 'malformed_request' : 'internal_error', { cause: error })
}

/**
 * The path of a request target. The query, and the authority of a full URL, are removed, because they may contain secrets.
 * Characters that HTTP parsers accept but URIs exclude, such as `<` or `%zz`, are percent-encoded.
 */
export function pathOf(url: string): string {
  const path = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path.replace(/^\/*/, '/').replace(notInPaths, (given) => encodeURIComponent(given.toWellFormed()))
}

/** All characters except `pchar` and `/` (https://www.rfc-editor.org/rfc/rfc3986#section-3.3). */
const notInPaths = /%(?![\da-fA-F]{2})|[^\w\-.~!$&'()*+,;=:@/%]/gu
