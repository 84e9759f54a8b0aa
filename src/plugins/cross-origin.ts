import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What pages on other origins may read of an answer, besides the headers that are safe for all. */
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

/** What they may send. */
const allowedHeaders = ['Accept', 'Authorization', 'Cache-Control', 'If-None-Match', 'X-Request-Id']

/** For so long, in seconds, browsers need not ask again before they ask; none takes more than a day. */
const preflightMaxAge = 7200

/**
 * Lets pages on these origins call (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol): exactly these, and without
 * cookies, because credentials are a header that the page itself sets. Without any, nothing is added to any answer.
 * Register it before what refuses requests, so that a page can read the refusals, too.
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  const common = { origin: [...origins], exposedHeaders, allowedHeaders, methods: ['GET', 'HEAD'] }
  const preflight = { ...common, maxAge: preflightMaxAge }
  const actual = { ...common, preflight: false }
  await app.register(cors, {
    delegator: (request, done) => done(null, isPreflight(request) ? preflight : actual),
  })
}

/** Any other OPTIONS is a method like those that no route has. */
function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && 'access-control-request-method' in headers
}
