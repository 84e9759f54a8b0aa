import t from 'tap'
import { ageMs, errorOnly, freshOnly, remainingMs, usabilityOf, usableMs } from '../../src/cache/entry.ts'
import { checkRows, difference } from '../harness/table.ts'

const generatedAt = 1_000_000
const windows = { freshMs: 5000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
const entry = { value: 'v', bytes: 1, generatedAt, ...windows }

t.test('the age of an entry decides its window, of which the end is not part', async (t) => {
  const rows = [
    [entry, -1, 'expired'],
    [entry, 0, 'fresh'],
    [entry, 4999, 'fresh'],
    [entry, 5000, 'stale-while-revalidate'],
    [entry, 34_999, 'stale-while-revalidate'],
    [entry, 35_000, 'stale-if-error'],
    [entry, 604_999, 'stale-if-error'],
    [entry, 605_000, 'expired'],
    [entry, Number.POSITIVE_INFINITY, 'expired'],
    [freshOnly(entry), 4999, 'fresh'],
    [freshOnly(entry), 5000, 'expired'],
    [{ ...entry, staleWhileRevalidateMs: 0 }, 5000, 'stale-if-error'],
    [{ ...entry, staleIfErrorMs: 0 }, 34_999, 'stale-while-revalidate'],
    [{ ...entry, staleIfErrorMs: 0 }, 35_000, 'expired'],
  ] as const
  const check = ([given, age, window]: (typeof rows)[number]) =>
    difference(usabilityOf(given, generatedAt + age), window)
  checkRows(t, rows, check, 'all ages are in their window')
})

t.test('an entry without its stale windows is otherwise the same', async (t) => {
  t.strictSame(freshOnly(entry), { ...entry, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 })
})

t.test('an entry that may only stand in for errors keeps the end of its last window', async (t) => {
  const rows = [
    [0, 1, 'stale-if-error'],
    [1000, 1000, 'stale-if-error'],
    [20_000, 20_000, 'stale-if-error'],
    [604_999, 604_999, 'stale-if-error'],
    [1000, 605_000, 'expired'],
  ] as const
  const check = ([age, later, window]: (typeof rows)[number]) => {
    const changed = errorOnly(entry, generatedAt + age)
    return difference([usabilityOf(changed, generatedAt + later), usableMs(changed)], [window, usableMs(entry)])
  }
  checkRows(t, rows, check, 'no row is in another window')
})

t.test('the age and the rest of the freshness add up to the lifetime', async (t) => {
  t.equal(ageMs(entry, generatedAt + 1200), 1200)
  t.equal(remainingMs(entry, generatedAt + 1200), 3800)
  t.equal(remainingMs(entry, generatedAt + 6000), -1000)
})

t.test('an entry is usable until the end of its longer window, and not at all without freshness', async (t) => {
  t.equal(usableMs(entry), 605_000)
  t.equal(usableMs({ ...entry, staleWhileRevalidateMs: 700_000 }), 705_000)
  t.equal(usableMs(freshOnly(entry)), 5000)
  t.equal(usableMs({ ...entry, freshMs: 0 }), 0)
})
