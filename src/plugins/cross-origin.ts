import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** The response headers that pages on other origins may read, besides those that CORS always allows. */
const exposedHeaders = [
  'Age',
  'Cache-Control',
  'Cache-Status',
  'ETag',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Server-Timing',
  'Vary',
  'WWW-Authenticate',
  'X-Content-Type-Options',
  'X-Request-Id',
]

/** The request headers that they may set: all that this service and its tracing read, except those that only browsers set. */
const understoodHeaders = [
  'Accept',
  'Authorization',
  'Cache-Control',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'Prefer',
  'X-Request-Id',
  'traceparent',
  'tracestate',
  'baggage',
]

/** How long browsers may cache a preflight, in seconds. */
const maxAge = 7200

/**
 * Lets pages on exactly these origins call the service (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). It allows
 * no cookies, because a page sets its credential in a header. Without origins it adds nothing to responses. Register it
 * before the plugins that reject requests, so that a page can also read these responses.
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  const options = {
    origin: [...origins],
    exposedHeaders,
    allowedHeaders: understoodHeaders,
    methods: ['GET', 'HEAD'],
    maxAge,
  }
  await app.register(cors, {
    delegator: (request, done) => done(null, { ...options, preflight: isPreflight(request) }),
  })
}

/** Any other OPTIONS request is handled like a method that no route has. */
function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && 'access-control-request-method' in headers
}

/**
 * The headers that let a page read a response that passes no hook.
 * @param allowed the origin that the page is on, if it is one of these. `*` if it is not known: every page may read that
 *   response, which says only that the request was refused.
 */
export function originHeaders(
  origins: readonly string[],
  allowed: string | undefined,
): Readonly<Record<string, string>> {
  if (origins.length === 0) return {}
  if (allowed === undefined) return { vary: 'Origin' }
  const exposed = exposedHeaders.join(', ')
  return { vary: 'Origin', 'access-control-allow-origin': allowed, 'access-control-expose-headers': exposed }
}
