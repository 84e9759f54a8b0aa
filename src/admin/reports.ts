import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { count, nullableText, oneOf, text } from '../common/schema.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { failuresOf } from './openapi.ts'

export interface ReportRoutesOptions {
  readonly metrics: Pick<Metrics, 'exposition' | 'contentType'>
  /** Most frequent first. */
  readonly drift: () => Static<typeof ContractSchema>['drift']
  readonly build: Static<typeof VersionSchema>
}

const ContractSchema = Type.Object({
  since: Type.String({ format: 'date-time', description: 'When this process started to count.' }),
  drift: Type.Array(
    Type.Object({
      kind: oneOf(
        ['unknown_field', 'wrong_type', 'unknown_value'],
        'A field nobody announced, a value of another type, or a word outside its list.',
      ),
      path: text('Where in a document, for example `execution_steps[].step.new_field`. Never a value.'),
      count: count('How often it was seen.'),
    }),
    { description: 'Most frequent first. Empty while all documents are as the contract has them.' },
  ),
})

const VersionSchema = Type.Object({
  version: text('Of this service, by Semantic Versioning.'),
  commit: nullableText('What it was built from; null where nobody said so.'),
  node: text('The version of Node.js.'),
  startedAt: Type.String({ format: 'date-time', description: 'When this process started, UTC.' }),
})

function json(path: string, description: string, schema: typeof ContractSchema | typeof VersionSchema) {
  return { 200: { description, content: { 'application/json': { schema } } }, ...failuresOf(path) }
}

const metricsSchema = {
  operationId: 'getMetrics',
  tags: ['Reports'],
  summary: 'Metrics',
  description: 'In the text format of Prometheus.',
  response: {
    200: { description: 'All metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...failuresOf('/metrics'),
  },
}

const contractSchema = {
  operationId: 'getContract',
  tags: ['Reports'],
  summary: 'How Hilos strays from its contract',
  description: 'All of it is served all the same, without what could not be read.',
  response: json('/contract', 'What was seen since the start.', ContractSchema),
}

const versionSchema = {
  operationId: 'getVersion',
  tags: ['Reports'],
  summary: 'What is running',
  response: json('/version', 'And since when.', VersionSchema),
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
