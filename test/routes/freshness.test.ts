import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import type { FaultName } from '../../sandbox/faults.ts'
import { executionContact, uuid } from '../../sandbox/parts.ts'
import { Secret } from '../../src/common/secret.ts'
import type { TestClock } from '../harness/clock.ts'
import { type Arrangement, sandboxToken, startService, until } from '../harness/service.ts'
import { createTimers } from '../harness/timers.ts'
import { type Answer, jsonResponse, startRawHilos } from '../upstream/raw-hilos.ts'

const id = documentIds.ready
const pathOf = (id: string) => `/execution-contacts/${id}`

/** A service that has stored a READY contact: it is fresh for 5 s, and then has stale windows of 30 s and 600 s. */
async function startWarm(t: Test, arrangement?: Arrangement) {
  const running = await startService(t, arrangement)
  const { get, sandbox } = running
  await get(pathOf(id))
  return {
    ...running,
    /** The status with what the cache did, or with the code of the problem. */
    outcomeOf: async (headers?: Record<string, string>, asked: string = id) => {
      const reply = await get(pathOf(asked), headers)
      return `${reply.status} ${reply.headers.get('cache-status')?.replace('hilos-bff; ', '') ?? reply.json().code}`
    },
    calls: () => sandbox.requests.length,
    fail: (fault: FaultName) => sandbox.faults.set(id, fault),
    heal: () => sandbox.faults.delete(id),
  }
}

t.test('a stale entry is served at once and refreshed in the background', async (t) => {
  const { outcomeOf, clock, calls, store } = await startWarm(t)
  clock.advance(6000)
  t.equal(await outcomeOf(), '200 hit; ttl=-1; detail=revalidating')
  await until(() => [...store.entries()][0]?.[1].generatedAt === clock.now())
  t.equal(await outcomeOf(), '200 hit; ttl=5')
  t.equal(calls(), 2)
  clock.advance(36_000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=5; stored', 'past the first window, the caller waits')
})

t.test('during an outage, stale entries are served and Hilos is asked now and then', async (t) => {
  const { outcomeOf, clock, calls, fail, heal } = await startWarm(t)
  fail('broken')
  clock.advance(6000)
  const revalidating = '200 hit; ttl=-1; detail=revalidating'
  t.equal(await outcomeOf(), revalidating)
  while ((await outcomeOf()) === revalidating) {}
  t.equal(await outcomeOf(), '200 hit; ttl=-1; detail=backing-off')
  t.equal(calls(), 2)
  clock.advance(39_000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-40; detail=origin-failed')
  t.equal(await outcomeOf(), '200 hit; ttl=-40; detail=backing-off')
  t.equal(calls(), 3)
  clock.advance(2000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-42; detail=origin-failed')
  heal()
  clock.advance(2000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=5; stored')
  fail('broken')
  clock.advance(605_000)
  t.equal(await outcomeOf(), '502 upstream_error', 'past the last window, there is nothing to serve')
  t.equal(await outcomeOf(), '502 upstream_error')
  t.equal(calls(), 6, 'the failure is cached for a moment')
})

t.test('a stale entry replaces a transient failure of Hilos and no other', async (t) => {
  const { outcomeOf, clock, fail, heal } = await startWarm(t)
  const stale = '200 fwd=stale; ttl=-40; detail=origin-failed'
  for (const [expected, ...faults] of [
    [stale, 'broken', 'outOfService', 'rateLimited', 'reset', 'cutBody', 'invalidJson', 'html', 'notHttp'],
    [stale, 'timedOut', 'htmlNotFound', 'gatewayNotFound'],
    ['502 upstream_unauthorized', 'unauthorized'],
    ['502 upstream_forbidden', 'forbidden'],
    ['502 upstream_redirect', 'redirect'],
    ['502 upstream_invalid_response', 'empty', 'anotherId'],
  ] as const) {
    for (const fault of faults) {
      fail(fault)
      clock.advance(45_000)
      t.equal(await outcomeOf(), expected, fault)
      heal()
      // The circuit breaker is closed again by then.
      clock.advance(60_000)
      t.match(await outcomeOf(), /^200 fwd=(stale|uri-miss); ttl=5; stored$/)
    }
  }
})

t.test('a refused token ends the stale entry, opens the circuit breaker and is logged once', async (t) => {
  const { outcomeOf, clock, calls, fail, heal, logLines } = await startWarm(t)
  const logged = () => logLines().filter(({ msg }) => String(msg).startsWith('circuit breaker'))
  fail('unauthorized')
  clock.advance(6000)
  t.equal(await outcomeOf(), '200 hit; ttl=-1; detail=revalidating')
  await until(() => logged().length > 0)
  t.equal(await outcomeOf(), '502 upstream_unauthorized')
  t.equal(await outcomeOf({}, documentIds.paused), '502 upstream_unauthorized')
  t.equal(calls(), 2, 'no other call is made')
  clock.advance(2000)
  t.equal(await outcomeOf(), '502 upstream_unauthorized')
  t.equal(calls(), 3)
  heal()
  clock.advance(2000)
  t.equal(await outcomeOf(), '200 fwd=uri-miss; ttl=5; stored')
  const messages = logged().map(({ msg }) => msg)
  t.strictSame(messages, ['circuit breaker opened', 'circuit breaker closed'])
  const tokenFingerprint = new Secret(sandboxToken).fingerprint()
  t.match(logged()[0], { level: 40, err: { code: 'upstream_unauthorized', upstreamStatus: 401, tokenFingerprint } })
})

t.test('a contact that Hilos forbids stops no call about another contact', async (t) => {
  const { outcomeOf, clock, sandbox, store } = await startWarm(t)
  sandbox.faults.set(documentIds.paused, 'forbidden')
  clock.advance(6000)
  t.equal(await outcomeOf({}, documentIds.paused), '502 upstream_forbidden')
  t.equal(await outcomeOf(), '200 hit; ttl=-1; detail=revalidating')
  await until(() => store.get(id)?.generatedAt === clock.now())
  t.equal(await outcomeOf(), '200 hit; ttl=5')
})

t.test('contacts that Hilos forbids end no stale entry of another contact', async (t) => {
  const { outcomeOf, clock, sandbox } = await startWarm(t)
  clock.advance(6000)
  for (const each of [documentIds.paused, documentIds.completed]) {
    sandbox.faults.set(each, 'forbidden')
    t.equal(await outcomeOf({}, each), '502 upstream_forbidden')
  }
  const revalidating = '200 hit; ttl=-1; detail=revalidating'
  t.equal(await outcomeOf(), revalidating)
  while ((await outcomeOf()) === revalidating) {}
  t.equal(await outcomeOf(), '200 hit; ttl=-1; detail=backing-off', 'the open breaker has refused the refresh')
})

t.test('a Retry-After that one contact got stays with it, and is counted down', async (t) => {
  const { outcomeOf, get, clock, calls, fail, heal } = await startWarm(t)
  fail('closedForLong')
  clock.advance(45_000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-40; detail=origin-failed')
  t.equal(calls(), 2)
  t.equal(await outcomeOf({}, documentIds.paused), '200 fwd=uri-miss; ttl=15; stored')
  heal()
  clock.advance(200_500)
  const reply = await get(pathOf(id), { 'cache-control': 'no-cache' })
  t.match([reply.status, reply.json().code, reply.headers.get('retry-after')], [503, 'upstream_rate_limited', '100'])
  t.equal(calls(), 3)
  clock.advance(99_500)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=5; stored')
})

t.test('Retry-After of Hilos holds for all contacts and is counted down', async (t) => {
  const { outcomeOf, get, clock, calls, fail, heal } = await startWarm(t)
  fail('rateLimited')
  clock.advance(45_000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-40; detail=origin-failed')
  t.equal(calls(), 2)
  clock.advance(2500)
  const other = await get(pathOf(documentIds.paused))
  t.match([other.status, other.json().code, other.headers.get('retry-after')], [503, 'upstream_rate_limited', '5'])
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-43; detail=backing-off', 'Hilos was not asked')
  t.equal(calls(), 2)
  heal()
  clock.advance(4500)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=5; stored')
})

t.test('a stale entry that gets no turn at Hilos says so, in the log and the metrics too', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { get, outcomeOf, calls, store, logLines, service } = await startWarm(t, { clock, env: { HILOS_MAX_RPS: '1' } })
  await clock.advance(45_000)
  t.equal(await outcomeOf({}, documentIds.paused), '200 fwd=uri-miss; ttl=15; stored')
  const waiting = outcomeOf()
  await until(() => clock.armed().includes(400))
  await clock.advance(400)
  t.equal(await waiting, '200 fwd=stale; ttl=-41; detail=rationed')
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-41; collapsed; detail=rationed')
  const queued = get(pathOf(documentIds.completed))
  t.equal(await outcomeOf({}, documentIds.failed), '503 overloaded')
  t.equal(calls(), 2)
  await clock.advance(650)
  await until(() => store.get(id)?.generatedAt === clock.now())
  await clock.advance(1050)
  t.equal((await queued).status, 200)
  await clock.advance(45_000)
  const statuses: number[] = []
  const others = [1, 2, 3, 4].map(async (each) => statuses.push((await get(pathOf(uuid(0xabc, each)))).status))
  await until(() => statuses.includes(503))
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-42; detail=rationed', 'the queue of the caller is full')
  for (const sent of [calls() + 1, calls() + 2]) {
    await clock.advance(1050)
    await until(() => calls() >= sent)
  }
  await clock.advance(5000)
  await Promise.all(others)

  const logged = logLines().filter(({ msg }) => msg === 'answered')
  t.equal(logged.filter(({ detail }) => detail === 'rationed').length, 3)
  t.match(logged.find(({ status }) => status === 503)?.err, { code: 'overloaded', reason: 'rationed' })
  const exposition = (await service.operators?.inject('/metrics'))?.body ?? ''
  t.match(exposition, 'hilos_bff_requests_rationed_total{answer="stale"} 3')
  t.match(exposition, 'hilos_bff_requests_rationed_total{answer="problem"} 2')
  t.match(exposition, 'hilos_bff_cache_stale_answers_total{detail="rationed"} 3')
})

t.test('if Hilos is slow, a stale entry is served after 400 ms, and the refresh goes on', async (t) => {
  const timers = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { outcomeOf, sandbox, store } = await startWarm(t, { clock: timers })
  const gate = Promise.withResolvers<void>()
  sandbox.documents.set(id, async () => {
    await gate.promise
    return executionContact(id, { status: 'PAUSED' })
  })
  await timers.advance(44_600)
  const waiting = outcomeOf()
  // Besides the deadline of the call, the longest time to connect is armed until the request is sent.
  await until(() => timers.armed().join() === '400,8000')
  await timers.advance(400)
  t.equal(await waiting, '200 fwd=stale; ttl=-40; detail=origin-slow')
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=-40; collapsed; detail=origin-slow')
  gate.resolve()
  await until(() => [...store.entries()][0]?.[1].generatedAt === timers.now() - 400)
  t.equal(await outcomeOf(), '200 hit; ttl=15')
})

/** Starts a service in front of a Hilos that answers byte for byte as a test wants. */
async function startBehind(t: Test, answer: Answer) {
  const hilos = await startRawHilos(t, answer)
  const { get, clock } = await startService(t, { env: { HILOS_BASE_URL: hilos.baseUrl } })
  const seen = async (headers?: Record<string, string>) => {
    const reply = await get(pathOf(id), headers)
    return [reply.headers.get('age'), reply.headers.get('cache-status'), reply.headers.get('cache-control')]
  }
  return { ...hilos, seen, clock }
}

const ended = JSON.stringify(
  executionContact(id, { status: 'COMPLETED', status_last_change_on: '2026-11-22T10:00:00Z', execution_steps: [] }),
)
const ready = JSON.stringify(executionContact(id, { status: 'READY', status_last_change_on: null }))

t.test('Age includes how long Hilos took, and the age of a cache in between', async (t) => {
  let clock: TestClock | undefined
  const headers = [{}, { age: '10' }, {}]
  const { seen, ...rest } = await startBehind(t, (socket) => {
    clock?.advance(4000)
    socket.end(jsonResponse(ended, headers.shift()))
  })
  clock = rest.clock
  t.strictSame(await seen(), ['4', 'hilos-bff; fwd=uri-miss; ttl=26; stored', 'private, max-age=64'])
  clock.advance(2500)
  t.strictSame(await seen(), ['6', 'hilos-bff; hit; ttl=24', 'private, max-age=66'])
  const tooOld = { 'cache-control': 'max-age=5' }
  t.strictSame(await seen(tooOld), ['14', 'hilos-bff; fwd=request; ttl=16; stored', 'private, max-age=74'])
  t.strictSame(
    await seen(tooOld),
    ['14', 'hilos-bff; hit; ttl=16; detail=reload-denied', 'private, max-age=74'],
    'a cache in between cannot be made to answer with less',
  )
})

t.test('an answer that is a day old costs Hilos one call in three seconds, and is stored', async (t) => {
  const { seen, requests, clock } = await startBehind(t, (socket) => {
    socket.end(jsonResponse(ready, { age: '86400' }))
  })
  t.strictSame(await seen(), ['86400', 'hilos-bff; fwd=uri-miss; ttl=3; stored', 'private, no-cache'])
  for (let poll = 0; poll < 29; poll += 1) {
    clock.advance(100)
    t.match(await seen(), [/^8640[0-2]$/, /hit; ttl=[1-3]$/])
  }
  t.equal(requests.length, 1)
  clock.advance(100)
  t.match(await seen(), ['86403', 'hilos-bff; hit; ttl=0; detail=revalidating'])
  await until(() => requests.length === 2)
  while (/revalidating/.test(String((await seen())[1]))) {}
  t.match(await seen(), ['86400', 'hilos-bff; hit; ttl=3'])
  t.equal(requests.length, 2)
})

t.test('a gateway without its routes erases nothing that is remembered', async (t) => {
  const { outcomeOf, clock, store, fail, heal, get } = await startWarm(t)
  const stored = store.get(id)
  for (const fault of ['gatewayNotFound', 'htmlNotFound'] as const) {
    fail(fault)
    clock.advance(10_000)
    t.equal((await get(pathOf(id), { 'cache-control': 'no-cache' })).status, 502)
    t.equal(store.get(id), stored)
    t.match(await outcomeOf(), /^200 hit; ttl=-\d+; detail=backing-off$/)
  }
  heal()
  clock.advance(40_000)
  t.equal(await outcomeOf(), '200 fwd=stale; ttl=5; stored')
})

t.test('a wish for a reload is granted now and then, and Cache-Status says when it is not', async (t) => {
  const { outcomeOf, clock, calls, fail } = await startWarm(t)
  const noCache = { 'cache-control': 'no-cache' }
  clock.advance(2000)
  t.equal(await outcomeOf({ 'cache-control': 'max-age=2' }), '200 hit; ttl=3', 'the stored entry is young enough')
  t.equal(calls(), 1)
  t.equal(await outcomeOf({ 'cache-control': 'max-age=1' }), '200 fwd=request; ttl=5; stored')
  clock.advance(3000)
  for (const directive of ['no-cache', 'no-store', 'max-age=0', 'max-age=2'])
    t.equal(await outcomeOf({ 'cache-control': directive }), '200 hit; ttl=2; detail=reload-denied', directive)
  t.equal(calls(), 2)
  clock.advance(7000)
  t.equal(await outcomeOf(noCache), '200 fwd=stale; ttl=5; stored', 'a load that is due is awaited')
  clock.advance(1)
  t.equal(await outcomeOf(noCache), '200 fwd=request; ttl=5; stored')
  t.equal(calls(), 4)
  fail('broken')
  clock.advance(9000)
  t.equal(await outcomeOf(noCache), '502 upstream_error')
  t.equal(await outcomeOf(noCache), '502 upstream_error')
  t.equal(await outcomeOf(), '200 hit; ttl=-4; detail=backing-off', 'the stored entry is kept')
})

t.test('only-if-cached never causes a call, and is a 504 without a usable entry', async (t) => {
  const { get, outcomeOf, clock, calls } = await startWarm(t)
  const onlyIfCached = { 'cache-control': 'only-if-cached' }
  t.equal(await outcomeOf(onlyIfCached), '200 hit; ttl=5')
  clock.advance(6000)
  t.equal(await outcomeOf(onlyIfCached), '200 hit; ttl=-1')
  clock.advance(30_000)
  t.equal(await outcomeOf(onlyIfCached), '504 not_cached')
  const reply = await get(pathOf(documentIds.paused), onlyIfCached)
  t.match([reply.status, reply.json().retryable, reply.headers.get('retry-after')], [504, false, null])
  t.equal(calls(), 1)
})

t.test('entries past their last window are removed every ten seconds, until the service is closed', async (t) => {
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
  t.equal(sweep().length, 0)
})

t.test('while Hilos hangs, callers wait in a queue of limited length, and others are refused', async (t) => {
  const { get, outcomeOf, sandbox, calls } = await startWarm(t, { env: { HILOS_TIMEOUT_MS: '120000' } })
  const ids = Array.from({ length: 400 }, (_, index) => uuid(0xabc, index))
  for (const each of ids) sandbox.faults.set(each, 'hang')
  const codes: string[] = []
  const replies = ids.map(async (each) => codes.push((await get(pathOf(each))).json().code))
  await until(() => codes.length === 400 - 16 - 50)
  t.ok(codes.every((code) => code === 'overloaded'))
  t.equal(calls(), 1 + 16, 'one call per connection')
  t.equal(await outcomeOf(), '200 hit; ttl=5', 'a stored entry is served')
  await sandbox.close()
  await Promise.all(replies)
  const late = codes.slice(334)
  t.ok(late.every((code) => code === 'upstream_unavailable'))
})

t.test('Retry-After is in each response about a run that goes on, and in no other', async (t) => {
  const { get, clock } = await startWarm(t)
  const waitOf = async (asked: string, headers?: Record<string, string>, method?: string) => {
    const reply = await get(pathOf(asked), headers, method)
    return `${reply.status} ${reply.headers.get('retry-after')}`
  }
  clock.advance(1500)
  t.equal(await waitOf(id), '200 4')
  t.equal(await waitOf(id, {}, 'HEAD'), '200 4')
  t.equal(await waitOf(id, { 'if-none-match': '*' }), '304 4')
  t.equal(await waitOf(id, { 'if-match': '"none"' }), '412 null')
  t.equal(await waitOf(documentIds.completed), '200 null', 'max-age says it')
  t.equal(await waitOf(uuid(0xdead, 1)), '404 10')
  clock.advance(8500)
  const reply = await get(pathOf(uuid(0xdead, 1)))
  t.match([reply.headers.get('retry-after'), reply.json().retryable], ['2', false])
})

t.test('Retry-After tells a caller limited to flows nothing about the runs of other flows', async (t) => {
  const callers = [{ name: 'limited', profile: 'full', flows: [uuid(0xf1, 99)] }] as const
  const { get, as, clock } = await startService(t, { callers })
  const waitsOf = async (asked: string) => {
    const waits: (string | null)[] = []
    for (const ms of [3000, 6000, 1000]) {
      waits.push((await get(pathOf(asked), as('limited'))).headers.get('retry-after'))
      clock.advance(ms)
    }
    return waits
  }
  t.strictSame(await waitsOf(id), ['10', '7', '1'])
  t.strictSame(await waitsOf(uuid(0xdead, 1)), ['10', '7', '1'])
})

t.test('Retry-After is a second during a refresh, and the pause of a failure, up to a minute', async (t) => {
  const { get, clock, sandbox, heal } = await startWarm(t)
  const waitOf = async () => {
    const { headers } = await get(pathOf(id))
    return `${headers.get('cache-status')?.split('detail=')[1]} ${headers.get('retry-after')}`
  }
  sandbox.faults.set(id, 'broken')
  clock.advance(6000)
  t.equal(await waitOf(), 'revalidating 1')
  let wait = await waitOf()
  while (wait === 'revalidating 1') wait = await waitOf()
  t.equal(wait, 'backing-off 2')
  clock.advance(40_000)
  t.equal(await waitOf(), 'origin-failed 2')
  clock.advance(2000)
  sandbox.faults.set(id, 'rateLimited')
  t.equal(await waitOf(), 'origin-failed 7')
  clock.advance(2000)
  t.equal(await waitOf(), 'backing-off 5', 'the circuit breaker is open')
  heal()
})

t.test(
  'a page that follows Retry-After gets at most one stale response in two, and the news a second later',
  async (t) => {
    const { get, clock, calls, store } = await startWarm(t)
    const seen: string[] = []
    for (let poll = 0; poll < 8; poll += 1) {
      const { headers } = await get(pathOf(id))
      const detail = headers.get('cache-status')?.split('detail=')[1] ?? 'fresh'
      if (detail === 'revalidating') await until(() => store.peek(id)?.generatedAt === clock.now())
      seen.push(`${detail} ${headers.get('retry-after')}`)
      clock.advance(Number(headers.get('retry-after')) * 1000)
    }
    t.strictSame(seen, [
      'fresh 5',
      ...Array.from({ length: 3 }, () => ['revalidating 1', 'fresh 4']).flat(),
      'revalidating 1',
    ])
    t.equal(calls(), 5, 'in 20 seconds')
  },
)
