import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { createServiceStatus, type ServiceParts } from '../../src/admin/service-status.ts'
import { version } from '../../src/common/version.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createContacts } from '../../src/contacts/contacts.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { createReloadedCallers } from '../../src/rotation/reloaded-callers.ts'
import { createReloadedTokens } from '../../src/rotation/reloaded-tokens.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createDriftTally } from '../../src/upstream/document/drift.ts'
import type { HilosHealth } from '../../src/upstream/hilos.ts'
import { createClock } from '../harness/clock.ts'

const hilosHealth: HilosHealth = {
  ...{ ok: false, lastCall: { at: new Date('2026-11-22T10:05:00.000Z'), outcome: 'upstream_timeout' } },
  ...{ lastAnswerAt: null, failuresInARow: 1 },
  ...{ circuitBreaker: 'closed', pausedFor: null, callsInFlight: 1, callsQueued: 2 },
}

const cacheKeyStatus = { ok: true, ids: [1], problems: [] }

/** The status of a service that calls no other server, and the parts that it reports on. */
async function start(t: Test, sharedTier: ServiceParts['sharedTier'] = null) {
  const clock = createClock()
  const env = { HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', SOURCE_COMMIT: 'c0ffee1' }
  const config = loadConfig(env)
  const logger = createLogger('silent', { write: () => {} })
  const metrics = createMetrics()
  const linesLost = { info: 1, warning: 2 }
  const logState = { status: () => ({ ok: false, linesLost: 3 }), linesLost: () => linesLost, isFull: () => false }
  const hilos = {
    getExecutionContact: async () => ({ content: null, ageMs: 0 }),
    health: () => hilosHealth,
    close: async () => {},
  }
  const lifecycle = createLifecycle()
  const watching = () => ({ streams: 1, polls: 2, contacts: 3, lateness: 4.5 })
  const callers = Fastify()
  const contacts = createContacts(config, hilos, () => {}, clock)
  const status = createServiceStatus({
    ...{ config, logState, lifecycle, callers, hilos, contacts, watching, sharedTier, clock },
    drift: createDriftTally(() => {}),
    reloadedTokens: createReloadedTokens(config.hilos, logger, metrics, clock),
    reloadedCallers: await createReloadedCallers(config.access, logger, metrics, clock),
    reloadedCacheKeys: sharedTier && { status: () => cacheKeyStatus },
  })
  t.teardown(async () => {
    contacts.close()
    await callers.close()
  })
  return { status, lifecycle, callers, clock }
}

t.test('readiness and draining follow the lifecycle', async (t) => {
  const { status, lifecycle } = await start(t)
  const shown = () => [status.state(), status.readings.isReady(), status.readings.isDraining()]
  t.strictSame(shown(), ['starting', false, false])
  lifecycle.serve()
  t.strictSame(shown(), ['serving', true, false])
  lifecycle.drain()
  t.strictSame(shown(), ['draining', false, true])
})

t.test('requests in flight and open connections are counted', async (t) => {
  const { status, lifecycle, callers } = await start(t)
  for (const event of ['requestBegan', 'requestBegan', 'requestBegan', 'requestEnded'] as const) lifecycle[event]()
  t.equal(status.readings.requestsInFlight(), 2)
  await callers.listen({ host: '127.0.0.1', port: 0 })
  const { port } = callers.server.address() as AddressInfo
  const counts = [await status.readings.connections()]
  for (const _ of [1, 2]) {
    const accepted = once(callers.server, 'connection')
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await accepted
    counts.push(await status.readings.connections())
  }
  t.strictSame(counts, [0, 1, 2])
})

t.test('the health of Hilos is reported in JSON and in the metrics', async (t) => {
  const { status } = await start(t)
  for (const health of [status.parts().hilos, status.readings.parts().hilos, status.readings.hilos()])
    t.equal(health, hilosHealth)
})

t.test('each store is reported in JSON and in the metrics, under the same names', async (t) => {
  const { status } = await start(t)
  t.strictSame(Object.keys(status.cache.usage()), ['contacts', 'renderings', 'absences', 'ownAbsences'])
  t.strictSame(status.readings.cache(), status.cache.usage())
})

t.test('the build, the start and the token are reported, and a part without a setting is null', async (t) => {
  const { status, clock } = await start(t)
  const startedAt = '2026-11-22T10:05:00.000Z'
  clock.advance(1500)
  t.strictSame(status.build, { version, commit: 'c0ffee1', node: process.version, startedAt })
  t.equal(status.readings.tokenAgeMs(), 1500)
  t.match(status.parts(), {
    hilosToken: { ok: true, fingerprint: /^[\da-f]+$/, inUseSince: startedAt, problems: [] },
    callersFile: null,
    cacheKeyFile: null,
    log: { ok: false, linesLost: 3 },
    sharedTier: null,
  })
  t.strictSame([status.isShared, status.readings.sharedTier], [false, null])
  t.strictSame(status.readings.logLinesLost(), { info: 1, warning: 2 })
  t.strictSame(status.readings.watching(), { streams: 1, polls: 2, contacts: 3, lateness: 4.5 })
})

t.test('the shared tier is reported in JSON and in the metrics, and does not make the service unready', async (t) => {
  const since = new Date('2026-11-22T10:04:00.000Z')
  const detached = { ok: false, since, reason: 'timeout', replicas: 3, server: 'redis 7.0.15', eventsBehindMs: 60_000 }
  const { status, lifecycle } = await start(t, { status: () => detached })
  lifecycle.serve()
  t.equal(status.parts().sharedTier, detached)
  t.equal(status.parts().cacheKeyFile, cacheKeyStatus)
  t.equal(status.readings.sharedTier?.(), detached)
  t.strictSame([status.isShared, status.readings.isReady()], [true, true])
})
