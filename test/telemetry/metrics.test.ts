import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import type { RequestRecord } from '../../src/telemetry/request-record.ts'
import { samplesOf } from '../harness/scrape.ts'

/** The samples of this service that an event changes. */
async function changedBy(event: (metrics: Metrics) => void): Promise<Record<string, number>> {
  const metrics = createMetrics()
  const before = samplesOf(await metrics.exposition())
  event(metrics)
  const samples = [...samplesOf(await metrics.exposition())].filter(([name]) => name.startsWith('hilos_bff_'))
  return Object.fromEntries(samples.filter(([name, value]) => value !== (before.get(name) ?? 0)))
}

const hit: RequestRecord = {
  requestId: 'canary',
  method: 'GET',
  route: '/execution-contacts/:id',
  status: 200,
  caller: { name: 'canary', profile: 'agent' },
  traceId: undefined,
  cache: {
    ...{ fwd: null, stored: false, collapsed: false, detail: null, reloadDenied: true },
    ...{ ageMs: 30_000, waitedMs: 0 },
  },
  durationMs: 2.5,
  isWatch: false,
  failure: null,
}

t.test('each event changes its counter and no other', async (t) => {
  const events: readonly (readonly [(metrics: Metrics) => void, string])[] = [
    [({ problemSent }) => problemSent('headers_too_large'), 'problems_total{code="headers_too_large"}'],
    [({ connectionDropped }) => connectionDropped(), 'connections_dropped_total'],
    [({ requestShed }) => requestShed('memory'), 'requests_shed_total{reason="memory"}'],
    [({ stateSent }) => stateSent(), 'states_sent_total'],
    [({ slotRefused }) => slotRefused(), 'upstream_slots_refused_total'],
    [({ callRetried }) => callRetried(), 'upstream_retries_total'],
    [({ circuitOpened }) => circuitOpened('overloaded'), 'circuit_breaker_openings_total{code="overloaded"}'],
    [({ tokenRefused }) => tokenRefused('upstream_forbidden'), 'token_refusals_total{code="upstream_forbidden"}'],
    [({ fileChanged }) => fileChanged('X', 'refused'), 'file_changes_total{setting="X",outcome="refused"}'],
  ]
  for (const [event, name] of events) t.strictSame(await changedBy(event), { [`hilos_bff_${name}`]: 1 })
})

t.test('a hit is counted by route, status, profile and cache word, with its seconds', async (t) => {
  const changed = await changedBy(({ requestOver }) => requestOver(hit))
  const labels = 'route="/execution-contacts/:id"'
  t.match(changed, {
    [`hilos_bff_requests_total{${labels},cache="hit",status="200",profile="agent"}`]: 1,
    [`hilos_bff_request_duration_seconds_sum{${labels},cache="hit"}`]: 0.0025,
    [`hilos_bff_request_duration_seconds_bucket{le="0.0025",${labels},cache="hit"}`]: 1,
    hilos_bff_cache_age_at_hit_seconds_sum: 30,
    'hilos_bff_cache_age_at_hit_seconds_bucket{le="30"}': 1,
  })
  t.notMatch(
    Object.keys(changed).join(),
    /le="0\.001"|age_at_hit_seconds_bucket\{le="10"|canary|problems|stale_answers/,
  )
})

t.test('a watch is counted, with the age of what it read first, but it has no duration', async (t) => {
  const changed = await changedBy(({ requestOver }) => requestOver({ ...hit, isWatch: true }))
  t.equal(
    changed['hilos_bff_requests_total{route="/execution-contacts/:id",cache="hit",status="200",profile="agent"}'],
    1,
  )
  t.equal(changed.hilos_bff_cache_age_at_hit_seconds_sum, 30)
  t.notMatch(Object.keys(changed).join(), 'duration')
})

t.test('a stale response is counted by its reason, and its age only if no load was awaited', async (t) => {
  for (const [fwd, detail] of [
    [null, 'backing-off'],
    ['stale', 'origin-slow'],
  ] as const) {
    const cache = { fwd, detail, stored: false, collapsed: false, reloadDenied: false, ageMs: 1000, waitedMs: 1 }
    const changed = await changedBy(({ requestOver }) => requestOver({ ...hit, cache }))
    t.equal(changed[`hilos_bff_cache_stale_answers_total{detail="${detail}"}`], 1)
    t.equal('hilos_bff_cache_age_at_hit_seconds_count' in changed, fwd === null, detail)
  }
})

t.test('a request without a route, a caller or a response has labels that say so', async (t) => {
  const unknown = { ...hit, route: null, caller: null, cache: null }
  for (const [status, failure, counted] of [
    [404, new Failure('route_not_found'), 404],
    [null, null, 499],
  ] as const) {
    const changed = await changedBy(({ requestOver }) => requestOver({ ...unknown, status, failure }))
    t.equal(changed[`hilos_bff_requests_total{route="none",cache="none",status="${counted}",profile="none"}`], 1)
    t.equal(changed['hilos_bff_problems_total{code="route_not_found"}'], failure ? 1 : undefined)
    t.notMatch(Object.keys(changed).join(), 'age_at_hit')
  }
})

t.test('a call, its wait for a slot and a stream are measured in seconds', async (t) => {
  const bucketsIn = (changed: object) => Object.keys(changed).filter((name) => name.includes('_bucket')).length
  const call = await changedBy(({ callEnded }) => callEnded('found', 400))
  t.equal(call['hilos_bff_upstream_calls_total{outcome="found"}'], 1)
  t.equal(call.hilos_bff_upstream_call_duration_seconds_sum, 0.4)
  t.equal(bucketsIn(call), 7, 'from 0.4 s up')
  const wait = await changedBy(({ slotGranted }) => slotGranted(1600))
  t.equal(wait.hilos_bff_upstream_slot_wait_seconds_sum, 1.6)
  t.equal(bucketsIn(wait), 4, 'from 1.6 s up')
  const stream = await changedBy(({ streamOver }) => streamOver(1_800_000))
  t.equal(stream.hilos_bff_stream_seconds_sum, 1800)
  t.equal(bucketsIn(stream), 3, 'from 30 minutes up')
})

t.test('the series of alerts exist before their first event', async (t) => {
  const samples = samplesOf(await createMetrics().exposition())
  for (const name of [
    'token_refusals_total{code="upstream_unauthorized"}',
    'token_refusals_total{code="upstream_forbidden"}',
    'requests_shed_total{reason="event-loop-delay"}',
    'requests_shed_total{reason="memory"}',
    'connections_dropped_total',
    'upstream_slots_refused_total',
    'requests_rationed_total{answer="stale"}',
    'requests_rationed_total{answer="problem"}',
  ])
    t.equal(samples.get(`hilos_bff_${name}`), 0, name)
})

t.test('each scrape has the metrics of Node.js', async (t) => {
  const { exposition } = createMetrics()
  for (const text of [await exposition(), await exposition()])
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ])
      t.match(text, `\n${name} `)
})
