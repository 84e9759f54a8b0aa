import t from 'tap'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createSharedTierObserver } from '../../src/telemetry/shared-tier-observer.ts'
import type { SharedTierObserver } from '../../src/tier/observer.ts'
import { samplesOf } from '../harness/scrape.ts'

/** An observer, its lines in the log, and the samples that it has changed. */
function arrange() {
  const lines: string[] = []
  const metrics = createMetrics()
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const observer: SharedTierObserver = createSharedTierObserver(metrics.registry, logger)
  const changed = async () => {
    const samples = [...samplesOf(await metrics.exposition())].filter(([, value]) => value !== 0)
    const ours = samples.filter(([name]) => /^hilos_bff_(shared_tier|hilos_slots)/.test(name))
    return Object.fromEntries(ours.map(([name, value]) => [name.replace('hilos_bff_', ''), value]))
  }
  const logged = () => lines.splice(0).map((line) => JSON.parse(line))
  return { observer, metrics, changed, logged }
}

t.test(
  'the series that alerts ask for exist from the start, and all others of a tier with their first event',
  async (t) => {
    const { metrics } = arrange()
    const exposition = await metrics.exposition()
    for (const name of ['puts_total{verdict="full"}', 'unopened_total', 'takeovers_total', 'resets_total'])
      t.match(exposition, `\nhilos_bff_shared_tier_${name} 0\n`)
    t.notMatch(await createMetrics().exposition(), /shared_tier|hilos_slots/, 'without a tier there are none')
  },
)

t.test('each event changes its series and no other', async (t) => {
  const rows: readonly (readonly [(observer: SharedTierObserver) => void, Record<string, number>])[] = [
    [({ read }) => read('lead'), { 'shared_tier_reads_total{verdict="lead"}': 1 }],
    [({ put }) => put('too_large'), { 'shared_tier_puts_total{verdict="too_large"}': 1 }],
    [({ tookOver }) => tookOver(), { shared_tier_takeovers_total: 1 }],
    [({ unopened }) => unopened(), { shared_tier_unopened_total: 1 }],
    [({ memoryLost }) => memoryLost(), { shared_tier_resets_total: 1 }],
    [({ slot }) => slot('share'), { 'hilos_slots_total{verdict="share"}': 1 }],
    [({ attached }) => attached(1), {}],
    [({ detached }) => detached('closed', 1), {}],
    [({ forgottenElsewhere }) => forgottenElsewhere(true, 'abc'), {}],
  ]
  for (const [event, expected] of rows) {
    const { observer, changed } = arrange()
    event(observer)
    t.strictSame(await changed(), expected, event.toString())
  }
})

t.test('durations are given in milliseconds and exported in seconds', async (t) => {
  const { observer, changed } = arrange()
  observer.operationEnded('open', 'ok', 25)
  observer.operationEnded('open', 'timeout', 100)
  observer.eventHeard(40)
  t.match(await changed(), {
    'shared_tier_operations_total{operation="open",outcome="ok"}': 1,
    'shared_tier_operations_total{operation="open",outcome="timeout"}': 1,
    'shared_tier_operation_seconds_bucket{le="0.025",operation="open"}': 1,
    'shared_tier_operation_seconds_sum{operation="open"}': 0.125,
    'shared_tier_operation_seconds_count{operation="open"}': 2,
    shared_tier_event_delay_seconds_sum: 0.04,
    shared_tier_event_delay_seconds_count: 1,
  })
})

t.test('a line says when the tier is attached or detached, and how long it was the other', async (t) => {
  const { observer, logged } = arrange()
  observer.attached(12.4)
  observer.detached('timeout', 3455.6)
  observer.memoryLost()
  t.match(logged(), [
    { level: 30, detachedMs: 12, msg: 'shared tier attached' },
    { level: 40, reason: 'timeout', attachedMs: 3456, msg: /^shared tier detached/ },
    { level: 40, msg: 'the server of the shared tier has lost its memory' },
  ])
})

t.test(
  'operations are not logged, and what goes wrong with many of them is logged once until the next attachment',
  async (t) => {
    const { observer, logged } = arrange()
    const go = () => {
      for (const _ of [1, 2]) {
        for (const outcome of ['ok', 'timeout', 'script', 'full', 'denied'] as const)
          observer.operationEnded('put', outcome, 1)
        observer.unopened()
        observer.put('full')
      }
    }
    const remarks = [
      { level: 40, operation: 'put', msg: 'the server of the shared tier is full and stores nothing new' },
      { level: 40, operation: 'put', msg: 'the user of the shared tier may not run a command' },
      { level: 40, msg: /^an entry of the shared tier does not open/ },
    ]
    observer.attached(0)
    logged()
    go()
    const lines = logged()
    t.match(lines, remarks)
    t.equal(lines.length, remarks.length)
    observer.detached('denied', 5)
    go()
    t.equal(logged().length, 1, 'it was said in this time already')
    observer.attached(5)
    logged()
    go()
    t.match(logged(), remarks)
  },
)

t.test('what another replica was told to forget is logged with its purge and without an id', async (t) => {
  const { observer, logged } = arrange()
  observer.forgottenElsewhere(false, '0badcafe0bad')
  observer.forgottenElsewhere(true, '0badcafe0bae')
  t.match(logged(), [
    { level: 30, purge: '0badcafe0bad', msg: 'another replica has removed a contact from the cache' },
    { level: 30, purge: '0badcafe0bae', msg: 'another replica has emptied the cache' },
  ])
})
