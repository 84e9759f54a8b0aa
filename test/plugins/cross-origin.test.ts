import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContactSchema } from '../../src/routes/execution-contacts.schema.ts'
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

t.test('a page of a listed origin can read the response and all its headers', async (t) => {
  const { get, as } = await start(t)
  const own =
    'etag cache-control age cache-status server-timing x-request-id vary x-content-type-options retry-after preference-applied'
  for (const each of [origin, 'http://localhost:5173']) {
    const reply = await get(path, { ...as('a'), origin: each })
    const { 'access-control-expose-headers': exposed = '', ...others } = corsHeadersOf(reply)
    t.equal(reply.status, 200)
    t.strictSame(others, { 'access-control-allow-origin': each })
    t.equal(reply.headers.get('vary'), 'Origin, Accept, Accept-Encoding, Authorization')
    const sent = [...reply.headers.keys()].filter(
      (name) => !/^(access-control|content-|connection|keep-alive|date|referrer|cross-origin|transfer)/.test(name),
    )
    const readable = exposed.toLowerCase().split(', ')
    for (const name of [...own.split(' '), ...sent]) t.ok(readable.includes(name), name)
  }
})

t.test('a page of any other origin can read nothing', async (t) => {
  const { get, as } = await start(t)
  const others = ['https://support.example.evil.example', 'http://support.example', 'https://support.example:8443']
  for (const each of [...others, 'https://SUPPORT.example', 'null', 'https://support.example/', '*', 'x']) {
    const replies = [
      await get(path, { ...as('a'), origin: each }),
      await get(path, { ...preflight, origin: each }, 'OPTIONS'),
    ]
    for (const { headers } of replies) t.equal(headers.get('access-control-allow-origin'), null, each)
  }
})

t.test('a preflight of a listed origin names what is allowed, and can be cached', async (t) => {
  const { get, sandbox } = await start(t)
  const reply = await get(path, { ...preflight, origin }, 'OPTIONS')
  t.equal(reply.status, 204)
  const { 'access-control-expose-headers': _exposed, ...others } = corsHeadersOf(reply)
  t.strictSame(others, {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers':
      'Accept, Authorization, Cache-Control, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, traceparent, tracestate, baggage',
    'access-control-max-age': '7200',
  })
  t.match(reply.headers.get('vary'), /\bOrigin\b/)
  t.equal(sandbox.requests.length, 0)
})

t.test('a page can also read a problem', async (t) => {
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

t.test('a page may send every header that the API describes', async (t) => {
  const { get } = await start(t)
  const reply = await get(path, { ...preflight, origin }, 'OPTIONS')
  const allowed = (reply.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(', ')
  for (const name of Object.keys(executionContactSchema.headers.properties)) t.ok(allowed.includes(name), name)
})

t.test('a page can also read a refusal of a request that reaches no route', async (t) => {
  const { origin: service } = await start(t)
  const exchange = async (text: string) => {
    const socket = connect(Number(new URL(service).port), '127.0.0.1').setEncoding('latin1')
    socket.end(text)
    return (await socket.toArray()).join('')
  }
  const request = (target: string, headers: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`
  const long = `X-Long: ${'x'.repeat(17_000)}\r\n`
  for (const [status, text, allowed] of [
    [400, request('/execution-contacts/%zz', `Origin: ${origin}\r\n`), origin],
    [400, request('/execution-contacts/%zz', 'Origin: https://evil.example\r\n'), null],
    [400, request('/execution-contacts/%zz', ''), null],
    [431, request(path, `Origin: http://localhost:5173\r\n${long}`), 'http://localhost:5173'],
    [431, request(path, long), '*'],
    [400, `nonsense\r\nReferer: ${origin}\r\n\r\n`, '*'],
    [431, request(path, `Origin: ${origin}.evil.example\r\n${long}`), '*'],
  ] as const) {
    const heard = await exchange(text)
    t.match(heard, new RegExp(`^HTTP/1.1 ${status} `))
    t.equal(/^access-control-allow-origin: (.*)\r$/im.exec(heard)?.[1] ?? null, allowed)
    t.equal(/^access-control-expose-headers: .*Retry-After/im.test(heard), allowed !== null)
    t.match(heard, /^vary: Origin/im)
  }
})

t.test('OPTIONS that is not a preflight is not allowed, like other methods', async (t) => {
  for (const { get } of [await start(t), await start(t, '')])
    for (const headers of [{}, { origin }, { 'access-control-request-method': 'GET' }]) {
      const reply = await get(path, headers, 'OPTIONS')
      t.match([reply.status, reply.json().code], [405, 'method_not_allowed'])
      t.equal(reply.headers.get('allow'), 'GET, HEAD')
      t.equal((await get('/nothing-here', headers, 'OPTIONS')).status, 404)
    }
})

t.test('without listed origins no response has a CORS header, and a preflight is refused', async (t) => {
  const { get, as } = await start(t, '')
  const replies = [await get(path, { ...as('a'), origin }), await get(path, { ...preflight, origin }, 'OPTIONS')]
  t.strictSame(replies.map(corsHeadersOf), [{}, {}])
  t.equal(replies[1]?.status, 405)
  t.equal(replies[0]?.headers.get('vary'), 'Accept, Accept-Encoding, Authorization')
})
