import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** For answers that are data: they may be read, never run, framed or embedded. */
export const dataHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/** For the pages of this service: scripts, styles and requests of its own, and no other host. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Sets the headers that every answer carries. */
export function setBaseHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(dataHeaders).header('x-request-id', request.id)
}

/** Sets them on the answers to all requests that reach a route, or none. */
export function useBaseHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    setBaseHeaders(request, reply)
    done()
  })
}
