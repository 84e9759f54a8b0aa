import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { loadConfig } from '../../src/config/config.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createOperatorsApp, type OperatorsAppOptions } from '../../src/http/operators-app.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startService } from '../harness/service.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const { limits } = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
const store = { entries: 1, bytes: 2, maxBytes: 3, evictions: 4 }
const usage = { contacts: store, renderings: store, absences: store, ownAbsences: store }
const build = { version: '1.2.3', commit: null, node: 'v24.0.0', startedAt: '2026-11-22T10:05:00.000Z' }
const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const paths = ['/livez', '/readyz', '/metrics', '/contract', '/cache', '/version']

/** The operators' listener of a service in the given state, and its log. */
async function start(t: Test, overrides: Partial<OperatorsAppOptions> = {}) {
  const lines: string[] = []
  const logger = createLogger('trace', { write: (line) => void lines.push(line) })
  const deleted: string[] = []
  const app = await createOperatorsApp(limits, logger, {
    state: () => 'serving',
    parts: () => ({}),
    metrics: createMetrics(),
    drift: () => [],
    build,
    described: null,
    cache: {
      usage: () => usage,
      delete: async (id) => void deleted.push(id),
      clear: async () => void deleted.push('all'),
    },
    allowedHosts: [],
    isShared: false,
    deletionToken: null,
    ...overrides,
  })
  t.teardown(() => app.close())
  const logLines = () => lines.map((line) => JSON.parse(line))
  const ask = (url: string, method: 'GET' | 'HEAD' | 'DELETE' = 'GET') => app.inject({ url, method })
  return { app, deleted, logLines, ask }
}

t.test('livez is ok, and its response is not cached', async (t) => {
  const { ask } = await start(t)
  for (const method of ['GET', 'HEAD'] as const) {
    const { statusCode, headers, body } = await ask('/livez', method)
    t.strictSame([statusCode, body], [200, method === 'GET' ? 'ok\n' : ''])
    t.match(headers, {
      'cache-control': /^no-store$/,
      'content-type': /^text\/plain$/,
      'x-request-id': /^[\da-f-]{36}$/,
      'x-content-type-options': /^nosniff$/,
    })
  }
})

t.test('readyz is 200 only while the service serves, even if a part is not ok', async (t) => {
  const parts = {
    callersFile: { ok: false, keys: 3, problems: ['callers[0].name: must be …'] },
    hilos: { ok: false, circuitBreaker: 'open', pausedFor: 'upstream_unavailable' },
    hilosToken: null,
  }
  for (const state of ['starting', 'serving', 'draining'] as const) {
    const reply = await (await start(t, { state: () => state, parts: () => parts })).ask('/readyz')
    const ready = state === 'serving'
    t.equal(reply.statusCode, ready ? 200 : 503, state)
    t.equal(reply.headers['cache-control'], 'no-store')
    t.strictSame(reply.json(), { ready, state, parts })
  }
})

t.test('the reports send the metrics, the drift, the version and the usage of the cache', async (t) => {
  const metrics = createMetrics()
  metrics.fileChanged('CALLERS_FILE', 'refused')
  const drift = [{ kind: 'unknown_field', path: 'contact.new_field', count: 3 }] as const
  const { ask } = await start(t, { metrics, drift: () => [...drift] })
  const { headers, body } = await ask('/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.match(body, '\nhilos_bff_file_changes_total{setting="CALLERS_FILE",outcome="refused"} 1\n')
  t.strictSame((await ask('/contract')).json(), { since: build.startedAt, drift })
  t.strictSame((await ask('/version')).json(), build)
  t.strictSame((await ask('/cache')).json(), usage)
})

t.test('one contact or the whole cache is deleted, and the log has a line without an id', async (t) => {
  const { ask, deleted, logLines } = await start(t)
  for (const url of [`/cache/execution-contacts/${id.toUpperCase()}`, '/cache']) {
    const reply = await ask(url, 'DELETE')
    t.strictSame([reply.statusCode, reply.body], [204, ''])
  }
  t.strictSame(deleted, [id, 'all'])
  t.match(logLines(), [
    { level: 30, msg: 'an operator has removed a contact from the cache', requestId: String, peer: '127.0.0.1' },
    { level: 40, msg: 'an operator has emptied the cache', requestId: String, peer: '127.0.0.1' },
  ])
  t.notMatch(JSON.stringify(logLines()), new RegExp(`${id}|purge|deletedBy`, 'i'))
})

t.test(
  'with a shared tier, what is deleted has a word of its own that all replicas log, and that is random',
  async (t) => {
    const purges: string[] = []
    const cache = {
      usage: () => usage,
      delete: async (_id: string, purge: string) => void purges.push(purge),
      clear: async (purge: string) => void purges.push(purge),
    }
    const { ask, logLines } = await start(t, { isShared: true, cache })
    for (const url of [`/cache/execution-contacts/${id}`, `/cache/execution-contacts/${id}`, '/cache'])
      t.equal((await ask(url, 'DELETE')).statusCode, 204)
    t.equal(new Set(purges).size, 3)
    for (const purge of purges) t.match(purge, /^[\da-f]{12}$/)
    const [first, second, third] = purges.map((purge) => ({ purge, deletedBy: 'all replicas', requestId: String }))
    t.match(logLines(), [
      { level: 30, msg: 'an operator has removed a contact from the cache', ...first },
      { level: 30, msg: 'an operator has removed a contact from the cache', ...second },
      { level: 40, msg: 'an operator has emptied the cache', ...third },
    ])
    t.notMatch(JSON.stringify(logLines()), id)
  },
)

t.test('204 is sent only when all replicas have deleted it; else 503, which says to repeat the request', async (t) => {
  const told = Promise.withResolvers<void>()
  const cache = { usage: () => usage, delete: () => told.promise, clear: () => told.promise }
  const { ask, logLines } = await start(t, { isShared: true, cache })
  const replies = [`/cache/execution-contacts/${id}`, '/cache'].map((url) => ask(url, 'DELETE'))
  await ask('/livez')
  t.strictSame(logLines(), [], 'it waits')
  told.reject(new Failure('shared_tier_unavailable'))
  for (const { statusCode, headers, json } of await Promise.all(replies)) {
    t.strictSame([statusCode, headers['retry-after']], [503, '2'])
    t.match(json(), { code: 'shared_tier_unavailable', retryable: true, retryAfterSeconds: 2 })
  }
  const unsure = {
    ...{ level: 40, deletedBy: 'this replica, perhaps others', purge: /^[\da-f]{12}$/ },
    err: { code: 'shared_tier_unavailable' },
  }
  t.match(logLines(), [
    { ...unsure, msg: 'an operator has removed a contact from the cache' },
    { ...unsure, msg: 'an operator has emptied the cache' },
  ])
  t.notMatch(JSON.stringify(logLines()), id)
})

t.test(
  'a request that a page of another site may have sent is refused on every route, and logged with its peer',
  async (t) => {
    const { app, deleted, logLines } = await start(t, { allowedHosts: ['ops.example'] })
    const foreign: readonly Record<string, string>[] = [
      { host: 'evil.example' },
      // Like the address of the connection here, it is none.
      { host: '1.2.3.4.5' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]
    const gets = [...paths, '/openapi.json', '/problems/invalid_id', '/problems', '/', '/favicon.ico'].map(
      (url) => ['GET', url] as const,
    )
    const deletes = ['/cache', `/cache/execution-contacts/${id}`].map((url) => ['DELETE', url] as const)
    const rows = [...gets, ...deletes].flatMap(([method, url]) => foreign.map((headers) => ({ method, url, headers })))
    await checkRowsInTurn(
      t,
      rows,
      async (row) => {
        const { statusCode, headers, json } = await app.inject(row)
        return difference([statusCode, json().code, headers['www-authenticate']], [403, 'foreign_request', undefined])
      },
      'each route refuses each request',
    )
    t.strictSame(deleted, [])
    const line = {
      ...{ level: 40, msg: 'request to the operators’ listener refused', peer: '127.0.0.1' },
      err: { code: 'foreign_request', reason: /^(host|origin|site)$/ },
    }
    t.match(logLines(), Array(rows.length).fill(line))
    t.notMatch(JSON.stringify(logLines()), 'evil')
    const own = await app.inject({ method: 'DELETE', url: '/cache', headers: { host: 'ops.example:3001' } })
    t.strictSame([own.statusCode, deleted], [204, ['all']])
  },
)

t.test('with a token, only requests that carry it delete, and all may read', async (t) => {
  const token = 'token-canary-of-sixteen'
  const { app, ask, deleted, logLines } = await start(t, { deletionToken: new Secret(token) })
  const urls = [`/cache/execution-contacts/${id}`, '/cache']
  const remove = (url: string, authorization?: string) =>
    app.inject({ method: 'DELETE', url, headers: { ...(authorization && { authorization }) } })
  const rows = urls.flatMap((url) =>
    [undefined, 'Basic canary', 'Bearer canary', `Bearer ${token}x`].map((given) => [url, given] as const),
  )
  await checkRowsInTurn(
    t,
    rows,
    async ([url, authorization]) => {
      const { statusCode, headers, json } = await remove(url, authorization)
      const isBearer = authorization?.startsWith('Bearer') === true
      const challenge = String(headers['www-authenticate']).replace(/error="invalid_token".*/, 'invalid')
      const wanted = `Bearer realm="hilos-bff"${isBearer ? ', invalid' : ''}`
      return difference([statusCode, json().code, challenge], [401, 'unauthenticated', wanted])
    },
    'each is refused with a challenge',
  )
  t.strictSame(deleted, [])
  const refused = { level: 40, msg: 'request to the operators’ listener refused', peer: '127.0.0.1' }
  t.match(logLines(), Array(rows.length).fill({ ...refused, err: { code: 'unauthenticated' } }))
  for (const url of urls) t.equal((await remove(url, `Bearer ${token}`)).statusCode, 204)
  t.strictSame(deleted, [id, 'all'])
  for (const url of paths) t.equal((await ask(url)).statusCode, 200, url)
  t.notMatch(JSON.stringify(logLines()), /canary|sixteen/)
})

t.test('an invalid request is answered with a problem, and deletes nothing', async (t) => {
  const { app, ask, deleted } = await start(t)
  const contact = `/cache/execution-contacts/${id}`
  const requests = [
    ['DELETE', '/cache/execution-contacts/x', 400, 'invalid_id'],
    ['DELETE', `${contact}/x`, 404, 'route_not_found'],
    ['DELETE', '/cache/execution-contacts/', 400, 'invalid_id'],
    ['DELETE', `/cache?id=${id}`, 400, 'invalid_query'],
    ['DELETE', `${contact}?x`, 400, 'invalid_query'],
    ['DELETE', '/livez', 405, 'method_not_allowed'],
    ['GET', contact, 405, 'method_not_allowed'],
    ['GET', '/nothing', 404, 'route_not_found'],
    ['GET', '/%zz', 400, 'malformed_request'],
  ] as const
  await checkRowsInTurn(
    t,
    requests,
    async ([method, url, status, code]) => {
      const { statusCode, headers, json } = await ask(url, method)
      return difference([statusCode, json().code, headers['cache-control']], [status, code, 'no-store'])
    },
    'each request has its problem',
  )
  const json = ['{"id":"x"}', '{', 'null'].map((payload) => ({ type: 'application/json', payload }))
  for (const { type, payload } of [...json, { type: 'text/x', payload: 'x' }])
    for (const url of ['/cache', contact]) {
      const reply = await app.inject({ method: 'DELETE', url, headers: { 'content-type': type }, payload })
      t.match(reply.json(), { code: 'malformed_request' }, `${type} ${payload}`)
    }
  t.strictSame(deleted, [])
})

t.test('the operators’ listener logs its address and no requests', async (t) => {
  const { app, logLines } = await start(t)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of [...paths, '/nothing']) await (await fetch(origin + path)).text()
  t.match(logLines(), [{ msg: `Server listening at ${origin}` }])
  t.equal(logLines().length, 1)
})

t.test('the operators’ listener closes without waiting for an incomplete request', async (t) => {
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

t.test('the operators’ listener can be turned off, and the callers’ listener has none of its routes', async (t) => {
  const off = await startService(t, { env: { ADMIN_PORT: '0' } })
  t.equal(off.service.operators, null)
  const on = await startService(t)
  t.not(on.service.operators, null)
  for (const path of paths) t.equal((await on.get(path)).status, 404)
  t.equal((await on.get('/cache', {}, 'DELETE')).status, 404)
})

t.test('a part that throws causes a 500 without the reason, and a line in the log', async (t) => {
  const parts = () => {
    throw Object.assign(new Error('canary'), { canary: 'canary' })
  }
  const { ask, logLines } = await start(t, { parts })
  const reply = await ask('/readyz')
  t.match([reply.statusCode, reply.json().code], [500, 'internal_error'])
  t.match(logLines(), [{ level: 50, msg: 'request of an operator failed', err: { cause: { type: 'Error' } } }])
  t.notMatch(reply.body + JSON.stringify(logLines()), 'canary')
})
