import t from 'tap'
import { createBurstLog } from '../../src/telemetry/bursts.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTimers } from '../harness/timers.ts'

t.test('each burst is a line at its start and a line with the count at its end, for each reason', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const clock = createTimers()
  const happened = createBurstLog(logger, { startMessage: 'it rains', endMessage: 'it is dry', quietMs: 1000, clock })
  const logged = () =>
    lines
      .splice(0)
      .map((line) => JSON.parse(line))
      .map(({ level, msg, reason, times }) => [level, msg, reason, times])

  for (const reason of ['a', 'b', 'a', 'a']) happened(reason)
  t.strictSame(logged(), [
    [40, 'it rains', 'a', undefined],
    [40, 'it rains', 'b', undefined],
  ])
  t.equal(clock.armed().length, 2)
  await clock.advance(999)
  happened('a')
  await clock.advance(1)
  t.strictSame(logged(), [[30, 'it is dry', 'b', 1]])
  await clock.advance(998)
  t.strictSame(logged(), [])
  await clock.advance(1)
  t.strictSame(logged(), [[30, 'it is dry', 'a', 4]])

  happened('b')
  await clock.advance(1000)
  t.strictSame(logged(), [
    [40, 'it rains', 'b', undefined],
    [30, 'it is dry', 'b', 1],
  ])
})
