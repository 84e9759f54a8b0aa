import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { Failure } from '../failures/failure.ts'

/**
 * Rejects invalid requests before any other step: a target that is too long, a Host that is missing, repeated or invalid
 * (RFC 9112 section 3.2), a repeated Authorization, of which a proxy may have read the other value, an HTTP version other
 * than 1.0 and 1.1, an unknown path, and a method that the path does not have. Call it before the first route is declared.
 */
export function checkRequests(app: FastifyInstance, { maxUrlLength }: { maxUrlLength: number }): void {
  const known = findMyWay()
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) known.on(each as HTTPMethod, url, () => {})
  })

  const allowedAt = (path: string) => app.supportedMethods.filter((method) => known.find(method as HTTPMethod, path))

  app.addHook('onRequest', (request, reply, done) => {
    // No route reads a body, so the next bytes on the connection may be that body and not a request.
    if (announcesBody(request)) reply.header('connection', 'close')
    // The only route for all paths is the one for preflights, which have been answered before.
    const isUnknown = request.is404 || request.routeOptions.url === '*'
    done(refusalOf(request, maxUrlLength) ?? (isUnknown ? missing(request, reply) : undefined))
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
  const isSupported = httpVersion === '1.1' || httpVersion === '1.0'
  return isSupported && isUnambiguous(rawHeaders, httpVersion) ? undefined : new Failure('malformed_request')
}

/**
 * Whether there is one valid Host, which HTTP/1.0 does not need, and at most one Authorization. `headers` has only the first
 * value of each, and `headersDistinct` would process all headers.
 * @param rawHeaders names and values in turn
 */
function isUnambiguous(rawHeaders: readonly string[], httpVersion: string): boolean {
  let hosts = 0
  let authorizations = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    // To compare lengths first is faster, because most names differ in length.
    if (name.length === 13 && name.toLowerCase() === 'authorization') authorizations += 1
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    if (!hostForm.test(rawHeaders[index + 1] as string)) return false
    hosts += 1
  }
  return authorizations <= 1 && (hosts === 1 || (hosts === 0 && httpVersion === '1.0'))
}
