import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import type { FaultName } from '../../sandbox/faults.ts'
import { executionContact, uuid } from '../../sandbox/parts.ts'
import { Secret } from '../../src/common/secret.ts'
import { type Arrangement, sandboxToken, startService, until } from '../harness/service.ts'

const id = documentIds.ready
const path = `/execution-contacts/${id}`

/** A service that remembers a READY contact: fresh for 5 s, then 30 s and 600 s. */
async function startWarm(t: Test, arrangement?: Arrangement) {
  const running = await startService(t, arrangement)
  const { get, sandbox } = running
  await get(path)
  const calls = () => sandbox.requests.length
  /** What the cache did, after the name of the service. */
  const statusOf = async (headers?: Record<string, string>) => {
    const reply = await get(path, headers)
    return `${reply.status} ${reply.headers.get('cache-status')?.replace('hilos-bff; ', '') ?? reply.json().code}`
  }
  const fail = (fault: FaultName) => sandbox.faults.set(id, fault)
  const heal = () => sandbox.faults.delete(id)
  return { ...running, calls, statusOf, fail, heal }
}

t.test('a stale answer, while Hilos answers, goes out at once and is refreshed behind', async (t) => {
  const { statusOf, clock, calls, store } = await startWarm(t)
  clock.advance(6000)
  t.equal(await statusOf(), '200 hit; ttl=-1; detail=revalidating')
  await until(() => [...store.entries()][0]?.[1].fetchedAt === clock.now())
  t.equal(await statusOf(), '200 hit; ttl=5')
  t.equal(calls(), 2)
  clock.advance(36_000)
  t.equal(await statusOf(), '200 fwd=stale; ttl=5; stored', 'past the window it is waited for')
})

t.test(
  'an outage, from first to last, is served stale, asked about once in a while, and over when it is over',
  async (t) => {
    const { statusOf, clock, calls, fail, heal } = await startWarm(t)
    fail('broken')
    clock.advance(6000)
    t.equal(await statusOf(), '200 hit; ttl=-1; detail=revalidating')
    // Until that refresh has failed, others are told that it is under way.
    const settled = ['200 hit; ttl=-1; detail=revalidating', '200 hit; ttl=-1; detail=backing-off']
    while ((await statusOf()) === settled[0]) {}
    t.equal(await statusOf(), settled[1])
    t.equal(calls(), 2)
    clock.advance(39_000)
    t.equal(await statusOf(), '200 fwd=stale; ttl=-40; detail=origin-failed')
    t.equal(await statusOf(), '200 hit; ttl=-40; detail=backing-off')
    t.equal(calls(), 3)
    clock.advance(2000)
    t.equal(await statusOf(), '200 fwd=stale; ttl=-42; detail=origin-failed')
    heal()
    clock.advance(2000)
    t.equal(await statusOf(), '200 fwd=stale; ttl=5; stored')
    fail('broken')
    clock.advance(605_000)
    t.equal(await statusOf(), '502 upstream_error', 'past every window there is nothing to serve')
    t.equal(await statusOf(), '502 upstream_error')
    t.equal(calls(), 6, 'and the failure is remembered for a moment')
  },
)

t.test('each fault, by its kind, is papered over or is not', async (t) => {
  const table: readonly (readonly [FaultName, string])[] = [
    ['broken', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['outOfService', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['rateLimited', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['reset', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['cutBody', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['invalidJson', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['html', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['notHttp', '200 fwd=stale; ttl=-40; detail=origin-failed'],
    ['unauthorized', '502 upstream_unauthorized'],
    ['forbidden', '502 upstream_forbidden'],
    ['redirect', '502 upstream_redirect'],
    ['empty', '502 upstream_invalid_response'],
    ['anotherId', '502 upstream_invalid_response'],
    ['htmlNotFound', '502 upstream_misconfigured'],
  ]
  for (const [fault, expected] of table) {
    const { statusOf, clock, fail } = await startWarm(t)
    fail(fault)
    clock.advance(45_000)
    t.equal(await statusOf(), expected, fault)
  }
})

const tokenFingerprint = new Secret(sandboxToken).fingerprint()

t.test('a refusal of our key, behind a stale answer, ends it, pauses all calls and is logged once', async (t) => {
  const { statusOf, get, clock, calls, fail, heal, logLines } = await startWarm(t)
  fail('unauthorized')
  clock.advance(6000)
  t.equal(await statusOf(), '200 hit; ttl=-1; detail=revalidating')
  await until(() => logLines().some(({ msg }) => msg === 'calls to Hilos pause'))
  t.equal(await statusOf(), '502 upstream_unauthorized')
  const other = await get(`/execution-contacts/${documentIds.paused}`)
  t.equal(other.json().code, 'upstream_unauthorized')
  t.equal(calls(), 2, 'nobody else is sent into the same refusal')
  clock.advance(2000)
  t.equal(await statusOf(), '502 upstream_unauthorized')
  t.equal(calls(), 3)
  heal()
  clock.advance(2000)
  t.equal(await statusOf(), '200 fwd=uri-miss; ttl=5; stored')
  const said = logLines().flatMap(({ msg }) => (/^calls to Hilos/.test(String(msg)) ? [msg] : []))
  t.strictSame(said, ['calls to Hilos pause', 'calls to Hilos go on'])
  t.match(
    logLines().find(({ msg }) => msg === 'calls to Hilos pause'),
    { level: 40, err: { code: 'upstream_unauthorized', upstreamStatus: 401, tokenFingerprint } },
    'with what Hilos said, and to which token',
  )
})

t.test(
  'a contact that Hilos forbids, when asked about again and again, takes no stale answer from another',
  async (t) => {
    const { statusOf, get, clock, sandbox } = await startWarm(t)
    sandbox.faults.set(documentIds.paused, 'forbidden')
    clock.advance(6000)
    t.equal((await get(`/execution-contacts/${documentIds.paused}`)).json().code, 'upstream_forbidden')
    t.equal(await statusOf(), '200 hit; ttl=-1; detail=revalidating')
    while ((await statusOf()) === '200 hit; ttl=-1; detail=revalidating') {}
    t.equal(await statusOf(), '200 hit; ttl=-1; detail=backing-off', 'whose refresh fell into the pause')
  },
)

t.test('Retry-After, once Hilos says so, is kept by everyone, counted down, and served around', async (t) => {
  const { statusOf, get, clock, calls, fail, heal } = await startWarm(t)
  fail('rateLimited')
  clock.advance(45_000)
  t.equal(await statusOf(), '200 fwd=stale; ttl=-40; detail=origin-failed')
  t.equal(calls(), 2)
  clock.advance(2500)
  const other = await get(`/execution-contacts/${documentIds.paused}`)
  t.match([other.status, other.json().code, other.headers.get('retry-after')], [503, 'upstream_rate_limited', '5'])
  t.equal(await statusOf(), '200 fwd=stale; ttl=-43; detail=origin-failed')
  t.equal(calls(), 2)
  heal()
  clock.advance(4500)
  t.equal(await statusOf(), '200 fwd=stale; ttl=5; stored')
})

t.test('something stale, when Hilos is slow, goes out after 400 ms and the refresh ends behind it', async (t) => {
  const { statusOf, clock, sandbox, store } = await startWarm(t)
  const gate = Promise.withResolvers<void>()
  sandbox.documents.set(id, async () => {
    await gate.promise
    return executionContact(id, { status: 'PAUSED' })
  })
  clock.advance(45_000)
  const startedMs = performance.now()
  t.equal(await statusOf(), '200 fwd=stale; ttl=-40; detail=origin-slow')
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 390, `${tookMs} ms`)
  t.equal(await statusOf(), '200 fwd=stale; ttl=-40; collapsed; detail=origin-slow')
  gate.resolve()
  await until(() => [...store.entries()][0]?.[1].fetchedAt === clock.now())
  t.equal(await statusOf(), '200 hit; ttl=15')
})

t.test('Cache-Control, of a request, is met down to the floor of a second', async (t) => {
  const { statusOf, clock, calls, fail } = await startWarm(t)
  clock.advance(1000)
  t.equal(await statusOf({ 'cache-control': 'no-cache' }), '200 hit; ttl=4')
  clock.advance(1)
  t.equal(await statusOf({ 'cache-control': 'max-age=2' }), '200 hit; ttl=4')
  t.equal(calls(), 1)
  t.equal(await statusOf({ 'cache-control': 'no-cache' }), '200 fwd=request; ttl=5; stored')
  clock.advance(3000)
  t.equal(await statusOf({ 'cache-control': 'max-age=2' }), '200 fwd=request; ttl=5; stored')
  t.equal(calls(), 3)
  fail('broken')
  clock.advance(2000)
  t.equal(await statusOf({ 'cache-control': 'no-cache' }), '502 upstream_error')
  t.equal(await statusOf(), '200 hit; ttl=3', 'and what is remembered is kept')
})

t.test('only-if-cached, when nothing is remembered, is a 504 without a call', async (t) => {
  const { get, statusOf, clock, calls } = await startWarm(t)
  const onlyIfCached = { 'cache-control': 'only-if-cached' }
  t.equal(await statusOf(onlyIfCached), '200 hit; ttl=5')
  clock.advance(6000)
  t.equal(await statusOf(onlyIfCached), '200 hit; ttl=-1')
  clock.advance(30_000)
  t.equal(await statusOf(onlyIfCached), '504 not_cached')
  const reply = await get(`/execution-contacts/${documentIds.paused}`, onlyIfCached)
  t.match([reply.status, reply.json().retryable, reply.headers.get('retry-after')], [504, false, null])
  t.equal(calls(), 1)
})

t.test('what is past its last window, without anybody asking, is looked for every ten seconds', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { service } = await startWarm(t)
  const sweep = t.capture(service.store, 'sweep', service.store.sweep)
  mock.timers.tick(9999)
  t.equal(sweep().length, 0)
  mock.timers.tick(1)
  t.equal(sweep().length, 1)
  await service.close()
  mock.timers.tick(60_000)
  t.equal(sweep().length, 0, 'nor is it looked for once the service is closed')
})

t.test('400 callers of as many ids, while Hilos hangs, wait in a bounded queue or are told so', async (t) => {
  const { get, statusOf, sandbox, calls } = await startWarm(t)
  const ids = Array.from({ length: 400 }, (_, index) => uuid(0xabc, index))
  for (const each of ids) sandbox.faults.set(each, 'hang')
  const codes: string[] = []
  const replies = ids.map(async (each) => codes.push((await get(`/execution-contacts/${each}`)).json().code))
  await until(() => codes.length === 400 - 16 - 100)
  t.ok(codes.every((code) => code === 'overloaded'))
  t.equal(calls(), 1 + 16, 'as many calls as connections')
  t.equal(await statusOf(), '200 hit; ttl=5', 'what is remembered is served')
  await sandbox.close()
  await Promise.all(replies)
  t.ok(
    codes.slice(284).every((code) => code === 'upstream_unavailable'),
    'and all get an answer',
  )
})
