import { Counter, collectDefaultMetrics, Registry } from 'prom-client'
import { cacheWord } from '../cache/cache-status.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import { isRation } from '../upstream/failures.ts'
import type { CallOutcome } from '../upstream/observer.ts'
import { type Readings, registerGauges } from './gauges.ts'
import { registerHistogram } from './histogram.ts'
import type { RequestRecord } from './request-record.ts'

/** The metrics, with one function per event. Durations are given in milliseconds and exported in seconds. */
export type Metrics = Readonly<ReturnType<typeof createMetrics>>

const shedReasons = ['event-loop-delay', 'memory', 'log'] as const
export type ShedReason = (typeof shedReasons)[number]

/** The status that nginx logs when the caller disconnected before the response. */
const clientClosedRequest = 499
const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const callSeconds = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8]
const waitSeconds = [0.001, 0.01, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
const streamSeconds = [1, 10, 60, 300, 900, 1800, 3600]
const ageSeconds = [1, 3, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400]

/** Creates the metrics in a registry of their own, so that two services in one process do not share them. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Counter({ name: `hilos_bff_${name}`, help, labelNames, registers })
  const histogram = (name: string, help: string, bounds: readonly number[]) =>
    registerHistogram(registry, `hilos_bff_${name}`, help, bounds)

  const requests = counter(
    'requests_total',
    'Requests of callers that have ended. Status 499: the caller disconnected before the response.',
    ...['route', 'status', 'profile', 'cache'],
  )
  const requestDuration = histogram(
    'request_duration_seconds',
    'Time from the headers of a request to the end of its response. Streams and held requests do not count.',
    requestSeconds,
  )
  const problems = counter('problems_total', 'Requests that were answered with a problem, by its code.', 'code')
  const drops = counter('connections_dropped_total', 'Connections that were not accepted because there were too many.')
  const sheds = counter('requests_shed_total', 'Requests rejected because the process was overloaded.', 'reason')
  const staleAnswers = counter('cache_stale_answers_total', 'Stale responses, by the reason.', 'detail')
  const rationed = counter(
    'requests_rationed_total',
    'Requests that got a stale response or a problem because our own limits left no call to Hilos.',
    'answer',
  )
  const ageAtHit = histogram('cache_age_at_hit_seconds', 'Age of cache entries when they were served.', ageSeconds)({})
  const statesSent = counter('states_sent_total', 'States sent on streams.')
  const streamDuration = histogram('stream_seconds', 'Time from the start of a stream to its end.', streamSeconds)({})
  const calls = counter('upstream_calls_total', 'Calls to Hilos that have ended, by outcome.', 'outcome')
  const callDuration = histogram(
    'upstream_call_duration_seconds',
    'Time of a call to Hilos from its slot to the last byte.',
    callSeconds,
  )({})
  const slotWait = histogram(
    'upstream_slot_wait_seconds',
    'Time that calls to Hilos waited for a slot.',
    waitSeconds,
  )({})
  const slotRefusals = counter('upstream_slots_refused_total', 'Calls to Hilos that got no slot.')
  const retries = counter('upstream_retries_total', 'Calls to Hilos that were retried.')
  const openings = counter('circuit_breaker_openings_total', 'Openings of the circuit breaker, by the reason.', 'code')
  const tokenRefusals = counter('token_refusals_total', 'Calls with a token that Hilos refused, by the code.', 'code')
  const fileChanges = counter(
    'file_changes_total',
    'Changes of watched files, by setting and by whether the new content is in use.',
    ...['setting', 'outcome'],
  )
  // An alert needs its series to exist before the first event.
  for (const code of ['upstream_unauthorized', 'upstream_forbidden']) tokenRefusals.inc({ code }, 0)
  for (const answer of ['stale', 'problem']) rationed.inc({ answer }, 0)
  for (const reason of shedReasons) sheds.inc({ reason }, 0)
  let collectsProcess = false

  const beginTally = (route: string, cache: string, status: number, profile: string, isWatch: boolean) => ({
    labels: { route, cache, status, profile },
    /** Requests that the counter does not know yet. */
    uncounted: 0,
    observeSeconds: isWatch ? null : requestDuration({ route, cache }),
  })
  /** The requests with the same labels, which prom-client would look up for each. */
  const tallies = new Map<string, ReturnType<typeof beginTally>>()

  function requestOver({ route, status, caller, cache, durationMs, isWatch, failure }: RequestRecord): void {
    const word = cache ? cacheWord(cache) : 'none'
    const key = `${route} ${word} ${status} ${caller?.profile} ${isWatch}`
    const tally =
      tallies.get(key) ??
      beginTally(route ?? 'none', word, status ?? clientClosedRequest, caller?.profile ?? 'none', isWatch)
    tallies.set(key, tally)
    tally.uncounted += 1
    tally.observeSeconds?.(durationMs / 1000)
    if (failure) problems.inc({ code: failure.code })
    if (cache?.detail) staleAnswers.inc({ detail: cache.detail })
    if (cache?.detail === 'rationed' || isRation(failure)) rationed.inc({ answer: failure ? 'problem' : 'stale' })
    if (cache?.fwd === null) ageAtHit(cache.ageMs / 1000)
  }

  return {
    /** For the metrics of parts that only some services have. */
    registry,
    requestOver,
    /** A malformed request, or an item of a response that has several, was answered with a problem. */
    problemSent: (code: FailureCode) => problems.inc({ code }),
    /** A connection was not accepted, because there are too many. */
    connectionDropped: () => drops.inc(),
    /** A stream has sent a state. */
    stateSent: () => statesSent.inc(),
    streamOver: (durationMs: number) => streamDuration(durationMs / 1000),
    requestShed: (reason: ShedReason) => sheds.inc({ reason }),
    /** A call to Hilos has got a slot. */
    slotGranted: (waitedMs: number) => slotWait(waitedMs / 1000),
    slotRefused: () => slotRefusals.inc(),
    callEnded: (outcome: CallOutcome, durationMs: number) => {
      calls.inc({ outcome })
      callDuration(durationMs / 1000)
    },
    callRetried: () => retries.inc(),
    circuitOpened: (code: FailureCode) => openings.inc({ code }),
    /** Hilos refused a token. */
    tokenRefused: (code: FailureCode) => tokenRefusals.inc({ code }),
    /** A watched file changed. Its content is in use, or it is invalid and the previous content stays in use. */
    fileChanged: (setting: string, outcome: 'used' | 'refused') => fileChanges.inc({ setting, outcome }),
    /** From now on these readings are taken at each scrape. */
    read: (readings: Readings) => registerGauges(registry, readings),
    /** All metrics in the text format of Prometheus. The metrics of Node.js are collected from the first call on. */
    exposition: () => {
      for (const tally of tallies.values()) {
        requests.inc(tally.labels, tally.uncounted)
        tally.uncounted = 0
      }
      if (!collectsProcess) collectDefaultMetrics({ register: registry })
      collectsProcess = true
      return registry.metrics()
    },
    /** The media type of the exposition. */
    contentType: registry.contentType,
  }
}
