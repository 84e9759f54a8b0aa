import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import { createOperatorsApp, type OperatorsAppOptions } from '../../src/http/operators-app.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startService } from '../harness/service.ts'

const { limits } = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
const store = { entries: 1, bytes: 2, maxBytes: 3, evictions: 4 }
const build = { version: '1.2.3', commit: null, node: 'v24.0.0', startedAt: '2026-11-22T10:05:00.000Z' }

/** The operators' listener of a service that is as given, and what it logs. */
async function start(t: Test, overrides: Partial<OperatorsAppOptions> = {}) {
  const lines: string[] = []
  const logger = createLogger('trace', { write: (line) => void lines.push(line) })
  const forgotten: string[] = []
  const app = await createOperatorsApp(limits, logger, {
    state: () => 'serving',
    parts: () => ({}),
    metrics: createMetrics(),
    drift: () => [],
    build,
    cache: {
      fullness: () => ({ contacts: store, renderings: store, absences: store, ownAbsences: store }),
      delete: (id) => void forgotten.push(id),
      clear: () => void forgotten.push('all'),
    },
    ...overrides,
  })
  t.teardown(() => app.close())
  const logLines = () => lines.map((line) => JSON.parse(line))
  return {
    app,
    forgotten,
    logLines,
    ask: (url: string, method: 'GET' | 'DELETE' = 'GET') => app.inject({ url, method }),
  }
}

t.test('livez, when the event loop turns, is ok and never from a cache', async (t) => {
  const { app } = await start(t)
  for (const method of ['GET', 'HEAD'] as const) {
    const reply = await app.inject({ url: '/livez', method })
    t.equal(reply.statusCode, 200)
    t.equal(reply.headers['cache-control'], 'no-store')
    t.equal(reply.headers['content-type'], 'text/plain')
    t.equal(reply.body, method === 'GET' ? 'ok\n' : '')
  }
})

t.test('readyz, by where the service is on its way, is 200 or 503', async (t) => {
  for (const [state, status] of [
    ['starting', 503],
    ['serving', 200],
    ['draining', 503],
  ] as const) {
    const reply = await (await start(t, { state: () => state })).ask('/readyz')
    t.equal(reply.statusCode, status, state)
    t.equal(reply.headers['cache-control'], 'no-store')
    t.strictSame(reply.json(), { ready: status === 200, state, parts: {} })
  }
})

t.test('readyz, when a part goes on with what it had, says so and stays ready', async (t) => {
  const parts = {
    callersFile: { ok: false, keys: 3, problems: ['callers[0].name: must be …'] },
    hilos: { ok: false, circuitBreaker: 'open', pausedFor: 'upstream_unavailable' },
    hilosToken: null,
  }
  const reply = await (await start(t, { parts: () => parts })).ask('/readyz')
  t.equal(reply.statusCode, 200)
  t.strictSame(reply.json(), { ready: true, state: 'serving', parts })
})

t.test('metrics, as Prometheus reads them, have what was counted', async (t) => {
  const metrics = createMetrics()
  metrics.fileChanged('CALLERS_FILE', 'refused')
  const reply = await (await start(t, { metrics })).ask('/metrics')
  t.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.match(reply.body, '\nhilos_bff_file_changes_total{setting="CALLERS_FILE",outcome="refused"} 1\n')
})

t.test('contract and version, when asked for, say what they are given', async (t) => {
  const drift = [{ kind: 'unknown_field', path: 'contact.new_field', count: 3 }] as const
  const { ask } = await start(t, { drift: () => [...drift] })
  t.strictSame((await ask('/contract')).json(), { since: build.startedAt, drift })
  t.strictSame((await ask('/version')).json(), build)
})

t.test('the cache, when asked how full it is, says so; what is to be forgotten, is, and that is logged', async (t) => {
  const { ask, forgotten, logLines } = await start(t)
  t.strictSame((await ask('/cache')).json(), {
    contacts: store,
    renderings: store,
    absences: store,
    ownAbsences: store,
  })
  const id = 'A3FF7EE5-0c11-49e2-a0d6-7e316626f7b1'
  for (const url of [`/cache/execution-contacts/${id}`, '/cache']) {
    const reply = await ask(url, 'DELETE')
    t.strictSame([reply.statusCode, reply.body], [204, ''])
  }
  t.strictSame(forgotten, [id.toLowerCase(), 'all'])
  t.match(logLines(), [
    { level: 30, msg: 'an operator has removed a contact from the cache', requestId: String },
    { level: 40, msg: 'an operator has emptied the cache', requestId: String },
  ])
  t.notMatch(JSON.stringify(logLines()), /a3ff7ee5/i)
})

t.test('a request to operators’ routes, when it is wrong, is a problem, and nothing is forgotten', async (t) => {
  const { app, ask, forgotten } = await start(t)
  for (const [method, url, status, code] of [
    ['DELETE', '/cache/execution-contacts/x', 400, 'invalid_id'],
    ['DELETE', '/cache/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1/x', 404, 'route_not_found'],
    ['DELETE', '/cache/execution-contacts/', 400, 'invalid_id'],
    ['DELETE', '/cache?id=a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1', 400, 'invalid_query'],
    ['DELETE', '/cache/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1?x', 400, 'invalid_query'],
    ['DELETE', '/livez', 405, 'method_not_allowed'],
    ['GET', '/cache/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1', 405, 'method_not_allowed'],
    ['GET', '/nothing', 404, 'route_not_found'],
    ['GET', '/%zz', 400, 'malformed_request'],
  ] as const) {
    const reply = await ask(url, method)
    t.match([reply.statusCode, reply.json().code], [status, code], `${method} ${url}`)
    t.equal(reply.headers['cache-control'], 'no-store')
  }
  for (const [type, payload] of [
    ['text/x', 'x'],
    ['application/json', '{"id":"x"}'],
    ['application/json', '{'],
    ['application/json', 'null'],
  ] as const)
    for (const url of ['/cache', '/cache/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1']) {
      const reply = await app.inject({ method: 'DELETE', url, headers: { 'content-type': type }, payload })
      t.match(reply.json(), { code: 'malformed_request' }, `${type} ${payload}`)
    }
  t.strictSame(forgotten, [])
})

t.test('the operators’ listener, when it is asked, logs nothing but where it listens', async (t) => {
  const { app, logLines } = await start(t)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of ['/livez', '/readyz', '/metrics', '/contract', '/cache', '/version', '/nothing'])
    await (await fetch(origin + path)).text()
  t.match(logLines(), [{ msg: `Server listening at ${origin}` }])
  t.equal(logLines().length, 1)
})

t.test('the operators’ listener, when it closes, waits for no request that is still to come', async (t) => {
  const { app } = await start(t)
  const { hostname, port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(port), hostname, () => socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /'))
  socket.on('error', () => {})
  await once(socket, 'data')
  const closed = once(socket, 'close')
  await app.close()
  await closed
  t.ok(socket.destroyed)
})

t.test('the operators’ listener, when turned off, is not there; the callers’ never has its routes', async (t) => {
  const off = await startService(t, { env: { ADMIN_PORT: '0' } })
  t.equal(off.service.operators, null)
  const on = await startService(t)
  t.not(on.service.operators, null)
  for (const path of ['/livez', '/readyz', '/metrics', '/contract', '/cache', '/version'])
    t.equal((await on.get(path)).status, 404)
  t.equal((await on.get('/cache', {}, 'DELETE')).status, 404)
})

t.test('a part, when it cannot say how it is, is a 500 without a word of why, and a line in the log', async (t) => {
  const parts = () => {
    throw Object.assign(new Error('canary'), { canary: 'canary' })
  }
  const { ask, logLines } = await start(t, { parts })
  const reply = await ask('/readyz')
  t.match([reply.statusCode, reply.json().code], [500, 'internal_error'])
  t.match(logLines(), [{ level: 50, msg: 'the operators’ listener failed', err: { cause: { type: 'Error' } } }])
  t.notMatch(reply.body + JSON.stringify(logLines()), 'canary')
})

t.test('a request to operators’ routes, as to callers’, names itself and is no script', async (t) => {
  const { headers } = await (await start(t)).ask('/livez')
  t.match(headers['x-request-id'], /^[\da-f-]{36}$/)
  t.equal(headers['x-content-type-options'], 'nosniff')
})
