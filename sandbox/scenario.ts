import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type Fault, faults, status } from './faults.ts'

/** How all of the sandbox Hilos can be; what that means for its documents stands below. */
export const weathers = ['fine', 'slow', 'limited', 'wrong', 'away'] as const
export type Weather = (typeof weathers)[number]

/** What goes out in the place of documents, in turn; with nothing here, they do. */
const faultsIn: Readonly<Record<Weather, readonly Fault[]>> = {
  fine: [],
  slow: [],
  limited: [status(429, { 'retry-after': '5' })],
  wrong: [faults.invalidJson, faults.html, faults.broken],
  away: [faults.reset],
}

export interface Sky {
  readonly weather: () => Weather
  readonly setWeather: (weather: Weather) => void
  /** What answers the next request instead of a document, if anything does. In slow weather, late. */
  readonly nextFault: () => Promise<Fault | undefined>
}

export interface SkyOptions {
  /** How long slow weather holds up an answer, in milliseconds. */
  readonly slowMs: number
  /** Aborted when the sandbox closes. */
  readonly closing: AbortSignal
}

/** The weather over the sandbox, fine at first. */
export function createSky({ slowMs, closing }: SkyOptions): Sky {
  let weather: Weather = 'fine'
  let turn = 0

  return {
    weather: () => weather,
    setWeather: (next) => {
      weather = next
      turn = 0
    },
    nextFault: async () => {
      const inTurn = faultsIn[weather]
      const fault = inTurn.at(turn % inTurn.length)
      turn += 1
      if (weather === 'slow') await sleep(slowMs, undefined, { signal: closing, ref: false })
      return fault
    },
  }
}

/** `GET /weather` and `PUT /weather/{name}`, for whoever has only curl. */
export function weatherRoutes(app: FastifyInstance, { weather, setWeather }: Sky): void {
  app.get('/weather', (_request, reply) => reply.type('text/plain').send(weather()))
  app.put<{ Params: { name: string } }>('/weather/:name', (request, reply) => {
    const known = weathers.find((name) => name === request.params.name)
    if (known === undefined) return reply.code(404).send({ detail: `There is ${weathers.join(', ')}.` })
    setWeather(known)
    return reply.code(204).send()
  })
}
