import t from 'tap'
import { type Decision, decide } from '../../src/cache/decision.ts'
import type { Entry } from '../../src/cache/entry.ts'
import { type Demand, noDemand } from '../../src/cache/request-directives.ts'

const fetchedAt = 1_000_000
const entry: Entry<string> = {
  value: 'v',
  bytes: 1,
  fetchedAt,
  freshMs: 5000,
  staleWhileRevalidateMs: 30_000,
  staleIfErrorMs: 600_000,
}
/** The age of the entry, in milliseconds; null when there is none. */
type Age = number | null

const within = (maxAgeMs: number): Demand => ({ maxAgeMs, onlyIfCached: false })
const onlyIfCached: Demand = { ...noDemand, onlyIfCached: true }

const serve = (detail: 'revalidating' | 'backing-off' | null): Decision => ({ reply: 'entry', detail })
const load = (fwd: 'uri-miss' | 'stale' | 'request', standIn = false): Decision => ({ reply: 'load', fwd, standIn })
const failure: Decision = { reply: 'failure' }
const nothing: Decision = { reply: 'nothing' }

function decideAt(age: Age, demand: Demand, failed = false): Decision {
  return decide(age === null ? undefined : entry, demand, failed, fetchedAt + (age ?? 0))
}

t.test('a request, without a demand, is decided by the window it falls into', async (t) => {
  const table: readonly (readonly [Age, Decision, Decision])[] = [
    // age, decision, decision a moment after a failed load
    [null, load('uri-miss'), failure],
    [-1, load('uri-miss'), failure],
    [0, serve(null), serve(null)],
    [4999, serve(null), serve(null)],
    [5000, serve('revalidating'), serve('backing-off')],
    [34_999, serve('revalidating'), serve('backing-off')],
    [35_000, load('stale', true), serve('backing-off')],
    [604_999, load('stale', true), serve('backing-off')],
    [605_000, load('uri-miss'), failure],
  ]
  for (const [age, expected, afterFailure] of table) {
    t.strictSame(decideAt(age, noDemand), expected, `age ${age}`)
    t.strictSame(decideAt(age, noDemand, true), afterFailure, `age ${age}, after a failure`)
  }
})

t.test('a demand for an age, when what is remembered is older or stale, forwards without a stand-in', async (t) => {
  const table: readonly (readonly [Age, number, Decision, Decision])[] = [
    [null, 1000, load('uri-miss'), failure],
    [1000, 1000, serve(null), serve(null)],
    [1001, 1000, load('request'), failure],
    [4999, 1000, load('request'), failure],
    [4999, 60_000, serve(null), serve(null)],
    [5000, 60_000, load('stale'), failure],
    [35_000, 60_000, load('stale'), failure],
    [605_000, 60_000, load('uri-miss'), failure],
  ]
  for (const [age, maxAgeMs, expected, afterFailure] of table) {
    t.strictSame(decideAt(age, within(maxAgeMs)), expected, `age ${age}, wanted ${maxAgeMs}`)
    t.strictSame(decideAt(age, within(maxAgeMs), true), afterFailure, `age ${age}, wanted ${maxAgeMs}, after a failure`)
  }
})

t.test('only-if-cached, whatever is remembered, never forwards', async (t) => {
  const table: readonly (readonly [Age, Demand, Decision])[] = [
    [null, onlyIfCached, nothing],
    [4999, onlyIfCached, serve(null)],
    [5000, onlyIfCached, serve(null)],
    [34_999, onlyIfCached, serve(null)],
    [35_000, onlyIfCached, nothing],
    [605_000, onlyIfCached, nothing],
    [1000, { maxAgeMs: 1000, onlyIfCached: true }, serve(null)],
    [1001, { maxAgeMs: 1000, onlyIfCached: true }, nothing],
    [5000, { maxAgeMs: 60_000, onlyIfCached: true }, nothing],
  ]
  for (const [age, demand, expected] of table)
    for (const failed of [false, true])
      t.strictSame(decideAt(age, demand, failed), expected, `age ${age}, ${JSON.stringify(demand)}, failed ${failed}`)
})
