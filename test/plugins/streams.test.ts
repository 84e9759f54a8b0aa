import t from 'tap'
import { createStreams } from '../../src/plugins/streams.ts'
import { createTimers } from '../harness/timers.ts'

function start({ max = 10, maxOfCaller = 2, isDraining = false } = {}) {
  const clock = createTimers()
  const streams = createStreams({ max, maxOfCaller, sweepMs: 1000, isDraining: () => isDraining, clock })
  const heard: string[] = []
  const watcher = (name: string, kind: 'stream' | 'poll' = 'stream') => ({
    kind,
    tick: () => void heard.push(`${name} tick`),
    drain: (graceMs: number) => void heard.push(`${name} drain ${graceMs}`),
  })
  const codeOf = (caller: string) => {
    try {
      streams.take(caller)
      return 'taken'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  return { clock, streams, heard, watcher, codeOf }
}

t.test('each caller has so many places, and all together have so many', (t) => {
  const { streams, codeOf } = start({ max: 3 })
  const place = streams.take('a')
  t.strictSame(
    [codeOf('a'), codeOf('a'), codeOf('b'), codeOf('b')],
    ['taken', 'too_many_streams', 'taken', 'overloaded'],
  )
  t.equal(streams.takeIfFree('a'), null)
  t.equal(streams.takeIfFree('c'), null)
  place.leave()
  place.leave()
  t.strictSame([codeOf('b'), codeOf('c')], ['taken', 'overloaded'], 'a place is given back once')
  t.end()
})

t.test('one timer looks at all watchers, as long as there are any', async (t) => {
  const { clock, streams, heard, watcher } = start()
  const [one, two] = [streams.take('a'), streams.take('b')]
  t.strictSame(clock.armed(), [], 'a place alone needs no timer')
  one.open(watcher('one'))
  two.open(watcher('two'))
  t.equal(clock.armed().length, 1)
  await clock.advance(2000)
  t.strictSame(heard.splice(0), ['one tick', 'two tick', 'one tick', 'two tick'])
  one.leave()
  await clock.advance(1000)
  t.strictSame(heard.splice(0), ['two tick'])
  two.leave()
  t.strictSame(clock.armed(), [])
  const third = streams.take('a')
  third.open(watcher('three'))
  await clock.advance(1000)
  t.strictSame(heard, ['three tick'], 'and again')
})

t.test('a watcher that ends the last one in its turn leaves no timer', async (t) => {
  const { clock, streams } = start()
  const place = streams.take('a')
  place.open({ kind: 'stream', tick: place.leave, drain: () => {} })
  await clock.advance(1000)
  t.strictSame(clock.armed(), [])
})

t.test('draining reaches all watchers once, and those that open later', async (t) => {
  const { clock, streams, heard, watcher } = start()
  streams.take('a').open(watcher('one'))
  const late = streams.take('b')
  streams.drain(500)
  late.open(watcher('late'))
  t.strictSame(heard, ['one drain 500', 'late drain 500'])
  t.strictSame(clock.armed(), [])
})

t.test('no request is held while the service drains; streams are still accepted', (t) => {
  const { streams, codeOf } = start({ isDraining: true })
  t.equal(streams.takeIfFree('a'), null)
  t.equal(codeOf('a'), 'taken')
  t.end()
})

t.test('the watchers are counted by kind', (t) => {
  const { streams, watcher } = start()
  streams.take('a').open(watcher('one'))
  const poll = streams.takeIfFree('b')
  t.equal(streams.count('poll'), 0)
  poll?.open(watcher('two', 'poll'))
  t.strictSame([streams.count('stream'), streams.count('poll')], [1, 1])
  poll?.leave()
  t.strictSame([streams.count('stream'), streams.count('poll')], [1, 0])
  t.end()
})
