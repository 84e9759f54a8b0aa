import { Counter, Gauge, type Registry } from 'prom-client'

/** What is not counted here but looked up at each scrape, from the parts that know it. */
export interface Readings {
  readonly build: { readonly version: string; readonly commit: string | null; readonly node: string }
  readonly isReady: () => boolean
  readonly isDraining: () => boolean
  readonly requestsInFlight: () => number
  /** Connections of callers that are open. */
  readonly connections: () => Promise<number>
  readonly hilos: () => {
    readonly circuitBreaker: (typeof circuitStates)[number]
    readonly callsInFlight: number
    readonly callsQueued: number
  }
  /** By the name of the store. */
  readonly cache: () => Readonly<Record<string, StoreReading>>
  readonly drift: () => readonly { readonly kind: string; readonly path: string; readonly count: number }[]
  /** For how long the Hilos token in use has been, in milliseconds. */
  readonly tokenAgeMs: () => number
  /** Whether what the settings ask for is in use, by part; null where they ask for nothing. */
  readonly parts: () => Readonly<Record<string, { readonly ok: boolean } | null>>
}

export interface StoreReading {
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number
  /** Since the start. */
  readonly evictions: number
}

const circuitStates = ['closed', 'open', 'half-open'] as const

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]
type Samples = readonly Sample[]

/** Registers gauges, and counters that other parts keep, whose values are looked up when somebody asks for them. */
export function readAtEachScrape(registry: Registry, readings: Readings): void {
  const { build, hilos, cache } = readings

  function register(
    Kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    labelNames: string[],
    samples: () => Samples | Promise<Samples>,
  ) {
    const metric = new Kind({
      name: `hilos_bff_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect: async () => {
        const read = await samples()
        metric.reset()
        for (const [labels, value] of read) metric.inc(labels, value)
      },
    })
  }
  const number = (name: string, help: string, value: () => number | Promise<number>) =>
    register(Gauge, name, help, [], async () => [[{}, await value()]])
  const byStore = (
    Kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    figureOf: (store: StoreReading) => number,
  ) =>
    register(Kind, name, help, ['store'], () =>
      Object.entries(cache()).map(([store, reading]) => [{ store }, figureOf(reading)]),
    )

  register(Gauge, 'build_info', 'What is running, as labels.', ['version', 'commit', 'node'], () => [
    [{ ...build, commit: build.commit ?? 'unknown' }, 1],
  ])
  number('ready', 'Whether new work is welcome: 1 or 0.', () => Number(readings.isReady()))
  number('draining', 'Whether the end has begun: 1 or 0.', () => Number(readings.isDraining()))
  number('requests_in_flight', 'Requests of callers that are not over.', readings.requestsInFlight)
  number('connections', 'Open connections of callers.', readings.connections)
  number('upstream_calls_in_flight', 'Calls to Hilos under way.', () => hilos().callsInFlight)
  number('upstream_calls_queued', 'Calls to Hilos that wait for their turn.', () => hilos().callsQueued)
  register(Gauge, 'circuit_breaker_state', 'Whether calls to Hilos are made: 1 for the present state.', ['state'], () =>
    circuitStates.map((state) => [{ state }, Number(state === hilos().circuitBreaker)]),
  )
  byStore(Gauge, 'cache_entries', 'What is remembered.', ({ entries }) => entries)
  byStore(Gauge, 'cache_bytes', 'Memory it takes, with overhead.', ({ bytes }) => bytes)
  byStore(Gauge, 'cache_max_bytes', 'Memory it may take.', ({ maxBytes }) => maxBytes)
  byStore(Counter, 'cache_evictions_total', 'What had to make room for others.', ({ evictions }) => evictions)
  register(Counter, 'contract_drift_total', 'How often a Hilos document strayed, by place.', ['kind', 'path'], () =>
    readings.drift().map(({ kind, path, count }) => [{ kind, path }, count]),
  )
  number('token_age_seconds', 'For how long this process has used its Hilos token.', () => readings.tokenAgeMs() / 1000)
  register(Gauge, 'part_ok', 'Whether what the settings ask for is in use: 1 or 0.', ['part'], () =>
    Object.entries(readings.parts()).flatMap(([part, status]) =>
      status ? [[{ part }, Number(status.ok)] as const] : [],
    ),
  )
}
