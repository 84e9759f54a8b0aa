import t, { type Test } from 'tap'
import { createWorkerThread, ThreadEnded } from '../../src/common/worker-thread.ts'
import { createTimers } from '../harness/timers.ts'

function arrange(t: Test) {
  const timers = createTimers()
  const module = new URL('trying-thread.ts', import.meta.url)
  const thread = createWorkerThread<string, string>({ module, data: null, idleMs: 1000, clock: timers })
  t.teardown(thread.close)
  /** The name of the task and the id of the thread, or the error. */
  const run = async (task: string) =>
    await thread.run(task).then(
      (result) => result.split(' '),
      (error: Error) => [error.constructor, (error.cause as Error | undefined)?.message],
    )
  return { ...thread, run, timers }
}

t.test('tasks are worked on in their order, by one thread', async (t) => {
  const { run } = arrange(t)
  const [[first, thread], ...others] = (await Promise.all(['a', 'b', 'c'].map(run))) as [string[], ...string[][]]
  t.equal(first, 'a')
  t.strictSame(others, [
    ['b', thread],
    ['c', thread],
  ])
})

t.test('a thread that ends rejects the task in work, and the next one gets another thread', async (t) => {
  const { run } = arrange(t)
  const results = await Promise.all(['throw', 'a', 'exit', 'b'].map(run))
  t.strictSame(
    [results[0], results[2]],
    [
      [ThreadEnded, 'thrown'],
      [ThreadEnded, undefined],
    ],
  )
  const [[a, threadOfA], [b, threadOfB]] = [results[1], results[3]] as [string[], string[]]
  t.strictSame([a, b], ['a', 'b'])
  t.not(threadOfA, threadOfB)
})

t.test('a thread that ends without a task is replaced', async (t) => {
  const { run } = arrange(t)
  const [, thread] = await run('last')
  const again = await run('a')
  // The task may have been sent to the thread that was about to end.
  const [name, other] = again[0] === ThreadEnded ? await run('a') : again
  t.equal(name, 'a')
  t.not(other, thread)
})

t.test('a thread ends when it has had nothing to do for the idle time', async (t) => {
  const { run, timers } = arrange(t)
  const [, thread] = await run('a')
  await timers.advance(999)
  t.strictSame(await run('b'), ['b', thread])
  t.strictSame(timers.armed(), [1000], 'the time begins anew with each task')
  await timers.advance(1000)
  const [name, other] = await run('c')
  t.equal(name, 'c')
  t.not(other, thread)
})

t.test('a thread that is closed ends its tasks', async (t) => {
  const { run, close, timers } = arrange(t)
  close()
  const results = Promise.all(['a', 'b'].map(run))
  close()
  t.strictSame(await results, Array(2).fill([ThreadEnded, undefined]))
  t.strictSame(timers.armed(), [])
})
