import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { flag, nullable, oneOf } from '../common/schema.ts'
import { failuresOf } from './openapi.ts'

export interface HealthRoutesOptions {
  /** Where the service is on its way. */
  readonly state: () => Readiness['state']
  /** How each part is that can be well or not while the service runs; null where the settings do not ask for it. */
  readonly parts: () => Readonly<Record<string, PartStatus | null>>
}

/** How one part of the service is: facts without values that must not be seen. */
export interface PartStatus {
  readonly ok: boolean
  readonly [fact: string]: unknown
}

const PartStatusSchema = Type.Object(
  { ok: flag('Whether it is as the settings ask, and works; if not, the service goes on with what it has.') },
  { additionalProperties: true },
)

const ReadinessSchema = Type.Object({
  ready: flag('Whether new work is welcome.'),
  state: oneOf(['starting', 'serving', 'draining'], 'Only what is serving is ready.'),
  parts: Type.Record(Type.String(), nullable(PartStatusSchema), {
    description:
      'Told, but no reason to take the service out: an outage of Hilos would take out every replica. Null is a part that ' +
      'the settings do not ask for.',
  }),
})

type Readiness = Static<typeof ReadinessSchema>

const livenessSchema = {
  operationId: 'getLiveness',
  tags: ['Health'],
  summary: 'Whether the event loop turns',
  description: 'Whoever gets this answer knows. It says nothing of Hilos, nor of anything else.',
  response: {
    200: { description: 'It does.', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...failuresOf('/livez'),
  },
}

const readinessSchema = {
  operationId: 'getReadiness',
  tags: ['Health'],
  summary: 'Whether the service is fit for traffic',
  description: 'It is from when the callers’ listener is open until the end begins.',
  response: {
    200: { description: 'New work is welcome.', ...contentOf() },
    503: { description: 'Send new work elsewhere.', ...contentOf() },
    ...failuresOf('/readyz'),
  },
}

function contentOf() {
  return { content: { 'application/json': { schema: ReadinessSchema } } }
}

/** `GET /livez` and `GET /readyz`, for the probes of an orchestrator. */
export function healthRoutes(app: FastifyInstance, { state, parts }: HealthRoutesOptions): void {
  app.get('/livez', { schema: livenessSchema }, (_request, reply) => reply.type('text/plain').send('ok\n'))
  app.get('/readyz', { schema: readinessSchema }, (_request, reply) => {
    const ready = state() === 'serving'
    return reply.code(ready ? 200 : 503).send({ ready, state: state(), parts: parts() })
  })
}
