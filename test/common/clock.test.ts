import { mock } from 'node:test'
import t from 'tap'
import { sleep, systemClock } from '../../src/common/clock.ts'
import { createTimers } from '../harness/timers.ts'

t.test('the system clock schedules a run once, which can be cancelled', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const done: string[] = []
  const cancelDone = systemClock.schedule(() => done.push('kept'), 10)
  const cancel = systemClock.schedule(() => done.push('cancelled'), 10)
  mock.timers.tick(9)
  t.strictSame(done, [])
  cancel()
  mock.timers.tick(1)
  t.strictSame(done, ['kept'])
  cancelDone()
  cancel()
  mock.timers.tick(100)
  t.strictSame(done, ['kept'])
})

t.test('a scheduled run does not keep the process alive', async (t) => {
  const created = t.capture(globalThis, 'setTimeout', globalThis.setTimeout)
  systemClock.schedule(() => {}, 86_400_000)()
  const timers = created().flatMap((call) => ('returned' in call && call.args[1] === 86_400_000 ? [call.returned] : []))
  t.equal(timers.length, 1)
  t.equal(timers[0]?.hasRef(), false)
})

t.test('the system clock tells wall-clock time, monotonic time and chance', async (t) => {
  const before = [Date.now(), performance.now(), 0]
  const found = [systemClock.now(), systemClock.elapsed(), systemClock.random()]
  const after = [Date.now(), performance.now(), 1]
  for (const [index, value] of found.entries())
    t.ok(Number(before[index]) <= value && value <= Number(after[index]), `${value}`)
})

t.test('a sleep ends when its clock says so', async (t) => {
  const timers = createTimers()
  let isOver = false
  const sleeping = sleep(timers, 100).then(() => {
    isOver = true
  })
  await timers.advance(99)
  t.notOk(isOver)
  await timers.advance(1)
  await sleeping
  t.ok(isOver)
})
