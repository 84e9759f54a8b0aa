import { connect } from 'node:net'
import type { FastifyError } from 'fastify'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createKey } from '../../src/access/keys.ts'
import { Failure } from '../../src/failures/failure.ts'
import { failureKinds } from '../../src/failures/failure-kinds.ts'
import { failureOf } from '../../src/plugins/problems.ts'
import { startService } from '../harness/service.ts'
import { checkRows, checkRowsInTurn, difference } from '../harness/table.ts'
import { noIdentity } from '../presentation/pipeline.ts'

const id = documentIds.deliveryConfirmation
const path = `/execution-contacts/${id}`

/** Sends bytes as they are. Returns the response when the server has closed the connection. */
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

/** A service and what its responses begin with, for requests that are the given bytes and a last header. */
async function startRaw(t: Test) {
  const { origin } = await startService(t)
  const ask = (request: string) => speak(origin, `${request}\r\nConnection: close\r\n\r\n`)
  return { origin, ask }
}

const ok = /^HTTP\/1\.1 200 OK\r\n/

t.test('an id that is not a UUID is a 400 or a 404, and Hilos is not called', async (t) => {
  const { get, sandbox } = await startService(t)
  const noIds = ['1', 'x', '', '%20', '%00', 'undefined', '[object%20Object]', '__proto__', 'constructor', '*']
  const undecodable = [
    '%zz',
    '%',
    '%c0%ae',
    '%252e%252e',
    '..%2f..%2fadmin',
    "'%20or%201=1",
    '<script>alert(1)<script>',
  ]
  const almost = [`{${id}}`, `urn:uuid:${id}`, id.replaceAll('-', ''), id.slice(1), `${id}0`, `g${id.slice(1)}`]
  const wide = [`${id.slice(0, -1)}Ａ`, `${id.slice(0, -1)}%EF%BC%A1`, `${id}%C3%A9`, 'a'.repeat(1900), `${id},${id}`]
  const endings = ['%0a', '%0D%0A', ';x.css', '.json', '%2f..', '%23', '%3Fview=summary'].map((end) => id + end)
  await checkRowsInTurn(
    t,
    [...noIds, ...undecodable, ...almost, ...wide, ...endings, `%2e%2e%2f${id}`],
    async (bad) => {
      const { status, headers, json } = await get(`/execution-contacts/${bad}`)
      return difference(
        [status, json().code, headers.get('content-type'), headers.get('x-content-type-options')],
        [400, 'invalid_id', 'application/problem+json', 'nosniff'],
      )
    },
    'each is an invalid id',
  )
  for (const bad of [`${id}/x.css`, `${id}/`, '../x/y', `/${id}`, '../x']) {
    const reply = await get(`/execution-contacts/${bad}`)
    t.match([reply.status, reply.json().code], [404, 'route_not_found'], bad)
  }
  t.equal(sandbox.requests.length, 0)
})

t.test('a UUID of any version and case is an id', async (t) => {
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

t.test('an invalid query is a 400 that does not repeat it, and Hilos is not called', async (t) => {
  const { get, sandbox } = await startService(t)
  const views = ['view=', 'view', 'view=full', 'view=Summary', 'view=summary%20', 'view[]=summary']
  const repeated = ['view=summary&view=summary', 'view=summary&view=timeline', 'view=summary&x=1']
  const unknown = ['x', 'fields=contact', 'token=canary-in-query', '__proto__=x', 'constructor=x', '=x']
  await checkRowsInTurn(
    t,
    [...views, ...repeated, ...unknown],
    async (query) => {
      const { status, json, text } = await get(`${path}?${query}`)
      const { code, instance } = json()
      return difference([status, code, instance, /canary/.test(text)], [400, 'invalid_query', path, false])
    },
    'each is an invalid query',
  )
  t.equal(sandbox.requests.length, 0)
})

t.test('a method that the path does not have is a 405 with Allow, whatever the body', async (t) => {
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

t.test('an unknown path is a problem', async (t) => {
  const { get } = await startService(t)
  const pages = [
    '/docs/nothing.js',
    '/docs/static/nothing.js',
    '/problems/',
    '/problems/nothing',
    '/problems/__proto__',
  ]
  for (const missing of ['/nothing', '/execution-contact', ...pages]) {
    const reply = await get(missing)
    t.equal(reply.status, 404, missing)
    t.match(reply.json(), { code: 'route_not_found', status: 404, instance: missing })
    t.equal(reply.json().requestId, reply.headers.get('x-request-id'))
  }
})

t.test('a target may have 2048 characters', async (t) => {
  const { get } = await startService(t)
  const pathOf = (length: number) => `/nothing?${'x'.repeat(length - 9)}`
  t.equal((await get(pathOf(2048))).status, 404)
  const reply = await get(pathOf(2049))
  t.match([reply.status, reply.json().code], [414, 'uri_too_long'])
  t.equal(reply.headers.get('connection'), 'close', 'no limit of callers counts it')
})

t.test('malformed HTTP is answered with a problem, and the connection is closed', async (t) => {
  const { origin, sandbox, log } = await startService(t)
  const get = `GET ${path} HTTP/1.1\r\n`
  const malformed = [
    'nonsense-canary\r\n\r\n',
    'FOO / HTTP/1.1\r\nHost: a\r\n\r\n',
    `${get}Host: a\r\nbad header\r\n\r\n`,
    `${get}Host: a\r\nX: \u0001\r\n\r\n`,
    `${get}Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    `${get}Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${get}Host: a\r\nHost: b\r\n\r\n`,
    `${get}\r\n`,
    'GET / HTTP/0.9\r\nHost: a\r\n\r\n',
    `GET ${path} HTTP/2.0\r\nHost: a\r\n\r\n`,
    ...['', 'a b/c@d', 'a, b', '[x]', 'a:123456'].map((host) => `${get}Host: ${host}\r\n\r\n`),
    'GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n',
  ].map((bytes) => ({ bytes, status: 400, code: 'malformed_request' }))
  const tooLarge = `${get}Host: a\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`
  const connect = 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n'
  for (const { bytes, status, code } of [
    ...malformed,
    { bytes: tooLarge, status: 431, code: 'headers_too_large' },
    { bytes: connect, status: 405, code: 'method_not_allowed' },
  ]) {
    const [head = '', body = ''] = (await speak(origin, bytes)).split('\r\n\r\n')
    t.match(head, new RegExp(`^HTTP/1.1 ${status} `), bytes.slice(0, 60))
    t.match(head, /\r\ncontent-type: application\/problem\+json\r\n/i)
    t.match(head, /\r\nconnection: close/i)
    const problem = JSON.parse(body)
    t.match(problem, { status, code, type: `/problems/${code}` })
    t.match(head, new RegExp(`x-request-id: ${problem.requestId}`))
    t.equal(head.includes('\r\nallow: GET, HEAD\r\n'), status === 405)
    t.notMatch(head, /retry-after/)
  }
  t.equal(sandbox.requests.length, 0)
  t.notMatch(log(), /canary/)
})

t.test('a Host is a name or an address, with or without a port', async (t) => {
  const { ask } = await startRaw(t)
  for (const host of ['a', 'hilos-bff.internal:3000', '10.0.0.1:80', '[::1]:3000', '[2001:DB8::1]', 'my_host'])
    t.match(await ask(`GET /problems/invalid_id HTTP/1.1\r\nHost: ${host}`), ok, host)
})

t.test('unusual requests that are well-formed are answered', async (t) => {
  const { ask } = await startRaw(t)
  const named = 'GET /problems/invalid_id HTTP/1.1\r\nHost: a\r\nX-A: host\r\nX-B: c'
  t.match(await ask(named), ok, 'the value of a header is not taken for a name')
  t.match(await ask(`GET ${path} HTTP/1.1\r\nHost: a\r\nExpect: banana`), ok, 'an unknown expectation is ignored')
  t.match(await ask(`GET ${path} HTTP/1.0`), ok, 'HTTP/1.0 needs no Host')
})

t.test('a body of a GET is not read, and the connection is closed unless the body is empty', async (t) => {
  const { origin } = await startRaw(t)
  for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
    const heard = await speak(origin, `GET ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n3`)
    t.match(heard, ok)
    t.equal(heard.match(/HTTP\/1\.1 /g)?.length, 1)
  }
  const get = (header: string) => `GET /problems/invalid_id HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`
  const heard = await speak(origin, get('Content-Length: 0') + get('Connection: close'))
  t.equal(heard.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
})

t.test('malformed data behind a request in flight gets no response', async (t) => {
  const { origin, sandbox } = await startService(t)
  sandbox.faults.set(id, 'hang')
  t.equal(await speak(origin, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n`), '')
})

t.test('a target that is a full URL is served by its path, which is all that a problem repeats', async (t) => {
  const { ask } = await startRaw(t)
  t.match(await ask(`GET http://a${path}?view=summary HTTP/1.1\r\nHost: a`), ok)
  for (const [target, instance] of [
    ['http://user:canary@a/nothing?x', '/nothing'],
    ['///nothing#canary', '/nothing'],
    ['/nothing?canary', '/nothing'],
    ['/a<"[%zz%3C?canary', '/a%3C%22%5B%25zz%3C'],
  ] as const)
    t.match(await ask(`GET ${target} HTTP/1.1\r\nHost: a`), `"instance":"${instance}"`, target)
})

t.test('a well-formed request id is kept, and any other is replaced', async (t) => {
  const { get, logLines } = await startService(t)
  for (const good of ['a', 'A-1_2.z', 'x'.repeat(64)]) {
    t.equal((await get('/nothing', { 'x-request-id': good })).headers.get('x-request-id'), good)
    t.ok(logLines().some(({ requestId }) => requestId === good))
  }
  for (const bad of [createKey(), '', 'x'.repeat(65), 'a b', 'a\tb', '"', 'é', '{}'])
    t.match((await get('/nothing', { 'x-request-id': bad })).headers.get('x-request-id'), /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
})

t.test('an unexpected error is a 500 that does not repeat it, and the log says where it was thrown', async (t) => {
  const { get, logLines, store } = await startService(t)
  await get(path)
  const broken = { serialized: Buffer.from('{"canary'), identity: noIdentity }
  for (const [key, entry] of store.entries())
    store.set(key, { ...entry, value: entry.value && { ...entry.value, content: broken } })
  const reply = await get(`${path}?profile=agent`)
  t.equal(reply.status, 500)
  t.match(reply.json(), { code: 'internal_error', retryable: false, retryAfterSeconds: null })
  t.notMatch(reply.text, /canary|SyntaxError|\.ts:/)
  const line = logLines().at(-1)
  t.match(line, {
    level: 50,
    status: 500,
    err: { code: 'internal_error', cause: { type: 'SyntaxError', frames: [/views\/view\./] } },
  })
  t.notMatch(JSON.stringify(line), /canary/)
})

t.test('an error of the framework is a malformed request if its status is a 4xx, else an internal error', async (t) => {
  const errorOf = (status: object): FastifyError => Object.assign(new Error('x'), { code: 'FST_X' }, status)
  const table = [
    [{ statusCode: 399 }, 'internal_error'],
    [{ statusCode: 400 }, 'malformed_request'],
    [{ statusCode: 499 }, 'malformed_request'],
    [{ statusCode: 500 }, 'internal_error'],
    [{}, 'internal_error'],
  ] as const
  checkRows(t, table, ([status, code]) => difference(failureOf(errorOf(status)).code, code), 'each status has its code')
  const known = new Failure('upstream_timeout')
  t.equal(failureOf(known), known)
})

t.test('each kind of failure has a page', async (t) => {
  const { get } = await startService(t)
  for (const [code, kind] of Object.entries(failureKinds)) {
    const page = await get(`/problems/${code}`)
    t.equal(page.status, 200)
    t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    t.equal(page.headers.get('cache-control'), 'public, max-age=300')
    for (const text of [code, kind.title, kind.detail, kind.advice, String(kind.status)])
      t.ok(page.text.includes(text), text)
    t.match(
      page.text,
      'retryAfterSeconds' in kind ? `after about ${kind.retryAfterSeconds} seconds` : 'No. The same request',
    )
  }
})

t.test('the page of all problems leads to the page of each, and back', async (t) => {
  const { get, origin } = await startService(t)
  const list = await get('/problems')
  const links = [...list.text.matchAll(/<a href="problems\/(.*?)">\1<\/a> (.*)\n/g)].map(([, code = '', text]) => [
    code,
    text,
  ])
  t.strictSame(
    links,
    Object.entries(failureKinds).map(([code, { status, title }]) => [code, `${status}: ${title}`]),
  )
  for (const [code = ''] of links) {
    const url = new URL(`problems/${code}`, `${origin}/problems`)
    const [, back = ''] = /<a href="(.*?)">All problems<\/a>/.exec((await get(url.pathname)).text) ?? []
    t.equal(new URL(back, url).pathname, '/problems', code)
  }
})
