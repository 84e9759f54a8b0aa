import process, { env } from 'node:process'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { traceCalls } from './calls.ts'
import { traceRequests } from './requests.ts'

/** How long the last spans may take to leave when the service stops; what has not left by then is lost. */
const flushMs = 1000

// `node --import` this file, and every request makes a span. All of it is set by the usual OTEL_ variables.
if (env.OTEL_SDK_DISABLED !== 'true') startTracing()

function startTracing(): void {
  sayOnceThatSpansAreLost()
  const named = defaultResource().merge(resourceFromAttributes({ 'service.name': 'hilos-bff' }))
  const provider = new NodeTracerProvider({
    resource: named.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  })
  provider.register()
  const tracer = provider.getTracer('hilos-bff')
  const flush = async () => {
    const givingUp = new Promise<void>((resolve) => setTimeout(resolve, flushMs).unref())
    // A collector that is away must not keep the service from ending well.
    await Promise.race([provider.forceFlush().catch(() => {}), givingUp])
  }
  traceRequests(tracer, flush)
  traceCalls(tracer, env.OTEL_PROPAGATE_TO_UPSTREAM === 'true')
}

/** On stderr, because the log is JSON and the service's own. What went wrong is said in foreign words, so it is not repeated. */
function sayOnceThatSpansAreLost(): void {
  let said = false
  const say = () => {
    if (said) return
    said = true
    process.emitWarning('spans are lost: is OTEL_EXPORTER_OTLP_ENDPOINT right, and what else begins with OTEL_?')
  }
  diag.setLogger({ error: say, warn: say, info: say, debug: say, verbose: say }, DiagLogLevel.ERROR)
}
