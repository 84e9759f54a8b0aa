import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** The response headers that pages on other origins may read, besides those that CORS always allows. */
const exposedHeaders = [
  'Age',
  'Cache-Control',
  'Cache-Status',
  'ETag',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Server-Timing',
  'Vary',
  'WWW-Authenticate',
  'X-Content-Type-Options',
  'X-Request-Id',
]

/** The request headers that they may set. */
const allowedHeaders = ['Accept', 'Authorization', 'Cache-Control', 'If-None-Match', 'X-Request-Id']

/** How long browsers may cache a preflight, in seconds. */
const maxAge = 7200

/**
 * Lets pages on exactly these origins call the service (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). It allows
 * no cookies, because a page sets its credential in a header. Without origins it adds nothing to responses. Register it
 * before the plugins that reject requests, so that a page can also read these responses.
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  const options = { origin: [...origins], exposedHeaders, allowedHeaders, methods: ['GET', 'HEAD'], maxAge }
  await app.register(cors, {
    delegator: (request, done) => done(null, { ...options, preflight: isPreflight(request) }),
  })
}

/** Any other OPTIONS request is handled like a method that no route has. */
function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && 'access-control-request-method' in headers
}
