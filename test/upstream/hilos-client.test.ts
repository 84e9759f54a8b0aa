import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createSandbox } from '../../sandbox/hilos.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { Secret } from '../../src/common/secret.ts'
import { createHilosTokens } from '../../src/upstream/calls/hilos-tokens.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts'
import { createClock } from '../harness/clock.ts'
import {
  type Answer,
  canary,
  codeFor,
  contactId,
  createClient,
  failureOf,
  httpResponse,
  jsonResponse,
  startRawHilos,
  token,
} from './raw-hilos.ts'

const json = { 'content-type': 'application/json' }
const html = { 'content-type': 'text/html; charset=utf-8' }
const whole = JSON.stringify(executionContact(contactId))

async function arrangeSandbox(t: Test) {
  const sandbox = createSandbox({ token, now: createClock().now })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  return { ...sandbox, ...createClient(t, baseUrl), host: new URL(baseUrl).host }
}

/** What the client makes of one answer. */
async function ask(t: Test, answer: Answer) {
  const { baseUrl } = await startRawHilos(t, answer)
  const { getExecutionContact, reports: drift } = createClient(t, baseUrl)
  return { document: await getExecutionContact(contactId), drift }
}

t.test('a request, when it goes out, is exactly this', async (t) => {
  const { getExecutionContact, requests, host } = await arrangeSandbox(t)
  await getExecutionContact(contactId)
  t.equal(requests.length, 1)
  const [{ method, url, rawHeaders } = { method: '', url: '', rawHeaders: [] }] = requests
  t.equal(`${method} ${url}`, `GET /channel/whatsapp/flow-execution-contact/${contactId}`)
  t.strictSame(rawHeaders, [
    ...['host', host],
    ...['connection', 'keep-alive'],
    ...['authorization', `Token ${token}`],
    ...['accept', 'application/json'],
    ...['accept-encoding', 'gzip'],
    ...['user-agent', 'hilos-bff/test'],
  ])
})

t.test('the path, when the base URL has a prefix or none, is joined with it', async (t) => {
  const { origin, requests } = await startRawHilos(t, jsonResponse(whole))
  const prefixes = ['', '/api', '/channel/whatsapp', '/api/3/channel/whatsapp', '/with%20space']
  for (const prefix of prefixes) await createClient(t, `${origin}${prefix}`).getExecutionContact(contactId)
  t.strictSame(
    requests.map((request) => request.split('\r\n')[0]),
    prefixes.map((prefix) => `GET ${prefix}/flow-execution-contact/${contactId} HTTP/1.1`),
  )
})

t.test('documents, when asked for at the same time, are each the one asked for', async (t) => {
  const { getExecutionContact, documents, requests } = await arrangeSandbox(t)
  const ids = [...documents.keys()]
  const read = await Promise.all(ids.map((id) => getExecutionContact(id)))
  t.strictSame(
    read.map((document) => document?.id),
    ids,
  )
  t.strictSame(
    requests.map(({ url }) => url.split('/').at(-1)),
    ids,
  )
})

t.test('a document, when Hilos has it, is what the reader makes of it', async (t) => {
  const { getExecutionContact, documents, reports: drift } = await arrangeSandbox(t)
  const id = documentIds.earlierContract
  const expected = readDocument(documents.get(id)?.(0), id, () => {})
  t.equal(expected.status, 'PAUSED')
  t.strictSame(await getExecutionContact(id), expected)
  t.strictSame(drift, [])
})

t.test('a document, when it strays, is reported', async (t) => {
  const { drift } = await ask(t, jsonResponse('{"contact":{"new_field":1},"status":7}'))
  t.strictSame(drift, ['wrong_type status', 'unknown_field contact.new_field'])
})

t.test('an execution contact, when Hilos does not know it, is null', async (t) => {
  const { getExecutionContact } = await arrangeSandbox(t)
  t.equal(await getExecutionContact('00000000-0000-4000-8000-0000000000ff'), null)
})

t.test('a 404, when its content type is JSON or is not, is an absence or a wrong address', async (t) => {
  const absences = [
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=utf-8',
    'application/json ;v=1',
    'application/problem+json',
    'application/vnd.hilos.v2-beta+json',
  ]
  for (const type of absences) {
    const answer = httpResponse(404, { 'content-type': type }, `{"detail":"${canary}"}`)
    t.equal((await ask(t, answer)).document, null, type)
  }
  const strays = [
    'text/html; charset=utf-8',
    'text/plain',
    'text/json',
    'application/jsonp',
    'application/json5',
    'application/json-seq',
    'application/+json+x',
    'xapplication/json',
    'text/html; was=application/json',
    'json',
    '',
    ['application/json', 'text/html'],
  ]
  for (const type of strays) {
    const answer = httpResponse(404, { 'content-type': type }, `{"detail":"${canary}"}`)
    t.equal(await codeFor(t, answer), 'upstream_misconfigured', String(type))
  }
  t.equal(await codeFor(t, httpResponse(404, {}, `{"detail":"${canary}"}`)), 'upstream_misconfigured', 'no type at all')
})

t.test('a 404, when it says JSON and is none, is a failure and not an absence', async (t) => {
  for (const body of ['', `<h1>${canary}</h1>`])
    t.equal(await codeFor(t, httpResponse(404, json, body)), 'upstream_invalid_response')
  t.equal(await codeFor(t, httpResponse(404, json, '"too long"'), { maxBodyBytes: 4 }), 'upstream_too_large')
})

const pause = (value: string | readonly string[]) => ({ ...json, 'retry-after': value })
const elsewhere = { ...html, location: 'http://127.0.0.1:1/elsewhere' }

const tokenFingerprint = new Secret(token).fingerprint()

t.test('a status, when it is neither an answer nor an absence, is a failure by that status', async (t) => {
  const table = [
    [201, json, 'upstream_error', 2],
    [202, json, 'upstream_error', 2],
    [203, json, 'upstream_error', 2],
    [204, json, 'upstream_error', 2],
    [205, json, 'upstream_error', 2],
    [206, { ...json, 'content-range': 'bytes 0-1/2' }, 'upstream_error', 2],
    [300, elsewhere, 'upstream_redirect', null],
    [301, elsewhere, 'upstream_redirect', null],
    [302, elsewhere, 'upstream_redirect', null],
    [303, elsewhere, 'upstream_redirect', null],
    [304, json, 'upstream_error', 2],
    [307, elsewhere, 'upstream_redirect', null],
    [308, elsewhere, 'upstream_redirect', null],
    [400, json, 'upstream_error', 2],
    [401, json, 'upstream_unauthorized', null],
    [401, pause('7'), 'upstream_unauthorized', null],
    [403, json, 'upstream_forbidden', null],
    [404, html, 'upstream_misconfigured', null],
    [405, json, 'upstream_error', 2],
    [410, json, 'upstream_error', 2],
    [418, json, 'upstream_error', 2],
    [429, json, 'upstream_rate_limited', 2],
    [429, pause('7'), 'upstream_rate_limited', 7],
    [429, pause('Sun, 22 Nov 2026 10:05:09 GMT'), 'upstream_rate_limited', 9],
    [429, pause('Sun, 22 Nov 2026 10:04:00 GMT'), 'upstream_rate_limited', 1],
    [429, pause(canary), 'upstream_rate_limited', 2],
    [429, pause('-7'), 'upstream_rate_limited', 2],
    [429, pause(['7', '9']), 'upstream_rate_limited', 2],
    [429, pause('0'), 'upstream_rate_limited', 1],
    [429, pause('31536000'), 'upstream_rate_limited', 300],
    [500, html, 'upstream_error', 2],
    [500, pause('7'), 'upstream_error', 7],
    [502, html, 'upstream_error', 2],
    [503, html, 'upstream_unavailable', 2],
    [503, pause(canary), 'upstream_unavailable', 2],
    [503, pause('7'), 'upstream_rate_limited', 7],
    [503, pause('Sun, 22 Nov 2026 10:05:09 GMT'), 'upstream_rate_limited', 9],
    [504, html, 'upstream_error', 2],
    [599, html, 'upstream_error', 2],
  ] as const
  for (const [status, headers, code, retryAfterSeconds] of table) {
    // A document nobody may read: a status that is taken for a 200 shows.
    const body = status === 204 || status === 304 ? '' : `{"contact":{},"status_reason":"${canary}"}`
    const { baseUrl, requests } = await startRawHilos(t, httpResponse(status, headers, body))
    const failure = await failureOf(t, createClient(t, baseUrl).getExecutionContact(contactId))
    const shown = `${status} ${JSON.stringify(headers)}`
    const isRefusal = status === 401 || status === 403
    t.strictSame(
      [failure.code, failure.retryAfterSeconds, failure.facts],
      [code, retryAfterSeconds, { upstreamStatus: status, ...(isRefusal && { tokenFingerprint }) }],
      shown,
    )
    t.equal(requests.length, 1, 'and is asked once')
  }
})

t.test('a redirect, wherever it points, is not followed', async (t) => {
  const other = await startRawHilos(t, jsonResponse(whole))
  const locations = [
    `${other.origin}/channel/whatsapp/flow-execution-contact/${contactId}`,
    other.origin.replace('http:', ''),
    `/channel/whatsapp/flow-execution-contact/${contactId}/`,
    '',
    'javascript:alert(1)',
    ['/one', '/two'],
  ]
  for (const status of [301, 302, 303, 307, 308])
    for (const location of locations)
      t.equal(await codeFor(t, httpResponse(status, { location })), 'upstream_redirect', `${status} ${location}`)
  t.strictSame(other.sockets, [])
})

t.test('a body, when it is JSON whatever the headers say, is read', async (t) => {
  const bom = Buffer.from([0xef, 0xbb, 0xbf])
  const table: Record<string, Buffer> = {
    'as it should be': jsonResponse(whole),
    'gzip packed': jsonResponse(gzipSync(whole), { 'content-encoding': 'gzip' }),
    'GZIP packed': jsonResponse(gzipSync(whole), { 'content-encoding': 'GZIP' }),
    'said to be as it is': jsonResponse(whole, { 'content-encoding': 'Identity' }),
    'said to be HTML': httpResponse(200, html, whole),
    'said to be nothing': httpResponse(200, {}, whole),
    'with a byte order mark': jsonResponse(Buffer.concat([bom, Buffer.from(whole)])),
    'with white space around': jsonResponse(` \r\n\t${whole}\n`),
    'after early hints': Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n'), jsonResponse(whole)]),
    'over HTTP/1.0': Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${whole}`),
  }
  const expected = readDocument(JSON.parse(whole), contactId, () => {})
  for (const [name, answer] of Object.entries(table)) t.strictSame((await ask(t, answer)).document, expected, name)
})

t.test('invalid UTF-8, when it is in a text, is read as U+FFFD', async (t) => {
  const body = Buffer.concat([Buffer.from('{"contact":{"email":"a'), Buffer.from([0xff]), Buffer.from('b"}}')])
  t.equal((await ask(t, jsonResponse(body))).document?.contact?.email, 'a\ufffdb')
})

/** The reason a 200 with this body fails for, and whether it is transient; the code is always the same. */
async function reasonFor(t: Test, body: string | Buffer): Promise<unknown> {
  const { baseUrl, requests } = await startRawHilos(t, jsonResponse(body))
  const failure = await failureOf(t, createClient(t, baseUrl).getExecutionContact(contactId))
  t.equal(failure.code, 'upstream_invalid_response')
  t.equal(requests.length, 1)
  return `${failure.facts.reason}, ${failure instanceof UpstreamFailure ? 'transient' : 'final'}`
}

t.test('a body, when it is not JSON, is a failure', async (t) => {
  const table = [
    '',
    ' ',
    canary,
    `{"contact":${canary}}`,
    `{"contact":{}}${canary}`,
    `{"contact":{},}`,
    `{'contact':{}}`,
    `<!doctype html><title>${canary}</title>`,
    Buffer.from('{"contact":{}}', 'utf16le'),
    gzipSync('{"contact":{}}'),
  ]
  for (const body of table) t.equal(await reasonFor(t, body), 'not JSON, transient', body.toString().slice(0, 40))
})

t.test('a body, when it is JSON and no document, is a failure', async (t) => {
  const table = ['null', '[]', '[{"contact":{}}]', `"${canary}"`, '7', 'true', '{}', `{"detail":"${canary}"}`]
  for (const body of table) t.equal(await reasonFor(t, body), 'below the structural minimum, final', body)
  const another = `{"id":"${canary}","contact":{}}`
  t.equal(await reasonFor(t, another), 'another id than the requested one, final')
})

t.test('a body, when it repeats our key, is a failure that is not transient', async (t) => {
  for (const body of [`{"contact":{"email":"${token}"}}`, token])
    t.equal(await reasonFor(t, body), 'our own key in the body, final')
})

t.test('a key, when too short to tell from other text, is known by the whole credentials', async (t) => {
  for (const [key, repeated, isRead] of [
    ['elevenchars', 'elevenchars', true],
    ['elevenchars', 'Token elevenchars', false],
    ['twelve-chars', 'twelve-chars', false],
  ] as const) {
    const { baseUrl } = await startRawHilos(t, jsonResponse(`{"contact":{"email":"${repeated}"}}`))
    const asked = createClient(t, baseUrl, {
      tokens: createHilosTokens({ current: new Secret(key), next: null }),
    }).getExecutionContact(contactId)
    if (isRead) t.equal((await asked)?.contact?.email, repeated)
    else t.strictSame((await failureOf(t, asked)).facts, { reason: 'our own key in the body' })
  }
})

t.test('an encoding, when not kept or never asked for, is a failure', async (t) => {
  for (const encoding of ['br', 'deflate', 'x-gzip', 'gzip, gzip', ['gzip', 'gzip'], canary])
    t.equal(
      await codeFor(t, jsonResponse(gzipSync(gzipSync(whole)), { 'content-encoding': encoding })),
      'upstream_invalid_response',
      String(encoding),
    )
  t.equal(await codeFor(t, jsonResponse(canary, { 'content-encoding': 'gzip' })), 'upstream_invalid_response')
})

t.test('a body, when it is larger than allowed, plain or unpacked, is a failure', async (t) => {
  const padded = (length: number) => '{"contact":{}}'.padEnd(length)
  for (const [length, isAllowed] of [
    [999, true],
    [1000, true],
    [1001, false],
  ] as const)
    for (const answer of [
      jsonResponse(padded(length)),
      jsonResponse(gzipSync(padded(length)), { 'content-encoding': 'gzip' }),
    ]) {
      const { baseUrl } = await startRawHilos(t, answer)
      const asked = createClient(t, baseUrl, { maxBodyBytes: 1000 }).getExecutionContact(contactId)
      if (isAllowed) t.ok(await asked)
      else t.equal((await failureOf(t, asked)).code, 'upstream_too_large')
    }
})

t.test(
  'a document, when it has more steps and messages than allowed, is a failure that is not transient',
  async (t) => {
    const withSteps = (count: number) => jsonResponse(`{"execution_steps":[${Array(count).fill('{}').join()}]}`)
    const { baseUrl } = await startRawHilos(t, withSteps(3))
    const asked = createClient(t, baseUrl, { maxElements: 3 }).getExecutionContact(contactId)
    t.equal((await asked)?.execution_steps.length, 3)
    const failure = await failureOf(t, createClient(t, baseUrl, { maxElements: 2 }).getExecutionContact(contactId))
    t.notOk(failure instanceof UpstreamFailure)
    t.equal(failure.code, 'upstream_too_large')
    t.strictSame(failure.facts, { maxElements: 2 })
  },
)

t.test('an upstream, when it echoes the request wherever it can, is not repeated', async (t) => {
  const echo = `Authorization: Token ${token}`
  const answers: Record<string, Buffer | string> = {
    'in an error': httpResponse(500, html, echo),
    'in a header': httpResponse(401, { 'x-echo': echo, 'www-authenticate': echo }),
    'in a redirect': httpResponse(302, { location: `http://127.0.0.1:1/?${echo}` }),
    'in Retry-After': httpResponse(429, { 'retry-after': echo }),
    'in the content type': httpResponse(404, { 'content-type': echo }),
    'in the content encoding': jsonResponse('{}', { 'content-encoding': echo }),
    'in JSON that is no document': jsonResponse(JSON.stringify({ detail: echo })),
    'in the id': jsonResponse(JSON.stringify({ id: echo, contact: {} })),
    'in what is not JSON': jsonResponse(echo),
    'in the reason': `HTTP/1.1 500 ${echo}\r\ncontent-length: 0\r\n\r\n`,
    'in what is not HTTP': `${echo}\r\n\r\n`,
    'in a header that is none': `HTTP/1.1 200 OK\r\n${echo}\0\r\n\r\n`,
    'in a length': `HTTP/1.1 200 OK\r\ncontent-length: ${echo}\r\n\r\n`,
    'in a chunk size': `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${echo}\r\n`,
  }
  for (const [name, answer] of Object.entries(answers)) t.match(await codeFor(t, answer), /^upstream_/, name)
})
