import t from 'tap'
import { ageMs, type Entry, isFresh, remainingMs } from '../../src/cache/entry.ts'

const fetchedAt = 1_000_000
const entry: Entry<string> = { value: 'v', bytes: 1, fetchedAt, freshMs: 5000 }

t.test('an entry, as time goes by, is fresh until its lifetime has passed and not a millisecond longer', async (t) => {
  const table = [
    [0, 5000, true],
    [1, 4999, true],
    [4999, 1, true],
    [5000, 0, false],
    [5001, -1, false],
  ] as const
  for (const [age, remaining, fresh] of table) {
    const now = fetchedAt + age
    t.equal(ageMs(entry, now), age)
    t.equal(remainingMs(entry, now), remaining, `${age} ms leave ${remaining}`)
    t.equal(isFresh(entry, now), fresh, `${age} ms: ${fresh ? 'fresh' : 'stale'}`)
  }
})

t.test('an entry, when the clock was set back behind it, is not fresh, because its age is unknown', async (t) => {
  t.equal(isFresh(entry, fetchedAt - 1), false)
})
