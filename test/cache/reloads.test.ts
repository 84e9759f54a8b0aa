import t from 'tap'
import { createReloadLimit } from '../../src/cache/reloads.ts'
import { createClock } from '../harness/clock.ts'

const hour = 3_600_000

function arrange(maxEntries = 100) {
  const clock = createClock()
  const perCaller = { max: 3, windowMs: 60_000 }
  return { clock, grant: createReloadLimit({ perKeyMs: 10_000, perCaller, maxEntries, clock }) }
}

t.test('a key is reloaded once in ten seconds for all callers together, whatever the wall clock does', async (t) => {
  for (const wallMs of [0, -hour, hour]) {
    const { clock, grant } = arrange()
    t.strictSame([grant('k', 'a'), grant('k', 'a'), grant('k', 'b'), grant('other', 'b')], [true, false, false, true])
    clock.shiftWall(wallMs)
    clock.advance(9999)
    t.equal(grant('k', 'b'), false)
    clock.advance(1)
    t.strictSame([grant('k', 'b'), grant('k', 'a')], [true, false])
  }
})

t.test('a caller gets so many reloads in any minute, and one that is denied does not count', async (t) => {
  const { clock, grant } = arrange()
  const reload = (key: string, passMs: number) => {
    clock.advance(passMs)
    return grant(key, 'a')
  }
  t.strictSame([reload('k', 0), reload('k', 1000), reload('l', 29_000), reload('m', 0)], [true, false, true, true])
  t.strictSame([reload('n', 0), grant('n', 'b')], [false, true], 'another caller has reloads of its own')
  t.strictSame([reload('o', 29_999), reload('o', 1)], [false, true], 'a minute after the first')
  t.strictSame([reload('p', 29_999), reload('p', 1), reload('q', 0), reload('r', 0)], [false, true, true, false])
})

t.test('only so many keys and callers are remembered', async (t) => {
  const { grant } = arrange(2)
  for (const key of ['k', 'l', 'm']) t.equal(grant(key, key), true)
  t.strictSame([grant('m', 'z'), grant('k', 'z')], [false, true])
})
