import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { type Decision, decide } from '../../src/cache/decision.ts'
import { noDirectives, type RequestDirectives } from '../../src/cache/request-directives.ts'
import { checkRows, difference } from '../harness/table.ts'

const generatedAt = 1_000_000
const windows = { freshMs: 5000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
const entry = { value: 'v', bytes: 1, generatedAt, ...windows }

const maxAge = (maxAgeMs: number): RequestDirectives => ({ maxAgeMs, onlyIfCached: false })
const onlyIfCached: RequestDirectives = { ...noDirectives, onlyIfCached: true }

const hit: Decision = { reply: 'entry', detail: null }
const revalidating: Decision = { reply: 'entry', detail: 'revalidating' }
const backingOff: Decision = { reply: 'entry', detail: 'backing-off' }
const failure: Decision = { reply: 'failure' }
const nothing: Decision = { reply: 'nothing' }
const load = (fwd: 'uri-miss' | 'stale' | 'request'): Decision => ({ reply: 'load', fwd })

/** The age is null where there is no entry. The last decision is the one a moment after a failed load. */
type Row = readonly [age: number | null, directives: RequestDirectives, decision: Decision, afterFailure: Decision]
const rows: readonly Row[] = [
  [null, noDirectives, load('uri-miss'), failure],
  [-1, noDirectives, load('uri-miss'), failure],
  [0, noDirectives, hit, hit],
  [4999, noDirectives, hit, hit],
  [5000, noDirectives, revalidating, backingOff],
  [34_999, noDirectives, revalidating, backingOff],
  [35_000, noDirectives, load('stale'), backingOff],
  [604_999, noDirectives, load('stale'), backingOff],
  [605_000, noDirectives, load('uri-miss'), failure],

  [null, maxAge(1000), load('uri-miss'), failure],
  [0, maxAge(0), hit, hit],
  [1, maxAge(0), load('request'), failure],
  [1000, maxAge(1000), hit, hit],
  [1001, maxAge(1000), load('request'), failure],
  [4999, maxAge(1000), load('request'), failure],
  [4999, maxAge(60_000), hit, hit],
  [5000, maxAge(60_000), load('stale'), failure],
  [35_000, maxAge(60_000), load('stale'), failure],
  [605_000, maxAge(60_000), load('uri-miss'), failure],

  [null, onlyIfCached, nothing, nothing],
  [4999, onlyIfCached, hit, hit],
  [5000, onlyIfCached, hit, hit],
  [34_999, onlyIfCached, hit, hit],
  [35_000, onlyIfCached, nothing, nothing],
  [605_000, onlyIfCached, nothing, nothing],
  [1000, { maxAgeMs: 1000, onlyIfCached: true }, hit, hit],
  [1001, { maxAgeMs: 1000, onlyIfCached: true }, nothing, nothing],
  [5000, { maxAgeMs: 60_000, onlyIfCached: true }, nothing, nothing],
]

t.test('the window of the entry, the directives and the last load decide about a request', async (t) => {
  const check = ([age, directives, decision, afterFailure]: Row) => {
    const stored = age === null ? undefined : entry
    const decided = (last?: 'failed' | 'rationed') => decide(stored, directives, last, generatedAt + (age ?? 0))
    // After a ration, only a refresh in the background waits.
    const afterRation = isDeepStrictEqual(decision, revalidating) ? { reply: 'entry', detail: 'rationed' } : decision
    return difference([decided(), decided('failed'), decided('rationed')], [decision, afterFailure, afterRation])
  }
  checkRows(t, rows, check, 'all decisions are right')
})
