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
 * Makes a span of every request of the callers', and of none of the operators', such as their probes. It has the method,
 * the route, the status and the code of the failure: no path, no query, no header, no error's words.
 * @param flush sends what is left; waited for when the server closes
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
  // Only the trace is taken over: the state and the baggage beside it are the callers' own words.
  const caller = propagation.extract(ROOT_CONTEXT, { traceparent: headers.traceparent })
  const span = tracer.startSpan(
    route === undefined ? method : `${method} ${route}`,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': route } },
    caller,
  )
  const own = trace.setSpan(caller, span)
  // From here on the request looks as if the caller had sent that, so the log names the trace, whoever began it.
  propagation.inject(own, headers)
  reply.raw.once('close', () => endSpan(span, request, reply))
  context.with(own, done)
}

function endSpan(span: Span, request: FastifyRequest, reply: FastifyReply): void {
  const { failure } = request as { readonly failure?: { readonly code: string } | null }
  if (!reply.raw.writableFinished) span.setAttribute('error.type', 'caller_left')
  else {
    span.setAttribute('http.response.status_code', reply.statusCode)
    if (failure) span.setAttribute('error.type', failure.code)
    if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}
