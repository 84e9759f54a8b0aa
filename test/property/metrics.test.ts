import fc from 'fast-check'
import { Counter, Histogram, Registry } from 'prom-client'
import t from 'tap'
import { profiles } from '../../src/access/profile.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import type { RequestRecord } from '../../src/telemetry/request-record.ts'

const handling = { stored: false, collapsed: false, detail: null, reloadDenied: false }
const ages = fc.oneof(
  fc.constantFrom(0, 1000, 1001, 86_400_000, 86_400_001),
  fc.double({ min: 0, max: 1e8, noNaN: true }),
)
const durations = fc.oneof(fc.constantFrom(0, 1, 2.5, 10_000, 10_001), fc.double({ min: 0, max: 2e4, noNaN: true }))
const cacheUses = fc.record({ fwd: fc.constantFrom(null, 'uri-miss', 'stale'), ageMs: ages })
const requests: fc.Arbitrary<RequestRecord> = fc.record({
  ...{
    requestId: fc.constant('a'),
    method: fc.constant('GET'),
    traceId: fc.constant(undefined),
    failure: fc.constant(null),
  },
  route: fc.constantFrom(null, '/a', '/"b\\\n'),
  status: fc.constantFrom(null, 200, 304, 404),
  caller: fc.option(fc.record({ name: fc.constant('a'), profile: fc.constantFrom(...profiles) })),
  cache: fc.option(cacheUses.map((use) => ({ ...handling, ...use, waitedMs: 0 }))),
  durationMs: durations,
  isWatch: fc.boolean(),
})

/** The same metrics, counted by prom-client for each request. */
function createReference() {
  const registers = [new Registry()]
  const requestsTotal = new Counter({
    name: 'hilos_bff_requests_total',
    help: 'Requests of callers that have ended. Status 499: the caller disconnected before the response.',
    labelNames: ['route', 'status', 'profile', 'cache'],
    registers,
  })
  const duration = new Histogram({
    name: 'hilos_bff_request_duration_seconds',
    help: 'Time from the headers of a request to the end of its response. Streams and held requests do not count.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    labelNames: ['route', 'cache'],
    registers,
  })
  const age = new Histogram({
    name: 'hilos_bff_cache_age_at_hit_seconds',
    help: 'Age of cache entries when they were served.',
    buckets: [1, 3, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400],
    registers,
  })
  return {
    requestOver: ({ route, status, caller, cache, durationMs, isWatch }: RequestRecord) => {
      const labels = { route: route ?? 'none', cache: cache ? (cache.fwd ?? 'hit') : 'none' }
      requestsTotal.inc({ ...labels, status: status ?? 499, profile: caller?.profile ?? 'none' })
      if (!isWatch) duration.observe(labels, durationMs / 1000)
      if (cache?.fwd === null) age.observe(cache.ageMs / 1000)
    },
    exposition: () => registers[0]?.metrics() ?? '',
  }
}

t.test('the exposition is that of prom-client, whatever was counted, and when it was read', async (t) => {
  const property = fc.asyncProperty(
    fc.array(fc.array(requests, { maxLength: 30 }), { maxLength: 3 }),
    async (parts) => {
      const [metrics, reference] = [createMetrics(), createReference()]
      for (const part of [...parts, []]) {
        for (const request of part) {
          metrics.requestOver(request)
          reference.requestOver(request)
        }
        const exposition = await metrics.exposition()
        for (const block of (await reference.exposition()).trim().split('\n\n'))
          if (!exposition.includes(`${block}\n\n`)) throw new Error(`without ${block}`)
      }
    },
  )
  const outcome = await fc.check(property, { numRuns: 40, endOnFailure: true })
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? '40 runs')
})
