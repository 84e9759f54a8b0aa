import { hash } from 'node:crypto'
import t, { type Test } from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { loadConfig } from '../../src/config/config.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import type { SharedTierConfig } from '../../src/config/shared-tier.ts'
import { fail, open } from '../../src/tier/contact-scripts.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'
import { createEvents } from '../../src/tier/events.ts'
import type { SharedTierObserver } from '../../src/tier/observer.ts'
import { leave, report } from '../../src/tier/replica-scripts.ts'
import type { Script, SharedEvent } from '../../src/tier/shared-server.ts'
import { createSharedTier } from '../../src/tier/shared-tier.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { freePort } from '../harness/free-port.ts'
import { type Answer, bulk, list, startRespStub } from '../harness/resp-stub.ts'
import { createTimers, settled } from '../harness/timers.ts'
import { serverAt } from '../harness/valkey.ts'

const key = new Secret(Buffer.alloc(32, 7).toString('base64'))
const id = '00000000-0000-4000-8000-000000000001'

function arrange(t: Test, port: number) {
  const clock = createTimers()
  const settings: SharedTierConfig = {
    ...sharedTierLimits,
    connectMs: 10_000,
    server: serverAt(port),
    keyPrefix: 'hbff',
    cacheKeys: { names: key, seal: [{ id: 1, key }] },
    cacheKeyFile: null,
    cacheKeyText: key,
    expectedReplicas: 2,
  }
  const ignore = () => {}
  const observer: SharedTierObserver = {
    ...{ operationEnded: ignore, attached: ignore, detached: ignore, read: ignore, put: ignore, tookOver: ignore },
    ...{ unopened: ignore, eventHeard: ignore, memoryLost: ignore, slot: ignore, forgottenElsewhere: ignore },
  }
  const config = loadConfig({ HILOS_TOKEN: 'token-canary', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  const tier = createSharedTier({ config, settings, cacheKeys: () => settings.cacheKeys, observer, clock })
  t.teardown(tier.close)
  return { clock, config, ...tier }
}

const demand = {
  ...{ askedBy: new Set<string>(), urgency: () => 0 as const, maxAgeMs: Number.POSITIVE_INFINITY },
  ...{ markAsked: () => {}, markAskedElsewhere: () => {}, offer: () => {}, abandon: () => {} },
}
const query = { id, flows: null, known: undefined }
const absence = { bytes: 0, freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0, generatedAt: 0, value: null }

t.test('the start waits for a second when the server says nothing', async (t) => {
  const stub = await startRespStub(t, { answers: { CLIENT: null, INFO: null } })
  const { clock, start, status } = arrange(t, stub.host.port)
  let isStarted = false
  const started = start().then(() => {
    isStarted = true
  })
  await stub.nth('CLIENT', 2)
  await clock.advance(999)
  t.notOk(isStarted)
  await clock.advance(1)
  await started
  t.match(status(), { ok: false, replicas: 2 })
})

t.test('the start is over when there is no server, and the replica works by itself', async (t) => {
  const { start, status, secondTier, createRation } = arrange(t, await freePort())
  await start()
  t.match(status(), { ok: false, reason: 'refused', replicas: 2 })
  t.equal(secondTier.replicas(), 2)
  const entry = await secondTier.load(query, demand, async () => ({ entry: absence, isGone: false }))
  t.equal(entry, absence)
  await t.rejects(secondTier.forget(id, 'purge'), { code: 'shared_tier_unavailable' })
  const ration = createRation({ changed: () => {}, paused: () => {} })
  t.ok(Number.isFinite(ration.nextAt()), 'a call may begin by the share of this replica')
})

t.test('its parts use one attachment', async (t) => {
  const shaOf = ({ lua }: Script) => hash('sha1', lua)
  const integer = (value: number) => `:${value}\r\n`
  let reads = 0
  const envelope = createEnvelope(() => ({ names: key, seal: [{ id: 1, key }] }))
  const other = createEvents('other', envelope, { unopened: () => {} })
  const told: readonly SharedEvent[] = [
    { kind: 'cleared', purge: '' },
    { kind: 'forgotten', id, purge: '' },
    { kind: 'landed', id, revision: 'revision' },
  ]
  const entries = told.map((event, index) => list(bulk(`5-${index + 2}`), list(...other.encode(event).map(bulk))))
  const replies = new Map<string, string>([
    [shaOf(report), list(integer(3), bulk('5-1'), bulk('5-1'), bulk('5-1'), integer(1000))],
    [shaOf(open), list(bulk('lead'), list(bulk('0')), list())],
    [shaOf(fail), bulk('stored')],
    [shaOf(leave), integer(1)],
  ])
  const answers: Record<string, Answer> = {
    EVALSHA: ({ args: [sha] }) => replies.get(String(sha)) ?? '-ERR unknown script\r\n',
    XREAD: () => {
      reads += 1
      return reads === 1 ? list(list(bulk('{hbff}:ev'), list(...entries))) : null
    },
  }
  const stub = await startRespStub(t, { answers })
  const { start, status, secondTier, close, config } = arrange(t, stub.host.port)
  const heard: string[] = []
  secondTier.listen({
    cleared: () => void heard.push('all'),
    gone: (contact) => void heard.push(`gone ${contact}`),
    forgotten: (contact) => void heard.push(`forgotten ${contact}`),
    changed: (contact) => void heard.push(`changed ${contact}`),
  })
  await start()
  t.match(status(), { ok: true, server: 'redis 7.0.15', replicas: 3 })
  await stub.nth('XREAD', 2)
  t.strictSame(heard, ['all', `gone ${id}`, `changed ${id}`])
  const failure = new UpstreamFailure('upstream_error', { facts: { upstreamStatus: 500 } })
  await t.rejects(
    secondTier.load(query, demand, async () => {
      throw failure
    }),
    { code: 'upstream_error' },
  )
  const sent = stub.named('EVALSHA').find(({ args: [sha] }) => String(sha) === shaOf(fail))
  const [, , ...others] = sent?.args.map(String) ?? []
  const ttl = Math.ceil(config.cache.failureTtlMs * Math.min(config.cache.lifetimeScale, 1) * 1.5)
  t.strictSame(others.slice(6, 9), ['upstream_error', '1', String(ttl)], 'it is remembered for as long as here')
  await close()
  await settled()
  t.equal(String(stub.named('EVALSHA').at(-1)?.args[0]), shaOf(leave))
  await stub.left()
})
