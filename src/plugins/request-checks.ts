import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { Failure } from '../errors.ts'
import { pathOf } from './problems.ts'

/**
 * Refuses, before anything else looks at it, a request that no route could answer well: a target that is too long,
 * a missing or doubled Host (RFC 9112 section 3.2), an unknown path, a method the path does not have.
 * Call it before the first route is declared.
 */
export function refuseWhatNoRouteAnswers(app: FastifyInstance, { maxUrlLength }: { maxUrlLength: number }): void {
  const known = findMyWay()
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) known.on(each as HTTPMethod, url, () => {})
  })

  const allowedAt = (path: string) => app.supportedMethods.filter((method) => known.find(method as HTTPMethod, path))

  app.addHook('onRequest', (request, reply, done) => {
    const failure = refusalOf(request, maxUrlLength) ?? (request.is404 ? missing(request, reply) : undefined)
    done(failure)
  })

  function missing(request: FastifyRequest, reply: FastifyReply): Failure {
    const allowed = allowedAt(pathOf(request.url))
    if (allowed.length === 0) return new Failure('route_not_found')
    reply.header('allow', allowed.sort().join(', '))
    return new Failure('method_not_allowed')
  }
}

function refusalOf({ url, raw }: FastifyRequest, maxUrlLength: number): Failure | undefined {
  if (url.length > maxUrlLength) return new Failure('uri_too_long')
  const hosts = raw.headersDistinct.host?.length ?? 0
  if (hosts > 1 || (hosts === 0 && raw.httpVersion !== '1.0')) return new Failure('malformed_request')
  return undefined
}
