import type { FastifyInstance, FastifyRequest } from 'fastify'
import { canonicalHost } from '../common/host.ts'
import { Failure } from '../failures/failure.ts'

/** Hosts by which this machine calls itself. */
const ownHosts = ['localhost', '127.0.0.1', '::1']

/**
 * Refuses requests that a page of another site can have sent through an operator's browser. Such a page either says so in
 * `Origin` (RFC 6454) or `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), or has made its own host name resolve to
 * this listener (DNS rebinding). `Host` has that name then. A page cannot leave `Host` out, as programs with HTTP/1.0 do.
 * @param allowedHosts names and addresses of this listener, besides those of this machine for itself and the address at
 *   which the connection arrived
 */
export function refuseForeignRequests(app: FastifyInstance, allowedHosts: readonly string[]): void {
  const allowed = new Set([...ownHosts, ...allowedHosts].map(canonicalHost))

  app.addHook('onRequest', (request, _reply, done) => {
    const reason = foreignPartOf(request)
    done(reason === null ? undefined : new Failure('foreign_request', { facts: { reason } }))
  })

  function foreignPartOf({ url, headers, socket }: FastifyRequest): 'host' | 'origin' | 'site' | null {
    // The host in a target, if there is one, counts instead of that in the header (RFC 9112 section 3.2.2).
    const host = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers.host
    if (host !== undefined && !isAllowed(canonicalHost(host), socket.localAddress)) return 'host'
    const { origin, 'sec-fetch-site': site = 'none' } = headers
    if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host) return 'origin'
    return site === 'none' || site === 'same-origin' ? null : 'site'
  }

  function isAllowed(host: string | null, localAddress = ''): boolean {
    return host !== null && (allowed.has(host) || host === canonicalHost(localAddress))
  }
}
