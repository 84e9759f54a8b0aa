import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { createReport } from '../../src/admin/service-status.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createContacts } from '../../src/contacts/contacts.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { createKnownCallers } from '../../src/rotation/reloaded-callers.ts'
import { createTokensInUse } from '../../src/rotation/reloaded-tokens.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createDriftTally } from '../../src/upstream/document/drift.ts'
import type { HilosHealth } from '../../src/upstream/hilos.ts'
import { createClock } from '../harness/clock.ts'

/** The report of a service that asks nobody, and the parts that it is about. */
function start(t: Test) {
  const clock = createClock()
  const { now } = clock
  const config = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  const logger = createLogger('silent', { write: () => {} })
  const metrics = createMetrics()
  let health: HilosHealth = { circuitBreaker: 'closed', pausedFor: null, callsInFlight: 0, callsQueued: 0 }
  const hilos = { getExecutionContact: async () => null, health: () => health, close: async () => {} }
  const lifecycle = createLifecycle()
  const callers = Fastify()
  const contacts = createContacts(config, hilos, { now, elapsed: now, random: () => 0.5 })
  const report = createReport({
    ...{ config, lifecycle, callers, hilos, contacts, now },
    drift: createDriftTally(() => {}),
    tokens: createTokensInUse(config.hilos, logger, metrics, now),
    known: createKnownCallers(config.access, logger, metrics, { now, elapsed: now }),
  })
  t.teardown(async () => {
    contacts.close()
    await callers.close()
  })
  return {
    ...{ report, lifecycle, callers, clock },
    fare: (given: HilosHealth) => {
      health = given
    },
  }
}

t.test('the report, by where the service is on its way, says whether it is ready and whether it drains', async (t) => {
  const { report, lifecycle } = start(t)
  const said = () => [report.state(), report.readings.isReady(), report.readings.isDraining()]
  t.strictSame(said(), ['starting', false, false])
  lifecycle.serve()
  t.strictSame(said(), ['serving', true, false])
  lifecycle.drain()
  t.strictSame(said(), ['draining', false, true])
})

t.test('the report, of what callers do, has the requests in flight and the open connections', async (t) => {
  const { report, lifecycle, callers } = start(t)
  for (const event of ['requestBegan', 'requestBegan', 'requestBegan', 'requestEnded'] as const) lifecycle[event]()
  t.equal(report.readings.requestsInFlight(), 2)
  await callers.listen({ host: '127.0.0.1', port: 0 })
  t.equal(await report.readings.connections(), 0)
  const { port } = callers.server.address() as AddressInfo
  for (const open of [1, 2]) {
    const accepted = once(callers.server, 'connection')
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await accepted
    t.equal(await report.readings.connections(), open)
  }
})

t.test('the report, of Hilos, is well only while calls to it are made as ever', async (t) => {
  const { report, fare } = start(t)
  for (const [circuitBreaker, ok] of [
    ['closed', true],
    ['open', false],
    ['half-open', false],
  ] as const) {
    const rest = { pausedFor: ok ? null : ('upstream_timeout' as const), callsInFlight: 1, callsQueued: 2 }
    fare({ circuitBreaker, ...rest })
    for (const parts of [report.parts(), report.readings.parts()])
      t.strictSame(parts.hilos, { ok, circuitBreaker, ...rest })
    t.strictSame(report.readings.hilos(), { circuitBreaker, ...rest })
  }
})

t.test('the report, of what is remembered, has each memory, as JSON and as labels are spelt', async (t) => {
  const { report } = start(t)
  const told = report.cache.fullness()
  t.strictSame(Object.keys(told), ['contacts', 'renderings', 'absences', 'ownAbsences'])
  const { ownAbsences, ...others } = told
  t.strictSame(report.readings.cache(), { ...others, ownAbsences: ownAbsences })
})

t.test('the report, as time goes by, has the start as it was and the token’s age as it is', async (t) => {
  const { report, clock } = start(t)
  clock.advance(1500)
  t.equal(report.build.startedAt, '2026-11-22T10:05:00.000Z')
  t.equal(report.readings.tokenAgeMs(), 1500)
})

t.test(
  'the report, of the token, has since when it is in use; of what the settings do not ask for, null',
  async (t) => {
    const { report } = start(t)
    t.match(report.parts(), {
      hilosToken: { ok: true, fingerprint: /^[\da-f]+$/, inUseSince: '2026-11-22T10:05:00.000Z', problems: [] },
      callersFile: null,
    })
  },
)
