import t from 'tap'
import { ageMs, type Entry, freshOnly, remainingMs, usabilityOf, usableMs } from '../../src/cache/entry.ts'

const fetchedAt = 1_000_000
const entry: Entry<string> = {
  value: 'v',
  bytes: 1,
  fetchedAt,
  freshMs: 5000,
  staleWhileRevalidateMs: 30_000,
  staleIfErrorMs: 600_000,
}

t.test('an entry, by its age, is usable for less and less, exactly until the end of each window', async (t) => {
  const table = [
    [-1, 'over'],
    [0, 'fresh'],
    [4999, 'fresh'],
    [5000, 'stale-while-revalidate'],
    [34_999, 'stale-while-revalidate'],
    [35_000, 'stale-if-error'],
    [604_999, 'stale-if-error'],
    [605_000, 'over'],
    [Number.POSITIVE_INFINITY, 'over'],
  ] as const
  for (const [age, expected] of table) t.equal(usabilityOf(entry, fetchedAt + age), expected, `${age} ms`)
})

t.test('an entry, without stale windows or with one only, skips the other', async (t) => {
  t.equal(usabilityOf(freshOnly(entry), fetchedAt + 4999), 'fresh')
  t.equal(usabilityOf(freshOnly(entry), fetchedAt + 5000), 'over')
  t.equal(usabilityOf({ ...entry, staleWhileRevalidateMs: 0 }, fetchedAt + 5000), 'stale-if-error')
  t.equal(usabilityOf({ ...entry, staleIfErrorMs: 0 }, fetchedAt + 34_999), 'stale-while-revalidate')
  t.equal(usabilityOf({ ...entry, staleIfErrorMs: 0 }, fetchedAt + 35_000), 'over')
})

t.test('an entry, that is fresh only, is otherwise the same', async (t) => {
  t.strictSame(freshOnly(entry), { ...entry, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 })
})

t.test('an age, and what remains of freshness, add up to the lifetime', async (t) => {
  t.equal(ageMs(entry, fetchedAt + 1200), 1200)
  t.equal(remainingMs(entry, fetchedAt + 1200), 3800)
  t.equal(remainingMs(entry, fetchedAt + 6000), -1000)
})

t.test('a lifetime, with its longer window, says for how long an entry is of any use', async (t) => {
  t.equal(usableMs(entry), 605_000)
  t.equal(usableMs({ ...entry, staleWhileRevalidateMs: 700_000 }), 705_000)
  t.equal(usableMs(freshOnly(entry)), 5000)
  t.equal(usableMs({ ...entry, freshMs: 0 }), 0, 'without freshness nothing is remembered')
})
