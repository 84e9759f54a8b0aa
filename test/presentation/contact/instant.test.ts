import t from 'tap'
import { earliestOf, instantOf, latestOf } from '../../../src/presentation/contact/instant.ts'

t.test('an instant, when presented, is RFC 3339 in UTC with milliseconds only where there are some', async (t) => {
  const table = [
    [null, null],
    [0, '1970-01-01T00:00:00Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [Date.UTC(2026, 10, 22, 10), '2026-11-22T10:00:00Z'],
    [Date.UTC(2026, 10, 22, 10, 0, 0, 1), '2026-11-22T10:00:00.001Z'],
    [Date.UTC(2026, 10, 22, 10, 0, 0, 100), '2026-11-22T10:00:00.100Z'],
  ] as const
  for (const [ms, expected] of table) t.equal(instantOf(ms), expected)
})

t.test(
  'the latest and the earliest, of instants of which some are missing, are among those that are known',
  async (t) => {
    const table = [
      [[], null, null],
      [[null, null], null, null],
      [[0], 0, 0],
      [[null, 0, null], 0, 0],
      [[-1, null], -1, -1],
      [[3, 1, 2], 3, 1],
      [[1, null, 3, 2], 3, 1],
      [[2, 2], 2, 2],
    ] as const
    for (const [instants, latest, earliest] of table) {
      t.equal(latestOf(instants), latest, `latest of ${JSON.stringify(instants)}`)
      t.equal(earliestOf(instants), earliest, `earliest of ${JSON.stringify(instants)}`)
    }
  },
)
