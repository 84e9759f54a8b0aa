import { subscribe } from 'node:diagnostics_channel'
import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/**
 * Creates a span for every request on the callers' listener. Requests on the operators' listener, such as probes, get none. Its
 * attributes are the method, the route, the status and the code of the failure. It never contains a path, a query, a header or an
 * error message.
 * @param flush exports the remaining spans; the server waits for it when it closes
 */
export function traceRequests(tracer: Tracer, flush: () => Promise<void>): void {
  subscribe('fastify.initialization', (message) => {
    const { fastify } = message as { fastify: FastifyInstance }
    let isOperators = false
    fastify.addHook('onRoute', ({ url }) => {
      isOperators ||= url === '/livez'
    })
    fastify.addHook('onRequest', (request, reply, done) => {
      if (isOperators) done()
      else traceRequest(tracer, request, reply, done)
    })
    fastify.addHook('onClose', flush)
  })
}

function traceRequest(tracer: Tracer, request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { method, routeOptions, headers } = request
  const route = routeOptions.url
  // Only `traceparent` is used. `tracestate` and `baggage` contain text from the caller.
  const caller = propagation.extract(ROOT_CONTEXT, { traceparent: headers.traceparent })
  const span = tracer.startSpan(
    route === undefined ? method : `${method} ${route}`,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': route } },
    caller,
  )
  const own = trace.setSpan(caller, span)
  // Overwrites `traceparent` of the request, so that the log names the same trace, even when it starts here.
  propagation.inject(own, headers)
  reply.raw.once('close', () => endSpan(span, request, reply))
  context.with(own, done)
}

function endSpan(span: Span, request: FastifyRequest, reply: FastifyReply): void {
  const { failure, isWatch } = request as { readonly failure?: { readonly code: string } | null; isWatch?: boolean }
  // A stream is answered from its first byte on.
  if (!(isWatch ? reply.raw.headersSent : reply.raw.writableFinished)) span.setAttribute('error.type', 'caller_left')
  else {
    span.setAttribute('http.response.status_code', reply.statusCode)
    if (failure) span.setAttribute('error.type', failure.code)
    if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}
