import { EventEmitter } from 'node:events'
import t from 'tap'
import type { DrainOptions } from '../../src/lifecycle/drain.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { stopOnSignals } from '../../src/lifecycle/shutdown.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTimers, settled } from '../harness/timers.ts'

/** A process that only hears and notes, serving unless told otherwise, whose service closes when `closed` says so. */
function start({ serving = true } = {}) {
  const lines: string[] = []
  const timers = createTimers()
  const lifecycle = createLifecycle()
  if (serving) lifecycle.serve()
  const closed = Promise.withResolvers<void>()
  const drains: DrainOptions[] = []
  let delayIsOver = false
  const exits: unknown[] = []
  const fake = Object.assign(new EventEmitter(), { exit: (status: number) => void exits.push(status) })
  stopOnSignals(fake as unknown as NodeJS.Process, {
    logger: createLogger('info', { write: (line) => void lines.push(line) }),
    lifecycle,
    drainDelayMs: 3000,
    lingerMs: 500,
    timeoutMs: 10_000,
    close: async (drain) => {
      drains.push(drain)
      void drain.delay.then(() => {
        delayIsOver = true
      })
      await closed.promise
    },
    after: (ms) => new Promise<void>((resolve) => timers.schedule(resolve, ms)),
  })
  return {
    lifecycle,
    advance: timers.advance,
    closed,
    drains,
    exits,
    delayIsOver: () => delayIsOver,
    lines: () => lines.map((line) => JSON.parse(line)),
    hears: async (event: string, what: unknown = event) => {
      fake.emit(event, what)
      await settled()
    },
  }
}

t.test('the process, on SIGTERM, drains with the delay and ends with 0 when all is closed', async (t) => {
  const { hears, advance, delayIsOver, lifecycle, drains, closed, exits, lines } = start()
  await hears('SIGTERM')
  t.equal(lifecycle.state(), 'draining')
  t.match(drains, [{ lingerMs: 500 }])
  await advance(2999)
  t.notOk(delayIsOver())
  await advance(1)
  t.ok(delayIsOver())
  t.strictSame(exits, [])
  closed.resolve()
  await settled()
  t.strictSame(exits, [0])
  t.match(lines(), [
    { level: 30, msg: 'stopping', signal: 'SIGTERM', delayMs: 3000 },
    { level: 30, msg: 'stopped', cut: 0 },
  ])
})

for (const signal of ['SIGINT', 'SIGHUP'])
  t.test(`the process, on ${signal}, waits for no load balancer`, async (t) => {
    const { hears, delayIsOver, drains, closed, exits, lines } = start()
    await hears(signal)
    t.ok(delayIsOver())
    t.match(drains, [{ lingerMs: 0 }])
    closed.resolve()
    await settled()
    t.strictSame(exits, [0])
    t.match(lines()[0], { msg: 'stopping', signal, delayMs: 0 })
  })

t.test('the process, on SIGTERM before it serves, waits for no load balancer', async (t) => {
  const { hears, delayIsOver, lines } = start({ serving: false })
  await hears('SIGTERM')
  t.ok(delayIsOver())
  t.match(lines(), [{ msg: 'stopping', delayMs: 0 }])
})

t.test('signals, when they follow one another, change nothing', async (t) => {
  const { hears, delayIsOver, drains, exits, lines } = start()
  await hears('SIGTERM')
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) await hears(signal)
  t.notOk(delayIsOver())
  t.equal(drains.length, 1)
  t.equal(lines().length, 1)
  t.strictSame(exits, [])
})

t.test('the process, at the limit, ends with 1 and says how many requests it cuts', async (t) => {
  const { hears, advance, lifecycle, exits, lines } = start()
  lifecycle.requestBegan()
  lifecycle.requestBegan()
  await hears('SIGTERM')
  await advance(9999)
  t.strictSame(exits, [])
  await advance(1)
  t.strictSame(exits, [1])
  t.match(lines().slice(1), [{ level: 50, msg: 'stopped', cut: 2 }])
})

for (const event of ['uncaughtException', 'unhandledRejection'])
  t.test(`the process, on an ${event}, logs it once, drains without delay and ends with 1`, async (t) => {
    const { hears, delayIsOver, drains, lifecycle, closed, exits, lines } = start()
    await hears(event, new Error('canary'))
    t.equal(lifecycle.state(), 'draining')
    t.ok(delayIsOver())
    t.match(drains, [{ lingerMs: 0 }])
    await hears('SIGTERM')
    closed.resolve()
    await settled()
    t.strictSame(exits, [1])
    t.match(lines(), [
      { level: 60, msg: 'stopping after an error nobody caught', err: { type: 'Error' } },
      { level: 30, msg: 'stopped', cut: 0 },
    ])
    t.equal(lines().length, 2)
  })

t.test('an error nobody caught, when it comes during a drain, ends the delay and not the drain', async (t) => {
  const { hears, advance, delayIsOver, drains, closed, exits, lines } = start()
  await hears('SIGTERM')
  await advance(1000)
  await hears('uncaughtException', new Error('canary'))
  t.ok(delayIsOver())
  await hears('unhandledRejection', 'canary')
  t.equal(drains.length, 1)
  t.strictSame(exits, [])
  closed.resolve()
  await settled()
  t.strictSame(exits, [1])
  t.strictSame(
    lines().map(({ level, msg }) => [level, msg]),
    [
      [30, 'stopping'],
      [60, 'stopping after an error nobody caught'],
      [50, 'another error nobody caught'],
      [30, 'stopped'],
    ],
  )
})

t.test('the process, when its service cannot be closed, says so and ends with 1', async (t) => {
  const { hears, closed, exits, lines } = start()
  closed.reject(new TypeError('canary'))
  await hears('SIGTERM')
  t.strictSame(exits, [1])
  t.match(lines().slice(1), [{ level: 50, msg: 'stopped out of order', err: { type: 'TypeError' } }])
})
