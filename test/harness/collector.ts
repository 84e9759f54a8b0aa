import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A span as the collector received it, with its attributes as one object. */
export interface CollectedSpan extends Omit<SentSpan, 'attributes'> {
  readonly attributes: Readonly<Record<string, unknown>>
  /** The `service.name` of the sender. */
  readonly service: unknown
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
interface SentSpan {
  readonly name: string
  /** 2 for a server, 3 for a client. */
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: Attributes
  /** Code 2 means an error. */
  readonly status: { readonly code: number }
}

type Attributes = readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes }
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[]
  }[]
}

/** Receives spans by OTLP over HTTP, in JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp). */
export interface Collector {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string
  readonly spans: () => CollectedSpan[]
  /** All requests, as they were received. */
  readonly received: () => readonly string[]
  /** `accepting` at first. */
  readonly setMode: (mode: CollectorMode) => void
}

/** Whether it responds with success, not at all, or with a failure that the sender must not retry. */
export type CollectorMode = 'accepting' | 'hanging' | 'refusing'

/** Starts a collector on a free port of loopback, until the test ends. */
export async function createCollector(t: Test): Promise<Collector> {
  let mode: CollectorMode = 'accepting'
  const received: string[] = []
  const bodies: Sent[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    received.push(`${request.method} ${request.url} ${request.rawHeaders.join()} ${body}`)
    if (mode === 'hanging') return
    if (mode === 'refusing') return response.writeHead(400, 'reason-canary').end('"refusal-canary"')
    if (request.method === 'POST') bodies.push(JSON.parse(body))
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => bodies.flatMap(spansIn),
    received: () => received,
    setMode: (next) => {
      mode = next
    },
  }
}

function spansIn({ resourceSpans }: Sent): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        attributes: recordOf(span.attributes),
        service: recordOf(resource.attributes)['service.name'],
      })),
    ),
  )
}

function recordOf(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
