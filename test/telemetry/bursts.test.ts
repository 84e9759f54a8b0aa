import { mock } from 'node:test'
import t from 'tap'
import { createSpells } from '../../src/telemetry/bursts.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTimers } from '../harness/timers.ts'

t.test('what happens many times over, for each reason, is a line when it begins and one when it is over', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const { schedule, advance, armed } = createTimers()
  const happened = createSpells(logger, { begins: 'it rains', ends: 'it is dry', quietMs: 1000, schedule })
  const told = () =>
    lines
      .splice(0)
      .map((line) => JSON.parse(line))
      .map(({ time, ...rest }) => rest)

  for (const reason of ['a', 'b', 'a', 'a']) happened(reason)
  const begun = [
    { level: 40, reason: 'a', msg: 'it rains' },
    { level: 40, reason: 'b', msg: 'it rains' },
  ]
  t.strictSame(told(), begun)
  t.equal(armed().length, 2)
  await advance(999)
  happened('a')
  await advance(1)
  t.strictSame(told(), [{ level: 30, reason: 'b', times: 1, msg: 'it is dry' }])
  await advance(998)
  t.strictSame(told(), [])
  await advance(1)
  t.strictSame(told(), [{ level: 30, reason: 'a', times: 4, msg: 'it is dry' }])

  happened('b')
  t.strictSame(told(), begun.slice(1), 'and so on')
  await advance(1000)
  t.strictSame(told(), [{ level: 30, reason: 'b', times: 1, msg: 'it is dry' }])
})

t.test('what happens many times over, on the timers of the process, is over when it has been quiet', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const happened = createSpells(logger, { begins: 'it rains', ends: 'it is dry', quietMs: 1000 })
  const told = () => lines.map((line) => JSON.parse(line).msg)
  happened('a')
  mock.timers.tick(999)
  happened('a')
  mock.timers.tick(999)
  t.strictSame(told(), ['it rains'])
  mock.timers.tick(1)
  t.strictSame(told(), ['it rains', 'it is dry'])
})
