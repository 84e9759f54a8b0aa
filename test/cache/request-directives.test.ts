import t from 'tap'
import { demandOf, noDemand } from '../../src/cache/request-directives.ts'

const floorMs = 1000
const any = Number.POSITIVE_INFINITY

t.test(
  'Cache-Control, by its directives, asks for an age, with the floor as the least, or for what is remembered',
  async (t) => {
    const table: readonly (readonly [string | undefined, number, boolean])[] = [
      [undefined, any, false],
      ['', any, false],
      ['no-cache', floorMs, false],
      ['No-Cache', floorMs, false],
      ['max-age=0', floorMs, false],
      ['max-age=1', 1000, false],
      ['max-age=2', 2000, false],
      ['max-age="30"', 30_000, false],
      ['MAX-AGE=30', 30_000, false],
      ['max-age=30, no-cache', floorMs, false],
      ['max-age=30,max-age=5', 5000, false],
      [' max-age=5 , only-if-cached ', 5000, true],
      ['only-if-cached', any, true],
      ['max-age=99999999999999999999', 1e23, false],
      ['max-age', any, false],
      ['max-age=', any, false],
      ['max-age=-1', any, false],
      ['max-age=1.5', any, false],
      ['max-age=1s', any, false],
      ['x-max-age=1', any, false],
      ['max-age="1', any, false],
      ['no-cache="x"', any, false],
      ['no-store, no-transform, max-stale=5, min-fresh=5', any, false],
      [',;=,"', any, false],
    ]
    for (const [header, maxAgeMs, onlyIfCached] of table)
      t.strictSame(demandOf(header, floorMs), { maxAgeMs, onlyIfCached }, header ?? 'none')
    t.equal(demandOf(undefined, floorMs), noDemand)
  },
)
