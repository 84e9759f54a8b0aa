import t from 'tap'
import type { Handling } from '../../src/cache/read-through.ts'
import { retryAfterSeconds } from '../../src/cache/retry-after.ts'
import { checkRows, difference } from '../harness/table.ts'

const windows = { staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
const hit: Handling = { fwd: null, stored: false, collapsed: false, detail: null, reloadDenied: false }

type Row = readonly [detail: Handling['detail'], freshMs: number, age: number, pause: number | null, seconds: number]
const rows: readonly Row[] = [
  // The rest of the freshness, rounded up.
  [null, 5000, 0, null, 5],
  [null, 5000, 1, null, 5],
  [null, 5000, 1000, null, 4],
  [null, 5000, 4999, null, 1],
  [null, 60_000, 0, null, 60],
  [null, 60_001, 0, null, 60],
  [null, 3_600_000, 0, null, 60],
  [null, 3_600_000, 3_550_000, null, 50],
  // An answer that is not stored, a stale one to `only-if-cached`, and a clock that was set back or forwards meanwhile.
  [null, 0, 0, null, 1],
  [null, 5000, 9000, null, 1],
  [null, 5000, -3_600_000, null, 60],
  [null, 5000, 3_600_000, null, 1],
  // A fresh answer after a failed reload.
  [null, 5000, 1000, 120, 4],
  // Another process had it.
  ['shared', 5000, 1000, null, 4],
  // A load is under way.
  ['revalidating', 5000, 6000, null, 1],
  ['origin-slow', 5000, 45_000, null, 1],
  // A load has failed.
  ['backing-off', 5000, 6000, 2, 2],
  ['backing-off', 5000, 6000, null, 5],
  ['origin-failed', 5000, 45_000, 30, 30],
  ['origin-failed', 5000, 45_000, 300, 60],
  ['origin-failed', 5000, 45_000, null, 5],
]

t.test('Retry-After says when another request can bring something newer', async (t) => {
  const check = ([detail, freshMs, age, pause, seconds]: Row) => {
    const entry = { value: 'v', bytes: 1, generatedAt: 1_000_000, freshMs, ...windows }
    const answer = { entry, handling: { ...hit, detail } }
    return difference(retryAfterSeconds(answer, entry.generatedAt + age, pause), seconds)
  }
  checkRows(t, rows, check, 'all waits are right')
})
