import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { executionContact, flow, uuid } from '../sandbox/parts.ts'
import { createService } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createClock } from './harness/clock.ts'
import { freePort } from './harness/free-port.ts'
import { samplesOf } from './harness/scrape.ts'
import { type Arrangement, startService, until } from './harness/service.ts'

const running = documentIds.deliveryConfirmation
const nowhere = '00000000-0000-4000-8000-00000000dead'
const pathOf = (id: string) => `/execution-contacts/${id}`

async function start(t: Test, arrangement: Arrangement = {}) {
  const service = await startService(t, arrangement)
  const { operators } = service.service
  if (!operators) throw new Error('the operators’ listener is off')
  const ask = async (url: string, method: 'GET' | 'DELETE' = 'GET') => await operators.inject({ url, method })
  return { ...service, ask, scrape: async () => samplesOf((await ask('/metrics')).body) }
}

t.test('the metrics count what happened', async (t) => {
  const { get, clock, sandbox, ask, scrape } = await start(t)
  sandbox.documents.set(uuid(0xd1, 1), () => executionContact(uuid(0xd1, 1), { new_field: 1 }))
  await get(pathOf(running))
  await get(pathOf(running))
  clock.advance(10_000)
  await get(pathOf(running))
  await until(() => sandbox.requests.length === 2)
  for (const id of [nowhere, uuid(0xd1, 1), 'x', '%zz']) await get(pathOf(id))
  await get('/nowhere')
  for (const id of [faultIds.rateLimited, uuid(0xd1, 2)]) await get(pathOf(id))
  const samples = await scrape()
  const route = 'route="/execution-contacts/:id"'
  for (const [name, value] of Object.entries({
    [`requests_total{${route},cache="uri-miss",status="200",profile="full"}`]: 2,
    [`requests_total{${route},cache="uri-miss",status="404",profile="full"}`]: 1,
    [`requests_total{${route},cache="hit",status="200",profile="full"}`]: 2,
    [`requests_total{${route},cache="none",status="400",profile="full"}`]: 1,
    [`requests_total{${route},cache="none",status="503",profile="full"}`]: 2,
    'requests_total{route="none",cache="none",status="404",profile="none"}': 1,
    'requests_total{route="none",cache="none",status="400",profile="none"}': 1,
    'problems_total{code="invalid_id"}': 2,
    'upstream_calls_total{outcome="found"}': 3,
    'circuit_breaker_state{state="open"}': 1,
    'cache_entries{store="contacts"}': 2,
    'cache_entries{store="absences"}': 1,
    'cache_stale_answers_total{detail="revalidating"}': 1,
    cache_age_at_hit_seconds_sum: 10,
    upstream_slot_wait_seconds_count: 5,
    'contract_drift_total{kind="unknown_field",path="new_field"}': 1,
    token_age_seconds: 10,
    'part_ok{part="hilos"}': 0,
  }))
    t.equal(samples.get(`hilos_bff_${name}`), value, name)
  t.ok((samples.get('hilos_bff_connections') ?? 0) > 0)
  const reply = await ask('/readyz')
  t.equal(reply.statusCode, 200, 'an outage of Hilos is no reason to send callers elsewhere')
  t.match(reply.json().parts.hilos, {
    ok: false,
    circuitBreaker: 'open',
    pausedFor: 'upstream_rate_limited',
    failuresInARow: 1,
  })
})

t.test(
  '/readyz says from the first failed call on that Hilos does not answer, and from the next answer that it does',
  async (t) => {
    const { get, ask, scrape, sandbox } = await start(t)
    const shown = async () => (await ask('/readyz')).json().parts.hilos
    const none = { circuitBreaker: 'closed', pausedFor: null, callsInFlight: 0, callsQueued: 0 }
    const at = '2026-11-22T10:05:00.000Z'
    t.strictSame(await shown(), { ok: true, lastCall: null, lastAnswerAt: null, failuresInARow: 0, ...none })
    await get(pathOf(running))
    t.match(await shown(), { ok: true, lastCall: { at, outcome: 'found' }, lastAnswerAt: at })
    for (let failures = 1; failures <= 9; failures += 1) {
      const id = uuid(0xe0, failures)
      sandbox.documents.set(id, () => executionContact(id, { id: nowhere }))
      await get(pathOf(id))
      t.match(await shown(), {
        ...{ ok: false, lastCall: { outcome: 'upstream_invalid_response' }, lastAnswerAt: at },
        ...{ failuresInARow: failures, circuitBreaker: 'closed' },
      })
    }
    t.equal((await scrape()).get('hilos_bff_part_ok{part="hilos"}'), 0)
    t.notMatch((await ask('/readyz')).body, new RegExp(`${nowhere}|${uuid(0xe0, 9)}`))
    await get(pathOf(nowhere))
    t.match(await shown(), { ok: true, lastCall: { outcome: 'absent' }, failuresInARow: 0 })
  },
)

t.test('the metrics count malformed requests, retries and calls without a slot', async (t) => {
  const { get, origin, scrape } = await start(t)
  const { port, hostname } = new URL(origin)
  await once(connect(Number(port), hostname).resume().end('no request\r\n\r\n'), 'close')
  await get(pathOf(faultIds.outOfService))
  const samples = await scrape()
  t.equal(samples.get('hilos_bff_problems_total{code="malformed_request"}'), 1)
  t.equal(samples.get('hilos_bff_upstream_retries_total'), 1)
  const limited = await start(t, {
    env: { HILOS_MAX_RPS: '0.1', HILOS_TIMEOUT_MS: '200' },
    clock: createClock(undefined, { elapsed: () => performance.now() }),
  })
  await limited.get(pathOf(running))
  t.equal((await limited.get(pathOf(documentIds.completed))).json().code, 'overloaded')
  t.equal((await limited.scrape()).get('hilos_bff_upstream_slots_refused_total'), 1)
})

t.test('the metrics name no contact, no caller and no secret', async (t) => {
  const { get, as, ask } = await start(t, { callers: [{ name: 'caller-canary', profile: 'agent' }] })
  const headers = { ...as('caller-canary'), 'x-request-id': 'request-canary', 'user-agent': 'agent-canary' }
  await get(`${pathOf(running)}?view=summary`, headers)
  await get('/path-canary?query-canary', headers)
  await get(pathOf(running), { authorization: 'Bearer key-canary' })
  t.notMatch((await ask('/metrics')).body, new RegExp(`canary|${running}|hbff_[^b]`))
})

/** A service with a caller that is limited to one flow, and a document that is in another flow. */
async function startLimited(t: Test) {
  const service = await start(t, { callers: [{ name: 'limited', profile: 'full', flows: [uuid(0xf1, 1)] }] })
  const outside = uuid(0x0de, 1)
  let flowId = uuid(0xf1, 2)
  service.sandbox.documents.set(outside, () => executionContact(outside, { flow: flow({ id: flowId }) }))
  const moveTo = (id: string) => {
    flowId = id
  }
  const status = async (id = outside) => (await service.get(pathOf(id), service.as('limited'))).status
  return { ...service, outside, moveTo, status }
}

t.test('the log and the metrics do not show the cache word of a response that hides a contact', async (t) => {
  const { status, outside, logLines, scrape } = await startLimited(t)
  for (const id of [outside, outside, nowhere, nowhere]) t.equal(await status(id), 404)
  for (const line of logLines().filter(({ msg }) => msg === 'answered')) t.notOk('cache' in line)
  const counted = 'hilos_bff_requests_total{route="/execution-contacts/:id",cache="none",status="404",profile="full"}'
  t.equal((await scrape()).get(counted), 4)
})

t.test('a contact that is absent for one caller can be deleted from the cache', async (t) => {
  const { status, outside, moveTo, ask } = await startLimited(t)
  for (const url of [`/cache${pathOf(outside)}`, '/cache']) {
    moveTo(uuid(0xf1, 2))
    t.equal(await status(), 404)
    moveTo(uuid(0xf1, 1))
    t.equal(await status(), 404, 'the absence is cached')
    await ask(url, 'DELETE')
    t.equal(await status(), 200, url)
    await ask('/cache', 'DELETE')
  }
})

t.test('a contact that is deleted from the cache is loaded again, and the others are not', async (t) => {
  const { get, ask, sandbox } = await start(t)
  const ids = [running, documentIds.completed, nowhere]
  const loads = async () => {
    for (const id of ids) await get(pathOf(id))
    return sandbox.requests.splice(0).map(({ url }) => ids.find((id) => url.endsWith(id)))
  }
  t.strictSame(await loads(), ids)
  t.strictSame(await loads(), [])
  for (const id of [running.toUpperCase(), nowhere])
    t.equal((await ask(`/cache${pathOf(id)}`, 'DELETE')).statusCode, 204)
  t.strictSame(await loads(), [running, nowhere])
  t.equal((await ask('/cache', 'DELETE')).statusCode, 204)
  t.match((await ask('/cache')).json(), { contacts: { entries: 0, bytes: 0 }, renderings: { entries: 0, bytes: 0 } })
  t.strictSame(await loads(), ids)
})

t.test('a contact that is deleted during its load is sent to the waiting caller, and not stored', async (t) => {
  const { get, ask, sandbox, store } = await start(t)
  for (const url of [`/cache${pathOf(running)}`, '/cache']) {
    sandbox.documents.set(running, async () => {
      await ask(url, 'DELETE')
      return executionContact(running)
    })
    const reply = await get(pathOf(running))
    t.equal(reply.status, 200)
    t.match(reply.headers.get('cache-status'), /^hilos-bff; fwd=uri-miss; ttl=\d+$/)
    t.strictSame([...store.entries()], [])
  }
})

t.test('drift is reported by its place and without its value', async (t) => {
  const { get, ask, sandbox, logLines } = await start(t)
  t.strictSame((await ask('/contract')).json().drift, [])
  sandbox.documents.set(running, () => executionContact(running, { new_field: 'canary', status: 'ASLEEP' }))
  await get(pathOf(running))
  const reply = await ask('/contract')
  const drift = [
    { kind: 'unknown_field', path: 'new_field' },
    { kind: 'unknown_value', path: 'status' },
  ]
  t.strictSame(reply.json(), {
    since: '2026-11-22T10:05:00.000Z',
    drift: drift.map((each) => ({ ...each, count: 1 })),
  })
  t.notMatch(reply.body, /canary|ASLEEP/)
  const logged = logLines().filter(({ msg }) => msg === 'document deviates from the contract')
  t.match(logged, drift)
  t.strictSame([logged.length, logged[0]?.level], [2, 40])
})

t.test('the operators’ listener follows the lifecycle, has the pages about problems, and closes at last', async (t) => {
  const { service, ask, lifecycle } = await start(t)
  t.match((await ask('/problems/invalid_id')).headers['content-type'], /^text\/html/)
  const origin = await service.operators?.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await fetch(`${origin}/readyz`)).status, 200)
  lifecycle.drain()
  t.equal((await fetch(`${origin}/readyz`)).status, 503)
  await service.close()
  t.notOk(service.operators?.server.listening)
})

t.test('the settings say whether a token is needed to delete, and whether anyone can', async (t) => {
  const folder = t.testdir({ token: 'token-of-sixteen-letters\n' })
  const given = { ADMIN_TOKEN: 'token-of-sixteen-letters' }
  for (const [env, without, withToken] of [
    [{}, 204, 204],
    [given, 401, 204],
    [{ ADMIN_HOST: '0.0.0.0' }, 401, 401],
    [{ ADMIN_HOST: '0.0.0.0', ...given }, 401, 204],
    [{ ADMIN_TOKEN_FILE: `${folder}/token` }, 401, 204],
    [{ ADMIN_TOKEN_FILE: `${folder}/missing` }, 401, 401],
  ] as const) {
    const { operators } = (await startService(t, { env })).service
    const remove = { method: 'DELETE', url: '/cache' } as const
    const headers = { authorization: `Bearer ${given.ADMIN_TOKEN}` }
    const replies = [await operators?.inject(remove), await operators?.inject({ ...remove, headers })]
    t.strictSame(
      replies.map((reply) => reply?.statusCode),
      [without, withToken],
      JSON.stringify(env),
    )
  }
})

t.test('the settings name further hosts of the operators’ listener', async (t) => {
  const { operators } = (await startService(t, { env: { ADMIN_ALLOWED_HOSTS: 'ops.example' } })).service
  for (const [host, status] of [
    ['ops.example:3001', 200],
    ['evil.example:3001', 403],
  ] as const)
    t.equal((await operators?.inject({ url: '/metrics', headers: { host } }))?.statusCode, status, host)
})

t.test('the operators’ listener is where the settings say, and nowhere else', async (t) => {
  const port = await freePort()
  const config = loadConfig({
    ...{ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', PORT: '0' },
    ...{ ADMIN_HOST: '127.0.0.2', ADMIN_PORT: String(port) },
  })
  const service = await createService(config, createLogger('silent', { write: () => {} }))
  t.teardown(service.close)
  const { operators } = await service.listen()
  t.equal(operators, `http://127.0.0.2:${port}`)
  t.equal((await fetch(`${operators}/livez`)).status, 200, 'the address at which it listens is an allowed host')
  await t.rejects(fetch(`http://127.0.0.1:${port}/livez`))
})
