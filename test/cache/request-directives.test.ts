import t from 'tap'
import { noDirectives, requestDirectivesOf } from '../../src/cache/request-directives.ts'
import { checkRows, difference } from '../harness/table.ts'

const anyAge = Number.POSITIVE_INFINITY
const rows: readonly (readonly [header: string | undefined, maxAgeMs: number, onlyIfCached: boolean])[] = [
  [undefined, anyAge, false],
  ['', anyAge, false],
  ['no-cache', 0, false],
  ['No-Cache', 0, false],
  ['max-age=0', 0, false],
  ['max-age=1', 1000, false],
  ['max-age="30"', 30_000, false],
  ['MAX-AGE=30', 30_000, false],
  ['max-age=30, no-cache', 0, false],
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
  ['no-store', 0, false],
  ['no-transform, max-stale=5, min-fresh=5', anyAge, false],
  [',;=,"', anyAge, false],
]

t.test('Cache-Control wishes for an age, or demands a stored answer', async (t) => {
  const check = ([header, maxAgeMs, onlyIfCached]: (typeof rows)[number]) =>
    difference(requestDirectivesOf({ 'cache-control': header }), { maxAgeMs, onlyIfCached })
  checkRows(t, rows, check, 'all headers are understood')
  t.equal(requestDirectivesOf({}), noDirectives)
})

t.test('a conditional request has none of the wishes that fetch adds to it', async (t) => {
  const conditions = ['if-none-match', 'if-match', 'if-modified-since', 'if-unmodified-since', 'if-range']
  for (const condition of conditions) {
    const check = ([header, maxAgeMs, onlyIfCached]: (typeof rows)[number]) => {
      const found = requestDirectivesOf({ 'cache-control': header, [condition]: '' })
      // What is at least a second was written by a program.
      const own = header === 'max-age=30, no-cache' ? 30_000 : maxAgeMs === 0 ? anyAge : maxAgeMs
      return difference(found, { maxAgeMs: own, onlyIfCached })
    }
    checkRows(t, rows, check, condition)
  }
  const wish = { maxAgeMs: 0, onlyIfCached: false }
  t.strictSame(requestDirectivesOf({ 'cache-control': 'no-cache', range: 'bytes=0-', pragma: 'no-cache' }), wish)
  t.equal(requestDirectivesOf({ pragma: 'no-cache' }), noDirectives)
})
