import process, { env } from 'node:process'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { traceCalls } from './calls.ts'
import { traceRequests } from './requests.ts'

/** How long the export of the last spans may take when the service stops. Spans that are not exported by then are lost. */
const flushMs = 1000

// Loaded with `node --import`, this file enables a span for every request. The usual OTEL_ variables configure it.
if (env.OTEL_SDK_DISABLED !== 'true') startTracing()

function startTracing(): void {
  warnOnceWhenSpansAreLost()
  const named = defaultResource().merge(resourceFromAttributes({ 'service.name': 'hilos-bff' }))
  const provider = new NodeTracerProvider({
    resource: named.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  })
  provider.register()
  const tracer = provider.getTracer('hilos-bff')
  const flush = async () => {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, flushMs).unref())
    // An unreachable collector must not prevent a normal stop of the service.
    await Promise.race([provider.forceFlush().catch(() => {}), timeout])
  }
  traceRequests(tracer, flush)
  traceCalls(tracer, env.OTEL_PROPAGATE_TO_UPSTREAM === 'true')
}

/**
 * Writes one warning to stderr, because the log is JSON and belongs to the service. The original message is third-party text, so
 * it is not included.
 */
function warnOnceWhenSpansAreLost(): void {
  let hasWarned = false
  const warnOnce = () => {
    if (hasWarned) return
    hasWarned = true
    process.emitWarning('spans are lost: check OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_ variables')
  }
  diag.setLogger(
    { error: warnOnce, warn: warnOnce, info: warnOnce, debug: warnOnce, verbose: warnOnce },
    DiagLogLevel.ERROR,
  )
}
