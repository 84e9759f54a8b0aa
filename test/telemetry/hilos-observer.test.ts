import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createHilosObserver } from '../../src/telemetry/hilos-observer.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

t.test('the events of calls to Hilos are counted, and those that change the state are logged', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const counted: unknown[] = []
  const count = (name: string) => [name, (...args: unknown[]) => void counted.push([name, ...args])]
  const names = ['slotGranted', 'slotRefused', 'callEnded', 'callRetried', 'circuitOpened', 'tokenRefused']
  const counters = Object.fromEntries(names.map(count))
  const observer = createHilosObserver({ ...createMetrics(), ...counters }, logger)

  observer.slotGranted(7)
  observer.slotRefused()
  observer.callEnded('found', 8)
  observer.callRetried()
  observer.tokenRefused('0badcafe', 'upstream_forbidden')
  observer.tokenChanged('0badcafe')
  observer.circuitOpened(new Failure('upstream_error'))
  observer.circuitClosed()
  t.strictSame(counted, [
    ['slotGranted', 7],
    ['slotRefused'],
    ['callEnded', 'found', 8],
    ['callRetried'],
    ['tokenRefused', 'upstream_forbidden'],
    ['circuitOpened', 'upstream_error'],
  ])
  const logged = lines.map((line) => JSON.parse(line))
  t.match(logged, [
    { level: 40, tokenFingerprint: '0badcafe', msg: /^Hilos refused the token in use and accepted the other one/ },
    { level: 40, err: { code: 'upstream_error' }, msg: 'circuit breaker opened' },
    { level: 30, msg: 'circuit breaker closed' },
  ])
})
