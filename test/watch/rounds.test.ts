import t from 'tap'
import { dueTime, latenessOf, nextTurn } from '../../src/watch/rounds.ts'
import { checkRows, difference } from '../harness/table.ts'

const now = 100_000
const turnOf = (wishedMs: number, askedAt: number, dueAt = askedAt + wishedMs) => ({ wishedMs, askedAt, dueAt })

t.test('lateness is the time since a key was asked about, in wished intervals', async (t) => {
  t.equal(latenessOf(turnOf(3000, now), now), 0)
  t.equal(latenessOf(turnOf(3000, now - 3000), now), 1)
  t.equal(latenessOf(turnOf(60_000, now - 90_000), now), 1.5)
})

const due = turnOf(3000, now - 3000)
const late = turnOf(3000, now - 6000)
const quietAndLate = turnOf(60_000, now - 90_000)
const soon = turnOf(3000, now - 2000)
const later = turnOf(60_000, now - 55_000)
const earlyInProportion = turnOf(3000, now - 600, now + 2400)
const ahead = turnOf(60_000, now - 30_000, now)

const turns = [
  ['there is none', [], undefined],
  ['one that is not due is alone', [soon], soon],
  ['the one that is due goes before one that is not', [due, soon], due],
  ['the latest in proportion goes first, not the one that has waited for longest', [quietAndLate, late], late],
  ['a quiet one that is later in proportion goes before one that moves', [quietAndLate, due], quietAndLate],
  ['without one that is due, the one that is due first', [later, soon], soon],
  ['that need not be the one that is later in proportion', [later, earlyInProportion], earlyInProportion],
  ['one that is due ahead of its wish goes before all that are not due', [soon, ahead, later], ahead],
  ['and after one that is later in proportion', [ahead, due], due],
] as const

t.test('the latest in proportion of those that are due is next, or the one that is due first', async (t) => {
  const rows = turns.flatMap(([name, list, next]) => [
    [name, list, next] as const,
    [`${name}, in the other order`, [...list].reverse(), next] as const,
  ])
  checkRows(
    t,
    rows,
    ([, list, next]) =>
      difference(
        nextTurn(list, () => true, now),
        next,
      ),
    'the turn is right',
  )
  t.equal(
    nextTurn([late, due, soon], (turn) => turn !== late, now),
    due,
    'one that is being asked about has no turn',
  )
})

const times: readonly (readonly [name: string, othersDueAt: readonly number[], dueAt: number])[] = [
  ['no other key', [], 3000],
  ['others a turn before and after', [2600, 3400], 3000],
  ['one at the same time', [3000], 2600],
  ['one less than a turn later', [3399], 2999],
  ['one less than a turn before', [2601], 2201],
  ['six at the same time, in any order', [2200, 3000, 1400, 2600, 1800, 1000], 600],
  ['a gap that is wide enough for one', [3000, 2600, 1800, 1400], 2200],
  ['a gap that is too narrow by a millisecond', [3000, 2600, 1801, 1400], 1000],
  ['others that are due already', [-5000, 0, 199], 3000],
  ['a free time at this moment', [3000, 2600, 2200, 1800, 1400, 1000, 600], 200],
  ['no free time', [3000, 2600, 2200, 1800, 1400, 1000, 599], 3000],
]

t.test('keys become due a turn apart, ahead of their wish while there is room', async (t) => {
  checkRows(t, times, ([, others, dueAt]) => difference(dueTime(3000, others, 400, 200), dueAt), 'the time is right')
  t.equal(dueTime(3000, [3000, 3000], 0, 200), 3000, 'without a limit they may be due at the same time')
})
