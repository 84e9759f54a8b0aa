import { connect } from 'node:net'
import type { FastifyError } from 'fastify'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createKey } from '../../src/access/keys.ts'
import { Failure } from '../../src/failures/failure.ts'
import { failureKinds } from '../../src/failures/failure-kinds.ts'
import { failureOf } from '../../src/plugins/problems.ts'
import { startService } from '../harness/service.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`

/** Sends bytes as they are, and gives what came back until the other side closed. */
function speak(origin: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    let heard = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(heard))
  })
}

t.test('an id that is no UUID, however it is dressed up, is a 400 or a 404, and Hilos is not asked', async (t) => {
  const { get, sandbox } = await startService(t)
  const id = documentIds.deliveryConfirmation
  const bad400 = [
    '1',
    'x',
    '%20',
    '%00',
    'undefined',
    '[object%20Object]',
    `{${id}}`,
    `urn:uuid:${id}`,
    id.replaceAll('-', ''),
    id.slice(1),
    `${id}0`,
    `${id}%0a`,
    `${id}%0D%0A`,
    `${id};x.css`,
    `${id}.json`,
    `${id}%2f..`,
    `${id}%23`,
    `${id}%3Fview=summary`,
    `%2e%2e%2f${id}`,
    '..%2f..%2fadmin',
    '%252e%252e',
    `g${id.slice(1)}`,
    `${id.slice(0, -1)}Ａ`,
    `${id.slice(0, -1)}%EF%BC%A1`,
    `${id}%C3%A9`,
    '%zz',
    '%',
    '%c0%ae',
    '__proto__',
    'constructor',
    '*',
    "'%20or%201=1",
    '<script>alert(1)<script>',
    `${id},${id}`,
    'a'.repeat(1900),
    '',
  ]
  for (const bad of bad400) {
    const reply = await get(`/execution-contacts/${bad}`)
    t.equal(reply.status, 400, bad.slice(0, 60))
    t.equal(reply.json().code, 'invalid_id')
    t.equal(reply.headers.get('content-type'), 'application/problem+json')
    t.equal(reply.headers.get('x-content-type-options'), 'nosniff')
  }
  for (const bad of [`${id}/x.css`, `${id}/`, '../x/y', `/${id}`, '..']) {
    const reply = await get(`/execution-contacts/${bad}`)
    t.equal(reply.status, 404, bad)
    t.equal(reply.json().code, 'route_not_found')
  }
  t.equal(sandbox.requests.length, 0)
})

t.test('every RFC 9562 UUID, whatever its version and case, is asked about', async (t) => {
  const { get } = await startService(t)
  for (const id of [
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '01939f1c-7a2b-7cde-8f01-23456789abcd',
    '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  ])
    t.equal((await get(`/execution-contacts/${id}`)).json().code, 'execution_contact_not_found', id)
})

t.test('a query that is not understood, is a 400, and Hilos is not asked', async (t) => {
  const { get, sandbox } = await startService(t)
  const bad = [
    'view=',
    'view',
    'view=full',
    'view=Summary',
    'view=summary%20',
    'view=summary&view=summary',
    'view=summary&view=timeline',
    'view[]=summary',
    'view=summary&x=1',
    'x',
    'fields=contact',
    'token=canary-in-query',
    '__proto__=x',
    'constructor=x',
    '=x',
  ]
  for (const query of bad) {
    const reply = await get(`${path}?${query}`)
    t.equal(reply.status, 400, query)
    t.equal(reply.json().code, 'invalid_query')
    t.equal(reply.json().instance, path, 'the query is not repeated')
    t.notMatch(reply.text, /canary/)
  }
  t.equal(sandbox.requests.length, 0)
})

t.test('a method, when the path exists but not for it, is a 405 with Allow, whatever the body', async (t) => {
  const { get, origin, sandbox } = await startService(t)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const reply = await get(path, {}, method)
    t.equal(reply.status, 405, method)
    t.equal(reply.headers.get('allow'), 'GET, HEAD')
    t.equal(reply.json().code, 'method_not_allowed')
  }
  for (const target of [`${path}?view=summary`, `${path}#x`, `${path}?`])
    t.equal((await get(target, {}, 'POST')).headers.get('allow'), 'GET, HEAD', target)
  for (const known of ['/openapi.json', '/docs', '/docs/static/swagger-ui.css', '/problems/invalid_id'])
    t.equal((await get(known, {}, 'DELETE')).status, 405, known)
  for (const [type, body] of [
    ['application/json', '{'],
    ['foo/bar', 'x'.repeat(3_000_000)],
  ] as const) {
    const reply = await fetch(`${origin}${path}`, { method: 'POST', headers: { 'content-type': type }, body })
    t.equal(reply.status, 405, type)
  }
  t.equal((await get('/nothing', {}, 'POST')).status, 404)
  t.equal(sandbox.requests.length, 0)
})

t.test('a path that does not exist, is a problem too', async (t) => {
  const { get } = await startService(t)
  for (const missing of [
    '/',
    '/nothing',
    '/docs/nothing.js',
    '/docs/static/nothing.js',
    '/problems/',
    '/problems/nothing',
    '/problems/__proto__',
    '/execution-contacts',
  ]) {
    const reply = await get(missing)
    t.equal(reply.status, 404, missing)
    t.match(reply.json(), { code: 'route_not_found', status: 404, instance: missing })
    t.equal(reply.json().requestId, reply.headers.get('x-request-id'))
  }
})

t.test('a target, when it is exactly as long as allowed, is read; one character more is a 414', async (t) => {
  const { get } = await startService(t)
  const pathOf = (length: number) => `/nothing?${'x'.repeat(length - 9)}`
  t.equal((await get(pathOf(2048))).status, 404)
  const reply = await get(pathOf(2049))
  t.equal(reply.status, 414)
  t.equal(reply.json().code, 'uri_too_long')
})

t.test('what is not HTTP, or too much of it, is answered with a problem and a closed connection', async (t) => {
  const { origin, sandbox, log } = await startService(t)
  const get = `GET ${path} HTTP/1.1\r\n`
  const table = [
    [`${get}Host: a\r\nX: ${'y'.repeat(9000)}\r\n\r\n`, 431, 'headers_too_large'],
    ['nonsense-canary\r\n\r\n', 400, 'malformed_request'],
    ['FOO / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    [`${get}Host: a\r\nbad header\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a\r\nX: \u0001\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a\r\nHost: b\r\n\r\n`, 400, 'malformed_request'],
    [`${get}\r\n`, 400, 'malformed_request'],
    ['GET / HTTP/0.9\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    [`GET ${path} HTTP/2.0\r\nHost: a\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host:\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a b/c@d\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a, b\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: [x]\r\n\r\n`, 400, 'malformed_request'],
    [`${get}Host: a:123456\r\n\r\n`, 400, 'malformed_request'],
    ['CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'method_not_allowed'],
    ['GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    ['GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
  ] as const
  for (const [bytes, status, code] of table) {
    const heard = await speak(origin, bytes)
    const [head = '', body = ''] = heard.split('\r\n\r\n')
    t.match(head, new RegExp(`^HTTP/1.1 ${status} `), bytes.slice(0, 60))
    t.match(head, /\r\ncontent-type: application\/problem\+json\r\n/i)
    t.match(head, /\r\nconnection: close/i)
    const problem = JSON.parse(body)
    t.match(problem, { status, code, type: `/problems/${code}` })
    t.match(head, new RegExp(`x-request-id: ${problem.requestId}`))
  }
  t.equal(sandbox.requests.length, 0)
  t.notMatch(log(), /canary/)
})

t.test('a Host, when it is a name or an address with or without a port, is taken', async (t) => {
  const { origin } = await startService(t)
  for (const host of ['a', 'hilos-bff.internal:3000', '10.0.0.1:80', '[::1]:3000', '[2001:DB8::1]', 'my_host'])
    t.match(
      await speak(origin, `GET /problems/invalid_id HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1\.1 200 OK\r\n/,
      host,
    )
})

t.test('a value, when it is the name of a header that may be sent once, is none of it', async (t) => {
  const { origin } = await startService(t)
  const heard = await speak(
    origin,
    'GET /problems/invalid_id HTTP/1.1\r\nHost: a\r\nX-A: host\r\nX-B: c\r\nConnection: close\r\n\r\n',
  )
  t.match(heard, /^HTTP\/1\.1 200 OK\r\n/)
})

t.test('an expectation nobody knows, when sent, is ignored', async (t) => {
  const { origin } = await startService(t)
  const heard = await speak(origin, `GET ${path} HTTP/1.1\r\nHost: a\r\nExpect: banana\r\nConnection: close\r\n\r\n`)
  t.match(heard, /^HTTP\/1\.1 200 OK\r\n/)
})

t.test('a body, when a GET announces one, is not waited for, and the connection is closed', async (t) => {
  const { origin } = await startService(t)
  for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
    const heard = await speak(origin, `GET ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n3`)
    t.match(heard, /^HTTP\/1\.1 200 OK\r\n/)
    t.equal(heard.match(/HTTP\/1\.1 /g)?.length, 1, 'one answer and no more')
  }
})

t.test('a body of no length, when a GET announces it, leaves the connection open', async (t) => {
  const { origin } = await startService(t)
  const get = (headers: string) => `GET /problems/invalid_id HTTP/1.1\r\nHost: a\r\n${headers}\r\n`
  const heard = await speak(origin, `${get('Content-Length: 0\r\n')}${get('Connection: close\r\n')}`)
  t.equal(heard.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
})

t.test('what is not HTTP, when it follows a request that still waits, is never taken for its answer', async (t) => {
  const { origin, sandbox } = await startService(t)
  sandbox.faults.set(documentIds.deliveryConfirmation, 'hang')
  t.equal(await speak(origin, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n`), '')
})

t.test(
  'a full URL, when it is the target, is served by its path, and a problem repeats no more than that',
  async (t) => {
    const { origin } = await startService(t)
    const ask = (target: string) => speak(origin, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.match(await ask(`http://a${path}?view=summary`), /^HTTP\/1\.1 200 OK\r\n/)
    for (const target of ['http://user:canary@a/nothing?x', '///nothing#canary', '/nothing?canary'])
      t.match(await ask(target), /"instance":"\/nothing"/, target)
    t.match(await ask('/a<"[%zz%3C?canary'), /"instance":"\/a%3C%22%5B%25zz%3C"/, 'and is a URI reference')
  },
)

t.test('HTTP/1.0 without a Host, when it asks properly, is answered', async (t) => {
  const { origin } = await startService(t)
  t.match(await speak(origin, `GET ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 200 OK\r\n/)
})

t.test('a request id, when it is well-formed, is taken over; else one is made', async (t) => {
  const { get, logLines } = await startService(t)
  for (const good of ['a', 'A-1_2.z', 'x'.repeat(64)]) {
    t.equal((await get('/nothing', { 'x-request-id': good })).headers.get('x-request-id'), good)
    t.ok(logLines().some(({ requestId }) => requestId === good))
  }
  for (const bad of [createKey(), '', 'x'.repeat(65), 'a b', 'a\tb', '"', 'é', '{}'])
    t.match((await get('/nothing', { 'x-request-id': bad })).headers.get('x-request-id'), /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
})

t.test(
  'an error nobody foresaw, when a handler throws it, is a 500 that says nothing and a line that says where',
  async (t) => {
    const { get, service, logLines, store } = await startService(t)
    await get(path)
    const [key, entry] = [...store.entries()][0] ?? []
    t.ok(key && entry)
    if (key && entry) store.set(key, { ...entry, value: { packed: Buffer.from('{"canary'), flowId: null } })
    const reply = await get(path)
    t.equal(reply.status, 500)
    t.match(reply.json(), { code: 'internal_error', retryable: false, retryAfterSeconds: null })
    t.notMatch(reply.text, /canary|SyntaxError|\.ts:/)
    const line = logLines().at(-1)
    t.match(line, {
      level: 50,
      status: 500,
      err: { code: 'internal_error', cause: { type: 'SyntaxError', frames: [/renderView/] } },
    })
    t.notMatch(JSON.stringify(line), /canary/)
    t.ok(service)
  },
)

t.test('an error of the framework, when it refuses a request, is a malformed request; any other is ours', async (t) => {
  const errorOf = (status: object): FastifyError => Object.assign(new Error('x'), { code: 'FST_X' }, status)
  const table = [
    [{ statusCode: 399 }, 'internal_error'],
    [{ statusCode: 400 }, 'malformed_request'],
    [{ statusCode: 404 }, 'route_not_found'],
    [{ statusCode: 499 }, 'malformed_request'],
    [{ statusCode: 500 }, 'internal_error'],
    [{}, 'internal_error'],
  ] as const
  for (const [status, code] of table) t.equal(failureOf(errorOf(status)).code, code, JSON.stringify(status))
  const known = new Failure('upstream_timeout')
  t.equal(failureOf(known), known)
})

t.test('each kind of failure, whichever it is, has a page', async (t) => {
  const { get } = await startService(t)
  for (const [code, kind] of Object.entries(failureKinds)) {
    const page = await get(`/problems/${code}`)
    t.equal(page.status, 200)
    t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    t.equal(page.headers.get('cache-control'), 'public, max-age=3600')
    for (const text of [code, kind.title, kind.detail, kind.advice, String(kind.status)])
      t.ok(page.text.includes(text), text)
    t.match(page.text, kind.retryable ? `after about ${kind.retryAfterSeconds} seconds` : 'No. The same request')
  }
})
