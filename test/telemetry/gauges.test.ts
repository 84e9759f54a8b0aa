import t from 'tap'
import type { Readings } from '../../src/telemetry/gauges.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { samplesOf } from '../harness/scrape.ts'

const store = { entries: 1, bytes: 2, maxBytes: 3, evictions: 4 }
const atFirst: Readings = {
  build: { version: '1.2.3', commit: null, node: 'v24.0.0' },
  isReady: () => true,
  isDraining: () => false,
  requestsInFlight: () => 5,
  connections: async () => 6,
  hilos: () => ({ circuitBreaker: 'half-open', callsInFlight: 7, callsQueued: 8 }),
  cache: () => ({ contacts: store, ownAbsences: { entries: 9, bytes: 10, maxBytes: 11, evictions: 12 } }),
  drift: () => [{ kind: 'unknown_field', path: 'contact."x"', count: 13 }],
  tokenAgeMs: () => 14_500,
  parts: () => ({ hilosToken: { ok: true }, callersFile: null, hilos: { ok: false } }),
}

t.test('what is looked up, at a scrape, stands there by its name', async (t) => {
  const metrics = createMetrics()
  metrics.read(atFirst)
  const samples = samplesOf(await metrics.exposition())
  const expected = {
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
  }
  for (const [name, value] of Object.entries(expected)) t.equal(samples.get(`hilos_bff_${name}`), value, name)
  t.notMatch([...samples.keys()].join(), 'callersFile')
})

t.test('what is looked up, at the next scrape, is looked up again, and what is gone is gone', async (t) => {
  const metrics = createMetrics()
  let readings = atFirst
  metrics.read({
    ...atFirst,
    isReady: () => readings.isReady(),
    isDraining: () => readings.isDraining(),
    cache: () => readings.cache(),
    drift: () => readings.drift(),
  })
  await metrics.exposition()
  readings = {
    ...atFirst,
    isReady: () => false,
    isDraining: () => true,
    cache: () => ({ contacts: { ...store, entries: 0, evictions: 5 } }),
    drift: () => [],
  }
  const samples = samplesOf(await metrics.exposition())
  t.equal(samples.get('hilos_bff_ready'), 0)
  t.equal(samples.get('hilos_bff_draining'), 1)
  t.equal(samples.get('hilos_bff_cache_entries{store="contacts"}'), 0)
  t.equal(samples.get('hilos_bff_cache_evictions_total{store="contacts"}'), 5)
  t.notMatch([...samples.keys()].join(), /ownAbsences|contract_drift_total/)
})

t.test('the build, when its commit is known, names it', async (t) => {
  const metrics = createMetrics()
  metrics.read({ ...atFirst, build: { ...atFirst.build, commit: 'c0ffee1' } })
  t.match(await metrics.exposition(), 'commit="c0ffee1"')
})

t.test('names and units, of all that is ours, are as Prometheus would have them', async (t) => {
  const metrics = createMetrics()
  metrics.read(atFirst)
  const types = [...(await metrics.exposition()).matchAll(/^# TYPE hilos_bff_(\w+) (\w+)$/gm)]
  t.ok(types.length > 25)
  for (const [, name = '', type] of types) {
    t.equal(name.endsWith('_total'), type === 'counter', name)
    if (type === 'histogram') t.match(name, /_seconds$/)
    t.notMatch(name, /milli|_ms$|percent/)
  }
})
