import { EventEmitter } from 'node:events'
import t from 'tap'
import type { DrainOptions } from '../../src/lifecycle/drain.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { shutDownOnSignals } from '../../src/lifecycle/shutdown.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTimers, settled } from '../harness/timers.ts'

/** A process that only records, in the state `serving` by default. Its service is closed when `closed` resolves. */
function start({ serving = true } = {}) {
  const lines: string[] = []
  const clock = createTimers()
  const lifecycle = createLifecycle()
  if (serving) lifecycle.serve()
  const closed = Promise.withResolvers<void>()
  const drains: DrainOptions[] = []
  let isDelayOver = false
  const exits: unknown[] = []
  const fake = Object.assign(new EventEmitter(), { exit: (status: number) => void exits.push(status) })
  shutDownOnSignals(fake as unknown as NodeJS.Process, {
    logger: createLogger('info', { write: (line) => void lines.push(line) }),
    ...{ lifecycle, clock, drainDelayMs: 3000, idleGraceMs: 500, timeoutMs: 10_000 },
    close: async (drain) => {
      drains.push(drain)
      void drain.delay.then(() => {
        isDelayOver = true
      })
      await closed.promise
    },
  })
  /** Emits an event. */
  const emit = async (event: string, value: unknown = event) => {
    fake.emit(event, value)
    await settled()
  }
  const finish = async () => {
    closed.resolve()
    await settled()
  }
  return {
    ...{ lifecycle, advance: clock.advance, closed, finish, drains, exits, emit },
    isDelayOver: () => isDelayOver,
    lines: () => lines.map((line) => JSON.parse(line)),
  }
}

t.test('each signal and each uncaught error drains the service once', async (t) => {
  const uncaught = { level: 60, msg: 'stopping after an uncaught error', err: { type: 'Error' } }
  const onSignal = (signal: string, delayMs: number) => ({ level: 30, msg: 'stopping', signal, delayMs })
  for (const [event, serving, delayMs, idleGraceMs, status, line] of [
    ['SIGTERM', true, 3000, 500, 0, onSignal('SIGTERM', 3000)],
    ['SIGTERM', false, 0, 500, 0, onSignal('SIGTERM', 0)],
    ['SIGINT', true, 0, 0, 0, onSignal('SIGINT', 0)],
    ['SIGHUP', true, 0, 0, 0, onSignal('SIGHUP', 0)],
    ['uncaughtException', true, 0, 0, 1, uncaught],
    ['unhandledRejection', true, 0, 0, 1, uncaught],
  ] as const) {
    const { emit, advance, isDelayOver, lifecycle, drains, finish, exits, lines } = start({ serving })
    await emit(event, status === 1 ? new Error('canary') : event)
    for (const later of ['SIGTERM', 'SIGINT', 'SIGHUP']) await emit(later)
    t.equal(lifecycle.state(), 'draining', event)
    t.match(drains, [{ idleGraceMs }])
    await advance(delayMs - 1)
    t.equal(isDelayOver(), delayMs === 0)
    await advance(1)
    t.ok(isDelayOver())
    t.strictSame([drains.length, exits], [1, []])
    await finish()
    t.strictSame(exits, [status])
    t.match(lines(), [line, { level: 30, msg: 'stopped', cut: 0 }])
    t.equal(lines().length, 2)
  }
})

t.test('at the timeout the exit status is 1, and the log says how many requests are cut', async (t) => {
  const { emit, advance, lifecycle, exits, lines } = start()
  lifecycle.requestBegan()
  lifecycle.requestBegan()
  await emit('SIGTERM')
  await advance(9999)
  t.strictSame(exits, [])
  await advance(1)
  t.strictSame(exits, [1])
  t.match(lines().slice(1), [{ level: 50, msg: 'stopped', cut: 2 }])
})

t.test('an uncaught error during the drain ends the delay but not the drain', async (t) => {
  const { emit, advance, isDelayOver, drains, finish, exits, lines } = start()
  await emit('SIGTERM')
  await advance(1000)
  await emit('uncaughtException', new Error('canary'))
  t.ok(isDelayOver())
  await emit('unhandledRejection', 'canary')
  t.strictSame([drains.length, exits.length], [1, 0])
  await finish()
  t.strictSame(exits, [1])
  const logged = lines().map(({ level, msg }) => `${level} ${msg}`)
  const messages = ['30 stopping', '60 stopping after an uncaught error', '50 another uncaught error', '30 stopped']
  t.strictSame(logged, messages)
})

t.test('a service that cannot be closed is logged, and the exit status is 1', async (t) => {
  const { emit, closed, exits, lines } = start()
  closed.reject(new TypeError('canary'))
  await emit('SIGTERM')
  t.strictSame(exits, [1])
  t.match(lines().slice(1), [{ level: 50, msg: 'shutdown failed', err: { type: 'TypeError' } }])
})
