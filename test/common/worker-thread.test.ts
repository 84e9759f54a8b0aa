import t, { type Test } from 'tap'
import { createWorkerThread, ThreadEnded, ThreadTimeout } from '../../src/common/worker-thread.ts'
import { createTimers } from '../harness/timers.ts'
import { until } from '../upstream/raw-hilos.ts'

function arrange(t: Test) {
  const timers = createTimers()
  const module = new URL('trying-thread.ts', import.meta.url)
  const thread = createWorkerThread<string, string>({
    ...{ module, data: null, idleMs: 1000, clock: timers },
  })
  t.teardown(thread.close)
  /** The name of the task and the id of the thread, or the error. */
  const run = async (task: string, timeoutMs = 60_000) =>
    await thread.run(task, timeoutMs).then(
      (result) => result.split(' '),
      (error: Error) => [error.constructor, (error.cause as Error | undefined)?.message],
    )
  return { ...thread, run, timers }
}

t.test('tasks are worked on in their order, by one thread', async (t) => {
  const { run } = arrange(t)
  const [[first, thread], ...others] = (await Promise.all(['a', 'b', 'c'].map((task) => run(task)))) as [
    string[],
    ...string[][],
  ]
  t.equal(first, 'a')
  t.strictSame(others, [
    ['b', thread],
    ['c', thread],
  ])
})

t.test('a thread that ends rejects the task in work, and the next one gets another thread', async (t) => {
  const { run } = arrange(t)
  const results = await Promise.all(['throw', 'a', 'exit', 'b'].map((task) => run(task)))
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
  const { run, timers } = arrange(t)
  const [, thread] = await run('last')
  // A timer that is left would end the next thread in the middle of its work.
  await until(() => timers.armed().length === 0)
  const [name, other] = await run('a')
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
  const results = Promise.all(['a', 'b'].map((task) => run(task)))
  close()
  t.strictSame(await results, Array(2).fill([ThreadEnded, undefined]))
  t.strictSame(await run('c'), [ThreadEnded, undefined], 'and starts no other')
  t.strictSame(timers.armed(), [])
})

t.test('a task that takes too long is rejected, in work or not, and the others are worked on', async (t) => {
  const { run, timers } = arrange(t)
  const [, thread] = await run('a')
  const results = Promise.all([run('hang', 10), run('b', 5), run('c', 100), run('d', 100)])
  await timers.advance(5)
  await timers.advance(5)
  const [hanging, b, c, d] = await results
  t.strictSame([hanging, b], Array(2).fill([ThreadTimeout, undefined]))
  t.strictSame([c?.[0], d?.[0], c?.[1]], ['c', 'd', d?.[1]])
  t.not(c?.[1], thread)
  t.strictSame(timers.armed(), [1000], 'no timer is left but that of the idle thread')
})

t.test('a task that waits for too long does not end the work before it', async (t) => {
  const { run, timers } = arrange(t)
  const [, thread] = await run('a')
  const results = Promise.all([run('busy', 100), run('b', 5)])
  await timers.advance(5)
  t.strictSame(await results, [
    ['busy', thread],
    [ThreadTimeout, undefined],
  ])
})

t.test('the late result of a task is not that of the next one', async (t) => {
  const timers: (() => void)[] = []
  const schedule = (run: () => void) => {
    timers.push(run)
    return () => {}
  }
  const module = new URL('trying-thread.ts', import.meta.url)
  const thread = createWorkerThread<string, string>({ module, data: null, idleMs: 1000, clock: { schedule } })
  t.teardown(thread.close)
  await thread.run('a', 10)
  const late = t.rejects(thread.run('late', 10), { name: 'ThreadTimeout' })
  // Its result waits in the queue of this thread when its time is over.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  timers.at(-1)?.()
  t.match(await thread.run('b', 10), /^b /)
  await late
})

t.test('a thread that cannot start rejects each of its tasks', async (t) => {
  const module = new URL('https://not-a-file.example/')
  const thread = createWorkerThread<string, string>({
    ...{ module, data: null },
    idleMs: 1000,
    clock: createTimers(),
  })
  t.teardown(thread.close)
  for (const task of ['a', 'b', 'c']) await t.rejects(thread.run(task, 1000), { name: 'ThreadEnded' })
})

t.test('a task that cannot be sent is rejected, and the next one is worked on', async (t) => {
  const { run } = arrange(t)
  const results = await Promise.all([run((() => {}) as unknown as string), run('a')])
  t.strictSame([results[0]?.[0], results[1]?.[0]], [ThreadEnded, 'a'])
})

t.test('the thread has neither the environment nor the options of the process', async (t) => {
  const { run } = arrange(t)
  t.strictSame((await run('env'))[0], '0')
})
