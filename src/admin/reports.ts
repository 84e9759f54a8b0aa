import type { FastifyInstance } from 'fastify'
import { count, nullableText, oneOf, text } from '../common/schema.ts'
import { Type } from '../common/type.ts'
import type { Readings } from '../telemetry/gauges.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { failuresOf, jsonResponse } from './openapi.ts'

export interface ReportRoutesOptions extends Pick<Readings, 'drift'> {
  readonly metrics: Pick<Metrics, 'exposition' | 'contentType'>
  readonly build: Readings['build'] & {
    /** When the process started, in the format of RFC 3339. */
    readonly startedAt: string
  }
}

const ContractSchema = Type.Object({
  since: Type.String({ format: 'date-time', description: 'When this process started to count.' }),
  drift: Type.Array(
    Type.Object({
      kind: oneOf(
        ['unknown_field', 'wrong_type', 'unknown_value'],
        'A field that the contract does not have, a value of another type, or a value that the contract does not list.',
      ),
      path: text('The place in the document, for example `execution_steps[].step.new_field`. It contains no values.'),
      count: count('How often the deviation occurred.'),
    }),
    { description: 'The deviations, most frequent first. Empty while all documents match the contract.' },
  ),
})

const VersionSchema = Type.Object({
  version: text('The version of this service, by Semantic Versioning.'),
  commit: nullableText('The commit of the build; null when it is unknown.'),
  node: text('The version of Node.js.'),
  startedAt: Type.String({ format: 'date-time', description: 'When this process started, UTC.' }),
})

const metricsSchema = {
  operationId: 'getMetrics',
  tags: ['Reports'],
  summary: 'Metrics',
  description: 'All metrics in the text format of Prometheus.',
  response: {
    200: { description: 'All metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...failuresOf('/metrics'),
  },
}

const contractSchema = {
  operationId: 'getContract',
  tags: ['Reports'],
  summary: 'How documents of Hilos deviate from the contract',
  description: 'Documents that deviate are still served, without the parts that could not be read.',
  response: {
    200: jsonResponse('The deviations since the start of the process.', ContractSchema),
    ...failuresOf('/contract'),
  },
}

const versionSchema = {
  operationId: 'getVersion',
  tags: ['Reports'],
  summary: 'The running version',
  response: {
    200: jsonResponse('The version, and the start of the process.', VersionSchema),
    ...failuresOf('/version'),
  },
}

/** `GET /metrics`, `GET /contract` and `GET /version`. */
export function reportRoutes(app: FastifyInstance, { metrics, drift, build }: ReportRoutesOptions): void {
  app.get('/metrics', { schema: metricsSchema }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.exposition()),
  )
  app.get('/contract', { schema: contractSchema }, (_request, reply) =>
    reply.send({ since: build.startedAt, drift: drift() }),
  )
  app.get('/version', { schema: versionSchema }, (_request, reply) => reply.send(build))
}
