import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type Fault, faults, status } from './faults.ts'

/** The states of the sandbox Hilos as a whole. */
export const scenarios = ['healthy', 'slow', 'rate-limited', 'malformed', 'down'] as const
export type Scenario = (typeof scenarios)[number]

/** The faults that are sent in turn instead of documents; with none, documents are sent. */
const faultsOf: Readonly<Record<Scenario, readonly Fault[]>> = {
  healthy: [],
  slow: [],
  'rate-limited': [status(429, { 'retry-after': '5' })],
  malformed: [faults.invalidJson, faults.html, faults.broken],
  down: [faults.reset],
}

export interface ScenarioControl {
  readonly scenario: () => Scenario
  readonly setScenario: (scenario: Scenario) => void
  /** The fault that answers the next request, if any. In the scenario `slow` it resolves late. */
  readonly nextFault: () => Promise<Fault | undefined>
}

export interface ScenarioOptions {
  /** How long the scenario `slow` delays a response, in milliseconds. */
  readonly slowMs: number
  /** Aborted when the sandbox closes. */
  readonly closing: AbortSignal
}

/** Starts with the scenario `healthy`. */
export function createScenarioControl({ slowMs, closing }: ScenarioOptions): ScenarioControl {
  let scenario: Scenario = 'healthy'
  let requests = 0

  return {
    scenario: () => scenario,
    setScenario: (next) => {
      scenario = next
      requests = 0
    },
    nextFault: async () => {
      const inTurn = faultsOf[scenario]
      const fault = inTurn.at(requests % inTurn.length)
      requests += 1
      if (scenario === 'slow') await sleep(slowMs, undefined, { signal: closing, ref: false })
      return fault
    },
  }
}

/** `GET /scenario` and `PUT /scenario/{name}`, to be used with curl. */
export function scenarioRoutes(app: FastifyInstance, { scenario, setScenario }: ScenarioControl): void {
  app.get('/scenario', (_request, reply) => reply.type('text/plain').send(scenario()))
  app.put<{ Params: { name: string } }>('/scenario/:name', (request, reply) => {
    const known = scenarios.find((name) => name === request.params.name)
    if (known === undefined) return reply.code(404).send({ detail: `The scenarios are ${scenarios.join(', ')}.` })
    setScenario(known)
    return reply.code(204).send()
  })
}
