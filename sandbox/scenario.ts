import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type Fault, faults, status } from './faults.ts'

interface State {
  /** What Hilos does, as a sentence without a full stop. */
  readonly text: string
  /** Sent in turn instead of documents; with none, documents are sent. */
  readonly inTurn: readonly Fault[]
}

/** The states of the sandbox Hilos as a whole. */
const states = {
  healthy: { text: 'Sends every document at once', inTurn: [] },
  slow: { text: 'Sends every document after 2 s', inTurn: [] },
  'rate-limited': { text: 'Asks for a pause of 5 s', inTurn: [status(429, { 'retry-after': '5' })] },
  malformed: {
    text: 'Sends invalid JSON, an HTML page and a 500 in turn',
    inTurn: [faults.invalidJson.send, faults.html.send, faults.broken.send],
  },
  down: { text: 'Resets every connection', inTurn: [faults.reset.send] },
} satisfies Record<string, State>

export type Scenario = keyof typeof states
export const scenarios = Object.keys(states) as readonly Scenario[]

export function isScenario(text: string): text is Scenario {
  return Object.hasOwn(states, text)
}

/** What Hilos does in each scenario. */
export const scenarioTexts = scenarios.map((name) => ({ name, text: states[name].text }))

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
      const { inTurn }: State = states[scenario]
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
    const { name } = request.params
    if (!isScenario(name)) return reply.code(404).send({ detail: `The scenarios are ${scenarios.join(', ')}.` })
    setScenario(name)
    return reply.code(204).send()
  })
}
