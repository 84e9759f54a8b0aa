import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { type Readings, readAtEachScrape } from './gauges.ts'
import type { RequestRecord } from './request-record.ts'

/** What is counted, a function for each event. Durations are given in milliseconds and exposed in seconds. */
export interface Metrics {
  /** A request is over. */
  readonly requestOver: (record: RequestRecord) => void
  /** Something was answered that could not be read as a request. */
  readonly unreadable: (code: string) => void
  /** A connection was not taken, because there are too many. */
  readonly connectionDropped: () => void
  /** A request was turned away to save the others. */
  readonly requestShed: (reason: ShedReason) => void
  /** A call to Hilos has got its turn. */
  readonly turn: (waitedMs: number) => void
  readonly turnRefused: () => void
  /** A call to Hilos is over: `found`, `absent`, or the code of a failure. */
  readonly call: (outcome: string, durationMs: number) => void
  readonly retry: () => void
  /** Calls to Hilos pause; `code` says why. */
  readonly pause: (code: string) => void
  /** Hilos refused a token; `code` says with what. */
  readonly tokenRefused: (code: string) => void
  /** A watched file changed, and its content is in use, or what was in use before still is. */
  readonly fileChanged: (setting: string, outcome: 'used' | 'refused') => void
  /** What is not counted but looked up, at each scrape, from now on. */
  readonly read: (readings: Readings) => void
  /** All of it in the text format of Prometheus. What Node.js says of itself is measured from the first time on. */
  readonly exposition: () => Promise<string>
  /** Media type of the exposition. */
  readonly contentType: string
}

const shedReasons = ['event-loop-delay', 'memory'] as const
export type ShedReason = (typeof shedReasons)[number]

/** As nginx writes down that the caller left before the answer. */
const statusOfTheLeft = 499
const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const callSeconds = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8]
const waitSeconds = [0.001, 0.01, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
const ageSeconds = [1, 3, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400]

/** Metrics of one service, none of them shared with another in the same process. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Counter({ name: `hilos_bff_${name}`, help, labelNames, registers })
  const histogram = <T extends string>(name: string, help: string, buckets: number[], ...labelNames: T[]) =>
    new Histogram({ name: `hilos_bff_${name}`, help, buckets, labelNames, registers })

  const requests = counter(
    'requests_total',
    'Requests of callers that are over; status 499 when the caller left before the answer.',
    ...['route', 'status', 'profile', 'cache'],
  )
  const requestDuration = histogram(
    'request_duration_seconds',
    'From the headers of a request to the end of its answer.',
    requestSeconds,
    ...['route', 'cache'],
  )
  const problems = counter('problems_total', 'Requests that were answered with a problem, by its code.', 'code')
  const drops = counter('connections_dropped_total', 'Connections not taken because there were too many.')
  const sheds = counter('requests_shed_total', 'Requests turned away to save the others.', 'reason')
  const staleAnswers = counter('cache_stale_answers_total', 'Stale answers, by why they were given.', 'detail')
  const ageAtHit = histogram('cache_age_at_hit_seconds', 'How old what was remembered was when served.', ageSeconds)
  const calls = counter('upstream_calls_total', 'Calls to Hilos that are over: found, absent, or a failure.', 'outcome')
  const callDuration = histogram('upstream_call_duration_seconds', 'From its turn to its last byte.', callSeconds)
  const turnWait = histogram('upstream_turn_wait_seconds', 'How long calls to Hilos waited for a turn.', waitSeconds)
  const turnRefusals = counter('upstream_turns_refused_total', 'Calls to Hilos that got no turn.')
  const retries = counter('upstream_retries_total', 'Calls to Hilos that were made once more.')
  const pauses = counter('circuit_breaker_pauses_total', 'How often calls to Hilos were stopped, by why.', 'code')
  const tokenRefusals = counter('token_refusals_total', 'Calls whose token Hilos refused, by the code.', 'code')
  const fileChanges = counter(
    'file_changes_total',
    'Changes of a watched file, by its setting and by whether the new content is used.',
    ...['setting', 'outcome'],
  )
  // What alerts look for must be there before it first happens.
  for (const code of ['upstream_unauthorized', 'upstream_forbidden']) tokenRefusals.inc({ code }, 0)
  for (const reason of shedReasons) sheds.inc({ reason }, 0)
  let readsProcess = false

  function requestOver({ route, status, caller, cache, durationMs, failure }: RequestRecord): void {
    const where = { route: route ?? 'none', cache: cache?.word ?? 'none' }
    requests.inc({ ...where, status: status ?? statusOfTheLeft, profile: caller?.profile ?? 'none' })
    requestDuration.observe(where, durationMs / 1000)
    if (failure) problems.inc({ code: failure.code })
    if (cache?.detail) staleAnswers.inc({ detail: cache.detail })
    if (cache?.word === 'hit') ageAtHit.observe(cache.ageMs / 1000)
  }

  return {
    requestOver,
    unreadable: (code) => problems.inc({ code }),
    connectionDropped: () => drops.inc(),
    requestShed: (reason) => sheds.inc({ reason }),
    turn: (waitedMs) => turnWait.observe(waitedMs / 1000),
    turnRefused: () => turnRefusals.inc(),
    call: (outcome, durationMs) => {
      calls.inc({ outcome })
      callDuration.observe(durationMs / 1000)
    },
    retry: () => retries.inc(),
    pause: (code) => pauses.inc({ code }),
    tokenRefused: (code) => tokenRefusals.inc({ code }),
    fileChanged: (setting, outcome) => fileChanges.inc({ setting, outcome }),
    read: (readings) => readAtEachScrape(registry, readings),
    exposition: () => {
      if (!readsProcess) collectDefaultMetrics({ register: registry })
      readsProcess = true
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}
