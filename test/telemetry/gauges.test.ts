import t from 'tap'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createSharedTierObserver } from '../../src/telemetry/shared-tier-observer.ts'
import { samplesOf } from '../harness/scrape.ts'
import { readings as first, store } from './readings.ts'

/** The metrics of this service that `registerGauges` adds. */
async function gaugesIn(exposition: Promise<string>): Promise<Record<string, number>> {
  const others = new Set(samplesOf(await createMetrics().exposition()).keys())
  const samples = [...samplesOf(await exposition)].filter(([name]) => !others.has(name))
  return Object.fromEntries(samples.map(([name, value]) => [name.replace('hilos_bff_', ''), value]))
}

t.test('each reading is exported under its name', async (t) => {
  const metrics = createMetrics()
  metrics.read(first)
  t.strictSame(await gaugesIn(metrics.exposition()), {
    'build_info{version="1.2.3",commit="unknown",node="v24.0.0"}': 1,
    ready: 1,
    draining: 0,
    requests_in_flight: 5,
    connections: 6,
    upstream_calls_in_flight: 7,
    upstream_calls_queued: 8,
    'circuit_breaker_state{state="closed"}': 0,
    'circuit_breaker_state{state="open"}': 0,
    'circuit_breaker_state{state="half-open"}': 1,
    'cache_entries{store="contacts"}': 1,
    'cache_bytes{store="contacts"}': 2,
    'cache_max_bytes{store="contacts"}': 3,
    'cache_evictions_total{store="contacts"}': 4,
    'cache_entries{store="ownAbsences"}': 9,
    'cache_bytes{store="ownAbsences"}': 10,
    'cache_max_bytes{store="ownAbsences"}': 11,
    'cache_evictions_total{store="ownAbsences"}': 12,
    'contract_drift_total{kind="unknown_field",path="contact.\\"x\\""}': 13,
    token_age_seconds: 14.5,
    'part_ok{part="hilosToken"}': 1,
    'part_ok{part="hilos"}': 0,
    'watchers{kind="stream"}': 17,
    'watchers{kind="poll"}': 18,
    watched_contacts: 19,
    watch_lateness_ratio: 20.5,
    shared_tier_attached: 1,
    shared_tier_replicas: 21,
    'log_lines_lost_total{kind="info"}': 15,
    'log_lines_lost_total{kind="warning"}': 16,
  })
})

t.test('the readings are taken again at each scrape, and a series that is gone is no longer exported', async (t) => {
  const metrics = createMetrics()
  let isFirst = true
  metrics.read({
    ...first,
    build: { ...first.build, commit: 'c0ffee1' },
    isReady: () => isFirst,
    isDraining: () => !isFirst,
    cache: () => (isFirst ? first.cache() : { contacts: { ...store, entries: 0, evictions: 5 } }),
    drift: () => (isFirst ? first.drift() : []),
    sharedTier: () => ({ ok: isFirst, replicas: 2 }),
  })
  await metrics.exposition()
  isFirst = false
  const gauges = await gaugesIn(metrics.exposition())
  t.match(gauges, {
    'build_info{version="1.2.3",commit="c0ffee1",node="v24.0.0"}': 1,
    ready: 0,
    draining: 1,
    shared_tier_attached: 0,
    shared_tier_replicas: 2,
    'cache_entries{store="contacts"}': 0,
    'cache_evictions_total{store="contacts"}': 5,
  })
  t.notMatch(Object.keys(gauges).join(), /ownAbsences|contract_drift_total/)
})

t.test('a service without a shared tier has no series of one', async (t) => {
  const metrics = createMetrics()
  metrics.read({ ...first, sharedTier: null })
  t.notMatch(await metrics.exposition(), 'shared_tier')
})

t.test('the names and units of our metrics follow the conventions of Prometheus', async (t) => {
  const metrics = createMetrics()
  metrics.read(first)
  createSharedTierObserver(metrics.registry, createLogger('silent', { write: () => {} }))
  const types = [...(await metrics.exposition()).matchAll(/^# TYPE hilos_bff_(\w+) (\w+)$/gm)]
  t.ok(types.length > 25)
  for (const [, name = '', type] of types) {
    t.equal(name.endsWith('_total'), type === 'counter', name)
    if (type === 'histogram') t.match(name, /_seconds$/)
    t.notMatch(name, /milli|_ms$|percent/)
  }
})
