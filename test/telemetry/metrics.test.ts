import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import type { RequestRecord } from '../../src/telemetry/request-record.ts'
import { samplesOf } from '../harness/scrape.ts'

/** What changes by an event, of all that is ours. */
async function changedBy(event: (metrics: Metrics) => void): Promise<Record<string, number>> {
  const metrics = createMetrics()
  const before = samplesOf(await metrics.exposition())
  event(metrics)
  const after = samplesOf(await metrics.exposition())
  const changed = [...after].filter(
    ([name, value]) => name.startsWith('hilos_bff_') && value !== (before.get(name) ?? 0),
  )
  return Object.fromEntries(changed)
}

const hit: RequestRecord = {
  method: 'GET',
  route: '/execution-contacts/:id',
  status: 200,
  caller: { name: 'canary', profile: 'agent' },
  traceId: undefined,
  cache: { word: 'hit', detail: null, ageMs: 30_000, waitedMs: 0 },
  durationMs: 2.5,
  failure: null,
}
const buckets = (values: Record<string, number>, name: string) =>
  Object.keys(values).filter((key) => key.startsWith(`hilos_bff_${name}_bucket`)).length

t.test('an event, when told, changes what counts it, and nothing else', async (t) => {
  const events: readonly (readonly [(metrics: Metrics) => void, Record<string, number>])[] = [
    [({ unreadable }) => unreadable('headers_too_large'), { 'hilos_bff_problems_total{code="headers_too_large"}': 1 }],
    [({ connectionDropped }) => connectionDropped(), { hilos_bff_connections_dropped_total: 1 }],
    [({ requestShed }) => requestShed('memory'), { 'hilos_bff_requests_shed_total{reason="memory"}': 1 }],
    [({ turnRefused }) => turnRefused(), { hilos_bff_upstream_turns_refused_total: 1 }],
    [({ retry }) => retry(), { hilos_bff_upstream_retries_total: 1 }],
    [
      ({ pause }) => pause('upstream_unavailable'),
      { 'hilos_bff_circuit_breaker_pauses_total{code="upstream_unavailable"}': 1 },
    ],
    [
      ({ tokenRefused }) => tokenRefused('upstream_forbidden'),
      { 'hilos_bff_token_refusals_total{code="upstream_forbidden"}': 1 },
    ],
    [
      ({ fileChanged }) => fileChanged('CALLERS_FILE', 'refused'),
      { 'hilos_bff_file_changes_total{setting="CALLERS_FILE",outcome="refused"}': 1 },
    ],
  ]
  for (const [event, expected] of events) t.strictSame(await changedBy(event), expected)
})

t.test(
  'a hit, when it is over, is counted by route, status, profile and cache word, and timed in seconds',
  async (t) => {
    const changed = await changedBy(({ requestOver }) => requestOver(hit))
    const labels = 'route="/execution-contacts/:id"'
    t.equal(changed[`hilos_bff_requests_total{${labels},cache="hit",status="200",profile="agent"}`], 1)
    t.equal(changed[`hilos_bff_request_duration_seconds_sum{${labels},cache="hit"}`], 0.0025)
    t.equal(changed[`hilos_bff_request_duration_seconds_bucket{le="0.0025",${labels},cache="hit"}`], 1)
    t.notOk(`hilos_bff_request_duration_seconds_bucket{le="0.001",${labels},cache="hit"}` in changed)
    t.equal(changed.hilos_bff_cache_age_at_hit_seconds_sum, 30)
    t.equal(changed['hilos_bff_cache_age_at_hit_seconds_bucket{le="30"}'], 1)
    t.notOk('hilos_bff_cache_age_at_hit_seconds_bucket{le="10"}' in changed)
    t.notMatch(JSON.stringify(changed), /canary|problems|stale_answers/)
  },
)

t.test('a stale answer, when it is over, is counted by why, and its age only where nobody waited', async (t) => {
  for (const [word, detail, aged] of [
    ['hit', 'backing-off', true],
    ['stale', 'origin-slow', false],
  ] as const) {
    const cache = { word, detail, ageMs: 1000, waitedMs: 1 }
    const changed = await changedBy(({ requestOver }) => requestOver({ ...hit, cache }))
    t.equal(changed[`hilos_bff_cache_stale_answers_total{detail="${detail}"}`], 1)
    t.equal('hilos_bff_cache_age_at_hit_seconds_count' in changed, aged, word)
  }
})

t.test('a request, when nothing is known of it, or its caller has left, is counted as such', async (t) => {
  const unknown = { ...hit, route: null, caller: null, cache: null }
  const failure = new Failure('route_not_found')
  const lost = await changedBy(({ requestOver }) => requestOver({ ...unknown, status: 404, failure }))
  t.equal(lost['hilos_bff_requests_total{route="none",cache="none",status="404",profile="none"}'], 1)
  t.equal(lost['hilos_bff_problems_total{code="route_not_found"}'], 1)
  const left = await changedBy(({ requestOver }) => requestOver({ ...unknown, status: null }))
  t.equal(left['hilos_bff_requests_total{route="none",cache="none",status="499",profile="none"}'], 1)
  t.notMatch(JSON.stringify(left), /problems|age_at_hit/)
})

t.test('a call and the wait for its turn, when told, are timed in seconds', async (t) => {
  const call = await changedBy(({ call }) => call('found', 400))
  t.equal(call['hilos_bff_upstream_calls_total{outcome="found"}'], 1)
  t.equal(call.hilos_bff_upstream_call_duration_seconds_sum, 0.4)
  t.equal(buckets(call, 'upstream_call_duration_seconds'), 7, 'from 0.4 s up')
  const turn = await changedBy(({ turn }) => turn(1600))
  t.equal(turn.hilos_bff_upstream_turn_wait_seconds_sum, 1.6)
  t.equal(buckets(turn, 'upstream_turn_wait_seconds'), 4, 'from 1.6 s up')
})

t.test('what alerts look for, before it has ever happened, is there and 0', async (t) => {
  const samples = samplesOf(await createMetrics().exposition())
  for (const name of [
    'hilos_bff_token_refusals_total{code="upstream_unauthorized"}',
    'hilos_bff_token_refusals_total{code="upstream_forbidden"}',
    'hilos_bff_requests_shed_total{reason="event-loop-delay"}',
    'hilos_bff_requests_shed_total{reason="memory"}',
    'hilos_bff_connections_dropped_total',
    'hilos_bff_upstream_turns_refused_total',
  ])
    t.equal(samples.get(name), 0, name)
})

t.test('the process, from the first scrape on, says of itself what Node.js knows', async (t) => {
  const { exposition } = createMetrics()
  for (const _scrape of [1, 2]) {
    const text = await exposition()
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ])
      t.match(text, `\n${name} `)
  }
})

t.test('two services in one process, count for themselves', async (t) => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.retry()
  t.match(await one.exposition(), '\nhilos_bff_upstream_retries_total 1\n')
  t.match(await other.exposition(), '\nhilos_bff_upstream_retries_total 0\n')
})
