import type { FastifyInstance } from 'fastify'
import { flag, nullable, oneOf } from '../common/schema.ts'
import { Type } from '../common/type.ts'
import type { LifecycleState } from '../lifecycle/lifecycle.ts'
import type { Readings } from '../telemetry/gauges.ts'
import { failuresOf, jsonResponse } from './openapi.ts'

export interface HealthRoutesOptions {
  readonly state: () => LifecycleState
  /** The status of each part. It is shown with all its properties, so it must not contain a secret. */
  readonly parts: Readings['parts']
}

const PartStatusSchema = Type.Object(
  {
    ok: flag(
      'Whether the present content of its files is in use (`hilosToken`, `callersFile`, `cacheKeyFile`), Hilos answered the ' +
        'last call (`hilos`, with its time and outcome), no line is being lost (`log`), or the shared tier is attached (`sharedTier`). ' +
        'If not, the service continues with what it has.',
    ),
  },
  { additionalProperties: true },
)

const ReadinessSchema = Type.Object({
  ready: flag('Whether the service accepts new requests.'),
  state: oneOf(['starting', 'serving', 'draining'], 'The service is ready only in the state `serving`.'),
  parts: Type.Record(Type.String(), nullable(PartStatusSchema), {
    description:
      'The status of each part. It does not affect `ready`, because an outage of Hilos would then make every replica ' +
      'unready. A part that is not configured is null.',
  }),
})

const livenessSchema = {
  operationId: 'getLiveness',
  tags: ['Health'],
  summary: 'Whether the process works',
  description: 'A response shows that the event loop runs. It does not depend on Hilos or any other service.',
  response: {
    200: { description: 'The process works.', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...failuresOf('/livez'),
  },
}

const readinessSchema = {
  operationId: 'getReadiness',
  tags: ['Health'],
  summary: 'Whether the service accepts new requests',
  description: 'The service is ready from the moment its listeners are open until its shutdown begins.',
  response: {
    200: jsonResponse('The service accepts new requests.', ReadinessSchema),
    503: jsonResponse('Send new requests to another replica.', ReadinessSchema),
    ...failuresOf('/readyz'),
  },
}

/** `GET /livez` and `GET /readyz`, for the probes of an orchestrator. */
export function healthRoutes(app: FastifyInstance, { state, parts }: HealthRoutesOptions): void {
  app.get('/livez', { schema: livenessSchema }, (_request, reply) => reply.type('text/plain').send('ok\n'))
  app.get('/readyz', { schema: readinessSchema }, (_request, reply) => {
    const ready = state() === 'serving'
    return reply.code(ready ? 200 : 503).send({ ready, state: state(), parts: parts() })
  })
}
