import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { executionContact, flow, uuid } from '../sandbox/parts.ts'
import { createService } from '../src/app.ts'
import { version } from '../src/common/version.ts'
import { loadConfig } from '../src/config/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'
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

t.test('metrics, after a mixed run, say what happened', async (t) => {
  const { get, clock, sandbox, scrape } = await start(t)
  sandbox.documents.set(uuid(0xd1, 1), () => executionContact(uuid(0xd1, 1), { new_field: 1 }))
  await get(pathOf(running))
  await get(pathOf(running))
  clock.advance(10_000)
  await get(pathOf(running))
  await until(() => sandbox.requests.length === 2)
  await get(pathOf(nowhere))
  await get(pathOf(uuid(0xd1, 1)))
  await get(pathOf('x'))
  await get('/nowhere')
  await get(pathOf(faultIds.rateLimited))
  await get(pathOf(uuid(0xd1, 2)))
  const samples = await scrape()
  const route = 'route="/execution-contacts/:id"'
  for (const [name, value] of Object.entries({
    [`requests_total{${route},cache="uri-miss",status="200",profile="full"}`]: 2,
    [`requests_total{${route},cache="uri-miss",status="404",profile="full"}`]: 1,
    [`requests_total{${route},cache="hit",status="200",profile="full"}`]: 2,
    [`requests_total{${route},cache="none",status="400",profile="full"}`]: 1,
    [`requests_total{${route},cache="none",status="503",profile="full"}`]: 2,
    'requests_total{route="none",cache="none",status="404",profile="none"}': 1,
    'problems_total{code="upstream_rate_limited"}': 2,
    'problems_total{code="invalid_id"}': 1,
    'upstream_calls_total{outcome="found"}': 3,
    'upstream_calls_total{outcome="absent"}': 1,
    'upstream_calls_total{outcome="upstream_rate_limited"}': 1,
    'circuit_breaker_state{state="open"}': 1,
    'circuit_breaker_pauses_total{code="upstream_rate_limited"}': 1,
    'cache_entries{store="contacts"}': 2,
    'cache_entries{store="absences"}': 1,
    'cache_stale_answers_total{detail="revalidating"}': 1,
    cache_age_at_hit_seconds_sum: 10,
    upstream_turn_wait_seconds_count: 5,
    'contract_drift_total{kind="unknown_field",path="new_field"}': 1,
    token_age_seconds: 10,
    'part_ok{part="hilos"}': 0,
    'part_ok{part="hilosToken"}': 1,
    draining: 0,
  }))
    t.equal(samples.get(`hilos_bff_${name}`), value, name)
  t.ok((samples.get('hilos_bff_connections') ?? 0) > 0)
  t.ok([...samples.keys()].some((name) => name.startsWith(`hilos_bff_build_info{version="${version}"`)))
})

t.test('metrics, of what never was a request of its own, have it all the same', async (t) => {
  const { get, origin, scrape } = await start(t)
  await get('/execution-contacts/%zz')
  const { port, hostname } = new URL(origin)
  await once(connect(Number(port), hostname).resume().end('no request\r\n\r\n'), 'close')
  const samples = await scrape()
  const line = 'requests_total{route="none",cache="none",status="400",profile="none"}'
  for (const name of [line, 'problems_total{code="invalid_id"}', 'problems_total{code="malformed_request"}'])
    t.equal(samples.get(`hilos_bff_${name}`), 1, name)
})

t.test('metrics, when Hilos is asked once more, or is not asked for want of a turn, say so', async (t) => {
  const broken = await start(t)
  await broken.get(pathOf(faultIds.outOfService))
  t.equal((await broken.scrape()).get('hilos_bff_upstream_retries_total'), 1)
  const rationed = await start(t, {
    env: { HILOS_MAX_RPS: '0.1', HILOS_TIMEOUT_MS: '200' },
    elapsed: () => performance.now(),
  })
  await rationed.get(pathOf(running))
  t.equal((await rationed.get(pathOf(documentIds.completed))).json().code, 'overloaded')
  t.equal((await rationed.scrape()).get('hilos_bff_upstream_turns_refused_total'), 1)
})

t.test('metrics, whatever was asked, name no contact, no caller and no secret', async (t) => {
  const { get, as, ask } = await start(t, { callers: [{ name: 'caller-canary', profile: 'agent' }] })
  const headers = { ...as('caller-canary'), 'x-request-id': 'request-canary', 'user-agent': 'agent-canary' }
  await get(`${pathOf(running)}?view=summary`, headers)
  await get('/path-canary?query-canary', headers)
  await get(pathOf(running), { authorization: 'Bearer key-canary' })
  const { body } = await ask('/metrics')
  t.notMatch(body, /canary/)
  t.notMatch(body, new RegExp(`${running}|hbff_[^b]`))
})

t.test('what is concealed from a caller, is not told by a cache word either', async (t) => {
  const { get, as, sandbox, logLines, scrape } = await start(t, {
    callers: [{ name: 'limited', profile: 'full', flows: [uuid(0xf1, 1)] }],
  })
  const outside = uuid(0x0de, 1)
  sandbox.documents.set(outside, () => executionContact(outside, { flow: flow({ id: uuid(0xf1, 2) }) }))
  for (const id of [outside, outside, nowhere, nowhere]) await get(pathOf(id), as('limited'))
  for (const line of logLines().filter(({ msg }) => msg === 'answered')) t.notOk('cache' in line)
  const counted = 'hilos_bff_requests_total{route="/execution-contacts/:id",cache="none",status="404",profile="full"}'
  t.equal((await scrape()).get(counted), 4)
})

t.test('a contact, when an operator forgets it, is asked for again; the others are not', async (t) => {
  const { get, ask, sandbox } = await start(t)
  const ids = [running, documentIds.completed, nowhere]
  const askAll = async () => {
    for (const id of ids) await get(pathOf(id))
    return sandbox.requests.splice(0).map(({ url }) => ids.find((id) => url.endsWith(id)))
  }
  t.strictSame(await askAll(), ids)
  t.strictSame(await askAll(), [])
  for (const id of [running.toUpperCase(), nowhere])
    t.equal((await ask(`/cache${pathOf(id)}`, 'DELETE')).statusCode, 204)
  t.strictSame(await askAll(), [running, nowhere])
  t.equal((await ask('/cache', 'DELETE')).statusCode, 204)
  t.match((await ask('/cache')).json(), { contacts: { entries: 0, bytes: 0 }, renderings: { entries: 0, bytes: 0 } })
  t.strictSame(await askAll(), ids)
})

t.test('what is absent for a caller alone, when an operator forgets it, is asked for again', async (t) => {
  const { get, as, ask, sandbox } = await start(t, {
    callers: [{ name: 'limited', profile: 'full', flows: [uuid(0xf1, 1)] }],
  })
  const moved = uuid(0x0de, 1)
  const status = async () => (await get(pathOf(moved), as('limited'))).status
  let flowId = uuid(0xf1, 2)
  sandbox.documents.set(moved, () => executionContact(moved, { flow: flow({ id: flowId }) }))
  for (const url of [`/cache${pathOf(moved)}`, '/cache']) {
    flowId = uuid(0xf1, 2)
    t.equal(await status(), 404)
    flowId = uuid(0xf1, 1)
    t.equal(await status(), 404, 'for a while')
    await ask(url, 'DELETE')
    t.equal(await status(), 200, url)
    await ask('/cache', 'DELETE')
  }
})

t.test('a contact, when it is forgotten while it is loaded, is given to who waits and not stored', async (t) => {
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

t.test('drift, when a document strays, is reported by place and without its value', async (t) => {
  const { get, ask, sandbox, logLines } = await start(t)
  t.strictSame((await ask('/contract')).json().drift, [])
  sandbox.documents.set(running, () => executionContact(running, { new_field: 'canary', status: 'ASLEEP' }))
  await get(pathOf(running))
  const reply = await ask('/contract')
  t.strictSame(reply.json(), {
    since: '2026-11-22T10:05:00.000Z',
    drift: [
      { kind: 'unknown_field', path: 'new_field', count: 1 },
      { kind: 'unknown_value', path: 'status', count: 1 },
    ],
  })
  t.notMatch(reply.body, /canary|ASLEEP/)
  t.match(
    logLines().filter(({ msg }) => msg === 'a Hilos document strays from the contract'),
    [
      { level: 40, kind: 'unknown_field', path: 'new_field' },
      { level: 40, kind: 'unknown_value', path: 'status' },
    ],
  )
})

t.test('Hilos, while it is away, is reported by readyz and is no reason to send callers elsewhere', async (t) => {
  const { get, ask } = await start(t)
  await get(pathOf(faultIds.rateLimited))
  t.match((await ask('/readyz')).json().parts.hilos, {
    ok: false,
    circuitBreaker: 'open',
    pausedFor: 'upstream_rate_limited',
    callsInFlight: 0,
    callsQueued: 0,
  })
})

t.test('version, when asked for, says what is running and since when', async (t) => {
  const { ask } = await start(t, { env: { SOURCE_COMMIT: 'c0ffee1' } })
  t.match((await ask('/version')).json(), {
    version,
    commit: 'c0ffee1',
    node: /^v\d+\.\d+\.\d+$/,
    startedAt: '2026-11-22T10:05:00.000Z',
  })
})

t.test('readiness, by where the service is on its way, changes; pages about problems are here, too', async (t) => {
  const { ask, lifecycle } = await start(t)
  t.match([(await ask('/readyz')).statusCode, (await ask('/readyz')).json().state], [200, 'serving'])
  lifecycle.drain()
  t.match([(await ask('/readyz')).statusCode, (await ask('/readyz')).json().state], [503, 'draining'])
  t.match((await ask('/problems/invalid_id')).headers['content-type'], /^text\/html/)
})

t.test('the operators’ listener, when the service is closed, is closed with it', async (t) => {
  const { service } = await start(t)
  const { operators } = service
  const origin = await operators?.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await fetch(`${origin}/livez`)).status, 200)
  await service.close()
  t.notOk(operators?.server.listening)
})

t.test(
  'the operators’ listener, when the service listens, is where the settings put it and nowhere else',
  async (t) => {
    const port = await freePort()
    const config = loadConfig({
      ...{ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', PORT: '0' },
      ...{ ADMIN_HOST: '127.0.0.2', ADMIN_PORT: String(port) },
    })
    const service = await createService(config, createLogger('silent', { write: () => {} }))
    t.teardown(service.close)
    const { operators } = await service.listen()
    t.equal(operators, `http://127.0.0.2:${port}`)
    t.equal((await fetch(`${operators}/livez`)).status, 200)
    await t.rejects(fetch(`http://127.0.0.1:${port}/livez`))
  },
)
