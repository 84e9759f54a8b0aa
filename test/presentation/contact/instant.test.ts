import t from 'tap'
import { earliestOf, instantOf, latestOf } from '../../../src/presentation/contact/instant.ts'
import { checkRows, difference } from '../../harness/table.ts'

t.test('an instant is RFC 3339 in UTC, with milliseconds only if they are not 0', async (t) => {
  const cases = [
    [null, null],
    [0, '1970-01-01T00:00:00Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [Date.UTC(2026, 10, 22, 10), '2026-11-22T10:00:00Z'],
    [Date.UTC(2026, 10, 22, 10, 0, 0, 1), '2026-11-22T10:00:00.001Z'],
    [Date.UTC(2026, 10, 22, 10, 0, 0, 100), '2026-11-22T10:00:00.100Z'],
  ] as const
  checkRows(t, cases, ([ms, expected]) => difference(instantOf(ms), expected), 'every instant')
})

t.test('the latest and the earliest instant are among those that are known', async (t) => {
  const cases = [
    [[], null, null],
    [[null, null], null, null],
    [[0], 0, 0],
    [[null, 0, null], 0, 0],
    [[-1, null], -1, -1],
    [[3, 1, 2], 3, 1],
    [[1, null, 3, 2], 3, 1],
    [[2, 2], 2, 2],
  ] as const
  const check = ([instants, ...expected]: (typeof cases)[number]) =>
    difference([latestOf(instants), earliestOf(instants)], expected)
  checkRows(t, cases, check, 'every list')
})
