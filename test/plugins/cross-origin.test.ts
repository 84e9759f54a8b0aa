import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { type Reply, startService } from '../harness/service.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
const origin = 'https://support.example'
const preflight = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }

const start = (t: Test, origins = `${origin}, http://localhost:5173`) =>
  startService(t, {
    callers: [{ name: 'a', profile: 'agent' }],
    env: { CORS_ORIGINS: origins, CALLER_MAX_RPS: '1000' },
  })

function corsHeadersOf({ headers }: Reply): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))
}

t.test('a page, on an origin that is listed, may read the answer and what it says of freshness', async (t) => {
  const { get, as } = await start(t)
  for (const each of [origin, 'http://localhost:5173']) {
    const reply = await get(path, { ...as('a'), origin: each })
    t.equal(reply.status, 200)
    t.equal(reply.headers.get('access-control-allow-origin'), each)
    t.equal(reply.headers.get('vary'), 'Origin, Accept, Accept-Encoding, Authorization')
    const exposed = reply.headers.get('access-control-expose-headers')?.toLowerCase().split(', ')
    const own = 'etag cache-control age cache-status server-timing x-request-id vary x-content-type-options retry-after'
    for (const name of own.split(' ')) t.ok(exposed?.includes(name), name)
    for (const [name] of reply.headers)
      if (!/^(access-control|content-|connection|keep-alive|date|referrer|cross-origin|transfer)/.test(name))
        t.ok(exposed?.includes(name), `${name} is exposed`)
    t.equal(reply.headers.get('access-control-allow-credentials'), null)
  }
})

t.test('a page, on any other origin, is told nothing that lets it read', async (t) => {
  const { get, as } = await start(t)
  const others = ['https://support.example.evil.example', 'http://support.example', 'https://support.example:8443']
  for (const each of [...others, 'https://SUPPORT.example', 'null', 'https://support.example/', '*', 'x']) {
    for (const headers of [
      { ...as('a'), origin: each },
      { ...preflight, origin: each },
    ]) {
      const reply = await get(path, headers, 'access-control-request-method' in headers ? 'OPTIONS' : 'GET')
      t.equal(reply.headers.get('access-control-allow-origin'), null, each)
    }
  }
})

t.test('a preflight, from a listed origin, allows what callers send, and may be kept', async (t) => {
  const { get, sandbox } = await start(t)
  const reply = await get(path, { ...preflight, origin }, 'OPTIONS')
  t.equal(reply.status, 204)
  for (const [name, value] of Object.entries({
    origin,
    methods: 'GET, HEAD',
    headers: 'Accept, Authorization, Cache-Control, If-None-Match, X-Request-Id',
  }))
    t.equal(reply.headers.get(`access-control-allow-${name}`), value)
  t.equal(reply.headers.get('access-control-max-age'), '7200')
  t.equal(reply.headers.get('access-control-allow-credentials'), null)
  t.match(reply.headers.get('vary'), /\bOrigin\b/)
  t.equal(sandbox.requests.length, 0)
})

t.test('a refusal, too, can be read by the page that caused it', async (t) => {
  const { get, as } = await start(t)
  const table = [
    [path, {}, 401],
    [`${path}?profile=full`, as('a'), 403],
    [`${path}?x`, as('a'), 400],
    ['/nothing-here', {}, 404],
    ['/execution-contacts/00000000-0000-4000-8000-00000000dead', as('a'), 404],
  ] as const
  for (const [url, headers, status] of table) {
    const reply = await get(url, { ...headers, origin })
    t.equal(reply.status, status)
    t.equal(reply.headers.get('access-control-allow-origin'), origin, `${status}`)
    t.match(reply.headers.get('access-control-expose-headers'), /WWW-Authenticate/)
  }
})

t.test('OPTIONS, where it is no preflight, is a method like any other', async (t) => {
  for (const { get } of [await start(t), await start(t, '')]) {
    for (const headers of [{}, { origin }, { 'access-control-request-method': 'GET' }]) {
      const reply = await get(path, headers, 'OPTIONS')
      t.match([reply.status, reply.json().code], [405, 'method_not_allowed'])
      t.equal(reply.headers.get('allow'), 'GET, HEAD')
      t.equal((await get('/nothing-here', headers, 'OPTIONS')).status, 404)
    }
  }
})

t.test('without origins, no answer says a word of it, and a preflight is refused', async (t) => {
  const { get, as } = await start(t, '')
  t.strictSame(corsHeadersOf(await get(path, { ...as('a'), origin })), {})
  const reply = await get(path, { ...preflight, origin }, 'OPTIONS')
  t.equal(reply.status, 405)
  t.strictSame(corsHeadersOf(reply), {})
  t.equal((await get(path, as('a'))).headers.get('vary'), 'Accept, Accept-Encoding, Authorization')
})
