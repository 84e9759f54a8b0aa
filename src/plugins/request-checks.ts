import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { Failure } from '../failures/failure.ts'

/**
 * Refuses, before anything else looks at it, a request that no route could answer well: a target that is too long, a
 * Host that is missing, doubled or none (RFC 9112 section 3.2), a doubled Authorization, of which others may have read the
 * other one, another HTTP than 1.0 and 1.1, an unknown path, a method the path does not have.
 * Call it before the first route is declared.
 */
export function refuseWhatNoRouteAnswers(app: FastifyInstance, { maxUrlLength }: { maxUrlLength: number }): void {
  const known = findMyWay()
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) known.on(each as HTTPMethod, url, () => {})
  })

  const allowedAt = (path: string) => app.supportedMethods.filter((method) => known.find(method as HTTPMethod, path))

  app.addHook('onRequest', (request, reply, done) => {
    // No route reads a body, so nobody knows what stands on the connection after this request.
    if (announcesBody(request)) reply.header('connection', 'close')
    // The only route for any path is that for preflights, which have been answered by now.
    const unanswered = request.is404 || request.routeOptions.url === '*'
    done(refusalOf(request, maxUrlLength) ?? (unanswered ? missing(request, reply) : undefined))
  })

  function missing(request: FastifyRequest, reply: FastifyReply): Failure {
    const allowed = allowedAt(request.url.replace(/[?#].*$/s, ''))
    if (allowed.length === 0) return new Failure('route_not_found')
    reply.header('allow', allowed.sort().join(', '))
    return new Failure('method_not_allowed')
  }
}

function announcesBody({ headers }: FastifyRequest): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined
}

/** RFC 9110 section 7.2: a name or address, and a port. */
const hostForm = /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i

function refusalOf({ url, raw }: FastifyRequest, maxUrlLength: number): Failure | undefined {
  if (url.length > maxUrlLength) return new Failure('uri_too_long')
  const { rawHeaders, httpVersion } = raw
  const hosts = valuesOf('host', rawHeaders)
  const addressed = hosts.length === 1 || (hosts.length === 0 && httpVersion === '1.0')
  const spoken = httpVersion === '1.0' || httpVersion === '1.1'
  const one = valuesOf('authorization', rawHeaders).length <= 1
  return addressed && hosts.every((host) => hostForm.test(host)) && spoken && one
    ? undefined
    : new Failure('malformed_request')
}

/**
 * All of them; `headers` keeps the first one only, and `headersDistinct` sorts out the others as well, at each request.
 * @param rawHeaders names and values in turn
 */
function valuesOf(name: string, rawHeaders: readonly string[]): string[] {
  // Most names differ in length, which takes less time to see.
  const isNamed = (header = '') => header.length === name.length && header.toLowerCase() === name
  return rawHeaders.filter((_value, index) => index % 2 === 1 && isNamed(rawHeaders[index - 1]))
}
