import { Counter, Gauge, type Registry } from 'prom-client'
import type { StoreUsage } from '../cache/store.ts'
import type { DriftCount } from '../upstream/document/drift.ts'
import type { HilosHealth } from '../upstream/hilos.ts'

/** Values that are read from other parts of the service at each scrape. */
export interface Readings {
  readonly build: { readonly version: string; readonly commit: string | null; readonly node: string }
  readonly isReady: () => boolean
  readonly isDraining: () => boolean
  readonly requestsInFlight: () => number
  /** Open connections of callers. */
  readonly connections: () => Promise<number>
  readonly hilos: () => Pick<HilosHealth, 'circuitBreaker' | 'callsInFlight' | 'callsQueued'>
  /** By the name of the store. */
  readonly cache: () => Readonly<Record<string, StoreUsage>>
  readonly drift: () => readonly DriftCount[]
  /** How long the Hilos token has been in use, in milliseconds. */
  readonly tokenAgeMs: () => number
  /** Whether each part works as the settings say; null for a part that is not configured. */
  readonly parts: () => Readonly<Record<string, { readonly ok: boolean } | null>>
  /** Streams and held requests, the contacts that they watch, and how late the latest of these is. */
  readonly watching: () => {
    readonly streams: number
    readonly polls: number
    readonly contacts: number
    readonly lateness: number
  }
  /** Null without a shared tier, which then has no series. */
  readonly sharedTier: (() => { readonly ok: boolean; readonly replicas: number }) | null
  /** Since the start, by kind. */
  readonly logLinesLost: () => Readonly<Record<string, number>>
}

const circuitStates: readonly HilosHealth['circuitBreaker'][] = ['closed', 'open', 'half-open']

type Samples = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]
type MetricKind = typeof Gauge | typeof Counter

/** Registers the gauges, and the counters of other parts, with values that are read at each scrape. */
export function registerGauges(registry: Registry, readings: Readings): void {
  const { build, hilos, cache, sharedTier } = readings

  function register(
    Kind: MetricKind,
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
  const gauge = (name: string, help: string, value: () => number | Promise<number>) =>
    register(Gauge, name, help, [], async () => [[{}, await value()]])
  const byStore = (Kind: MetricKind, name: string, help: string, read: (usage: StoreUsage) => number) =>
    register(Kind, name, help, ['store'], () =>
      Object.entries(cache()).map(([store, usage]) => [{ store }, read(usage)]),
    )

  register(Gauge, 'build_info', 'The running version, as labels.', ['version', 'commit', 'node'], () => [
    [{ ...build, commit: build.commit ?? 'unknown' }, 1],
  ])
  gauge('ready', '1 while the service accepts new requests, else 0.', () => Number(readings.isReady()))
  gauge('draining', '1 while the service shuts down, else 0.', () => Number(readings.isDraining()))
  gauge('requests_in_flight', 'Requests of callers that have not ended.', readings.requestsInFlight)
  gauge('connections', 'Open connections of callers.', readings.connections)
  register(Gauge, 'watchers', 'Streams, and requests that are held until something changes.', ['kind'], () => {
    const { streams, polls } = readings.watching()
    return [
      [{ kind: 'stream' }, streams],
      [{ kind: 'poll' }, polls],
    ]
  })
  gauge('watched_contacts', 'Contacts that are watched.', () => readings.watching().contacts)
  gauge(
    'watch_lateness_ratio',
    'Time since the latest watched contact was asked about, divided by the time after which it should be.',
    () => readings.watching().lateness,
  )
  gauge('upstream_calls_in_flight', 'Calls to Hilos that have not ended.', () => hilos().callsInFlight)
  gauge('upstream_calls_queued', 'Calls to Hilos that wait for a slot.', () => hilos().callsQueued)
  register(Gauge, 'circuit_breaker_state', '1 for the present state of the circuit breaker, else 0.', ['state'], () =>
    circuitStates.map((state) => [{ state }, Number(state === hilos().circuitBreaker)]),
  )
  byStore(Gauge, 'cache_entries', 'Entries in each store.', ({ entries }) => entries)
  byStore(Gauge, 'cache_bytes', 'Memory that the entries take, with overhead.', ({ bytes }) => bytes)
  byStore(Gauge, 'cache_max_bytes', 'Memory that the entries may take.', ({ maxBytes }) => maxBytes)
  byStore(Counter, 'cache_evictions_total', 'Entries removed to make room for others.', ({ evictions }) => evictions)
  register(Counter, 'contract_drift_total', 'Deviations of documents from the contract.', ['kind', 'path'], () =>
    readings.drift().map(({ kind, path, count }) => [{ kind, path }, count]),
  )
  gauge(
    'token_age_seconds',
    'How long this process has used its present Hilos token.',
    () => readings.tokenAgeMs() / 1000,
  )
  if (sharedTier) {
    gauge('shared_tier_attached', '1 while the shared tier is attached, else 0.', () => Number(sharedTier().ok))
    gauge('shared_tier_replicas', 'Replicas, as far as this one knows.', () => sharedTier().replicas)
  }
  register(Gauge, 'part_ok', '1 for each part that works as the settings say, else 0.', ['part'], () =>
    Object.entries(readings.parts()).flatMap(([part, status]) =>
      status ? [[{ part }, Number(status.ok)] as const] : [],
    ),
  )
  register(
    Counter,
    'log_lines_lost_total',
    'Lines of the log that were lost before they could be written.',
    ['kind'],
    () => Object.entries(readings.logLinesLost()).map(([kind, count]) => [{ kind }, count]),
  )
}
