import t from 'tap'
import { noDirectives, requestDirectivesOf } from '../../src/cache/request-directives.ts'
import { checkRows, difference } from '../harness/table.ts'

const minAgeMs = 1000
const anyAge = Number.POSITIVE_INFINITY
const rows: readonly (readonly [header: string | undefined, maxAgeMs: number, onlyIfCached: boolean])[] = [
  [undefined, anyAge, false],
  ['', anyAge, false],
  ['no-cache', minAgeMs, false],
  ['No-Cache', minAgeMs, false],
  ['max-age=0', minAgeMs, false],
  ['max-age=1', 1000, false],
  ['max-age="30"', 30_000, false],
  ['MAX-AGE=30', 30_000, false],
  ['max-age=30, no-cache', minAgeMs, false],
  ['max-age=30,max-age=5', 5000, false],
  [' max-age=5 , only-if-cached ', 5000, true],
  ['only-if-cached', anyAge, true],
  ['max-age=99999999999999999999', 1e23, false],
  ['max-age', anyAge, false],
  ['max-age=', anyAge, false],
  ['max-age=-1', anyAge, false],
  ['max-age=1.5', anyAge, false],
  ['x-max-age=1', anyAge, false],
  ['max-age="1', anyAge, false],
  ['no-cache="x"', anyAge, false],
  ['no-store, no-transform, max-stale=5, min-fresh=5', anyAge, false],
  [',;=,"', anyAge, false],
]

t.test('Cache-Control demands an age, of which the minimum is a second, or a stored answer', async (t) => {
  const check = ([header, maxAgeMs, onlyIfCached]: (typeof rows)[number]) =>
    difference(requestDirectivesOf(header, minAgeMs), { maxAgeMs, onlyIfCached })
  checkRows(t, rows, check, 'all headers are understood')
  t.equal(requestDirectivesOf(undefined, minAgeMs), noDirectives)
})
