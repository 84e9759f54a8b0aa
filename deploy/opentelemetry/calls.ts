import { subscribe } from 'node:diagnostics_channel'
import { context, propagation, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'

/** The part of undici's diagnostics message that is used here (https://undici.nodejs.org/#/docs/api/DiagnosticsChannel.md). */
interface Call {
  readonly origin: string | URL
  readonly path: string
  readonly method: string
  readonly addHeader: (name: string, value: string) => void
}

/** Matches the path of a contact, without its id. */
const contactPath = /^.*\/flow-execution-contact\/(?=[^/]+$)/

/**
 * Creates a span for every call to Hilos and to the issuer of access tokens. Its attributes are the method, the server, the
 * status and the type of error. It never contains an id, a query, a header or an error message.
 * @param propagates whether calls to Hilos carry the trace in `traceparent`
 */
export function traceCalls(tracer: Tracer, propagates: boolean): void {
  const spans = new WeakMap<object, Span>()
  const on = <T>(event: string, handle: (span: Span | undefined, message: T) => void) =>
    subscribe(`undici:${event}`, (message) => handle(spans.get((message as { request: object }).request), message as T))

  on<{ request: Call }>('request:create', (_none, { request }) => {
    const template = contactPath.exec(request.path)?.[0]
    const span = tracer.startSpan(nameOf(request, template), {
      kind: SpanKind.CLIENT,
      attributes: attributesOf(request, template),
    })
    spans.set(request, span)
    if (propagates && template !== undefined) {
      const carrier: Record<string, string> = {}
      propagation.inject(trace.setSpan(context.active(), span), carrier)
      for (const [name, value] of Object.entries(carrier)) request.addHeader(name, value)
    }
  })
  on<{ response: { readonly statusCode: number } }>('request:headers', (span, { response: { statusCode } }) => {
    span?.setAttribute('http.response.status_code', statusCode)
    // 404 means that Hilos has no such contact, which is not an error.
    if (statusCode >= 400 && statusCode !== 404) fail(span, String(statusCode))
  })
  on('request:trailers', (span) => span?.end())
  on<{ error: Error & { readonly code?: unknown } }>('request:error', (span, { error }) => {
    fail(span, typeof error.code === 'string' ? error.code : error.name)
    span?.end()
  })
}

function nameOf({ method }: Call, template: string | undefined): string {
  return template === undefined ? method : `${method} ${template}{id}`
}

function attributesOf({ method, origin }: Call, template: string | undefined) {
  const { hostname, port } = new URL(origin)
  return {
    'http.request.method': method,
    'server.address': hostname,
    'server.port': port === '' ? undefined : Number(port),
    'url.template': template && `${template}{id}`,
  }
}

function fail(span: Span | undefined, kind: string): void {
  span?.setAttribute('error.type', kind)
  span?.setStatus({ code: SpanStatusCode.ERROR })
}
