import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** For responses with data: a browser may read them, but not run, frame or embed them. */
export const dataHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/** For the pages of this service: they load scripts and styles, and send requests, only from and to their own origin. */
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

/** Sets the headers that every response has. */
export function setBaseHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(dataHeaders).header('x-request-id', request.id)
}

/** Sets them on the responses to all requests that pass the hooks. */
export function useBaseHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    setBaseHeaders(request, reply)
    done()
  })
}
