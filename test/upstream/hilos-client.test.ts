import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { Secret } from '../../src/common/secret.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'
import { statusFailure, UpstreamFailure } from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import {
  type Answer,
  arrangeRaw,
  arrangeSandbox,
  type ClientOptions,
  canary,
  contactId,
  createClient,
  failureFor,
  type Headers,
  httpResponse,
  json,
  jsonResponse,
  startRawHilos,
  token,
} from './raw-hilos.ts'

const html = { 'content-type': 'text/html; charset=utf-8' }
const whole = JSON.stringify(executionContact(contactId))

/** The document of an upstream with this answer. */
async function read(t: Test, answer: Answer, options: ClientOptions = {}) {
  const { call } = await arrangeRaw(t, answer, options)
  return await call()
}

t.test('a request has exactly this path and these headers', async (t) => {
  const { call, requests, host } = await arrangeSandbox(t)
  await call()
  const url = `/channel/whatsapp/flow-execution-contact/${contactId}`
  const rawHeaders = [
    ...['host', host],
    ...['connection', 'keep-alive'],
    ...['authorization', `Token ${token}`],
    ...['accept', 'application/json'],
    ...['accept-encoding', 'gzip'],
    ...['user-agent', 'hilos-bff/test'],
  ]
  t.strictSame(requests, [{ method: 'GET', url, rawHeaders }])
})

t.test('the path of the base URL is a prefix of the path', async (t) => {
  const { origin, requests } = await startRawHilos(t, jsonResponse(whole))
  const prefixes = ['', '/api', '/channel/whatsapp', '/api/3/channel/whatsapp', '/with%20space']
  for (const prefix of prefixes) await createClient(t, `${origin}${prefix}`).call()
  t.strictSame(
    requests.map((request) => request.split('\r\n')[0]),
    prefixes.map((prefix) => `GET ${prefix}/flow-execution-contact/${contactId} HTTP/1.1`),
  )
})

t.test('documents that are requested at the same time are not mixed up', async (t) => {
  const { call, documents } = await arrangeSandbox(t)
  const ids = [...documents.keys()]
  const documentIdsRead = await Promise.all(ids.map(async (id) => (await call(id))?.id))
  t.strictSame(documentIdsRead, ids)
})

t.test('a document is read as a whole, and deviations are reported', async (t) => {
  const { call, documents, drift } = await arrangeSandbox(t)
  const id = documentIds.earlierContract
  const expected = readDocument(documents.get(id)?.(0), id, () => {})
  t.equal(expected.status, 'PAUSED')
  t.strictSame(await call(id), expected)
  t.strictSame(drift, [])
  documents.set(id, () => ({ contact: { new_field: 1 }, status: 7 }))
  await call(id)
  t.strictSame(drift, ['wrong_type status', 'unknown_field contact.new_field'])
})

t.test('a 404 is an absence if its content type is JSON, and otherwise a wrong base URL', async (t) => {
  const absences = [
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=utf-8',
    'application/json ;v=1',
    'application/problem+json',
    'application/vnd.hilos.v2-beta+json',
  ]
  const others = [
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
  const body = `{"detail":"${canary}"}`
  const answerOf = (type: string | string[]) => httpResponse(404, { 'content-type': type }, body)
  await checkRowsInTurn(t, absences, async (type) => difference(await read(t, answerOf(type)), null), 'an absence')
  await checkRowsInTurn(
    t,
    [...others.map(answerOf), httpResponse(404, {}, body)],
    async (answer) => difference((await failureFor(t, answer)).code, 'upstream_misconfigured'),
    'a wrong base URL',
  )
})

t.test('a 404 with a content type of JSON but another body is a failure', async (t) => {
  for (const body of ['', `<h1>${canary}</h1>`])
    t.equal((await failureFor(t, httpResponse(404, json, body))).code, 'upstream_invalid_response')
  const tooLong = httpResponse(404, json, '"too long"')
  t.equal((await failureFor(t, tooLong, { maxBodyBytes: 4 })).code, 'upstream_too_large')
})

t.test('any other status is the failure of that status, whatever the body, and is not retried', async (t) => {
  const elsewhere = { ...html, location: 'http://127.0.0.1:1/elsewhere' }
  const statuses = [
    201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 405, 408, 409, 410, 418, 425, 429,
    500, 501, 505, 599,
  ]
  const soon = 'Sun, 22 Nov 2026 10:05:09 GMT'
  // The gateway statuses are retried without a readable Retry-After.
  const waits = [429, 500, 502, 503, 504].flatMap((status) => ['7', '0', soon].map((wait) => [status, wait] as const))
  const rows: [status: number, headers: Headers, retryAfter?: string][] = [
    ...statuses.map((status): [number, Headers] => [status, elsewhere]),
    ...waits.map(([status, wait]): [number, Headers, string] => [status, { ...json, 'retry-after': wait }, wait]),
    [206, { ...json, 'content-range': 'bytes 0-1/2' }],
    [401, { 'retry-after': '7' }],
    [429, { 'retry-after': canary }],
    [429, { 'retry-after': ['7', '9'] }],
  ]
  await checkRowsInTurn(
    t,
    rows,
    async ([status, headers, retryAfter]) => {
      // A whole document, so that a status that is taken for a 200 is noticed.
      const body = status === 204 || status === 304 ? '' : `{"contact":{},"status_reason":"${canary}"}`
      const found = await failureFor(t, httpResponse(status, headers, body))
      const expected = statusFailure(status, retryAfter, createClock().now(), new Secret(token).fingerprint())
      const parts = [found, expected].map(({ code, retryAfterSeconds, facts }) => ({ code, retryAfterSeconds, facts }))
      return difference(parts[0], parts[1])
    },
    'the failure of the status',
  )
})

t.test('a redirect is not followed', async (t) => {
  const other = await startRawHilos(t, jsonResponse(whole))
  const locations = [
    `${other.origin}/channel/whatsapp/flow-execution-contact/${contactId}`,
    other.origin.replace('http:', ''),
    `/channel/whatsapp/flow-execution-contact/${contactId}/`,
    '',
    'javascript:alert(1)',
    ['/one', '/two'],
  ]
  await checkRowsInTurn(
    t,
    [301, 302, 303, 307, 308].flatMap((status) => locations.map((location) => httpResponse(status, { location }))),
    async (answer) => difference((await failureFor(t, answer)).code, 'upstream_redirect'),
    'the redirect is a failure',
  )
  t.strictSame(other.sockets, [])
})

t.test('a body of JSON is read whatever the headers say', async (t) => {
  const bom = Buffer.from([0xef, 0xbb, 0xbf])
  const answers = [
    jsonResponse(whole),
    jsonResponse(gzipSync(whole), { 'content-encoding': 'gzip' }),
    jsonResponse(gzipSync(whole), { 'content-encoding': 'GZIP' }),
    jsonResponse(whole, { 'content-encoding': 'Identity' }),
    httpResponse(200, html, whole),
    httpResponse(200, {}, whole),
    jsonResponse(Buffer.concat([bom, Buffer.from(whole)])),
    jsonResponse(` \r\n\t${whole}\n`),
    Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n'), jsonResponse(whole)]),
    Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${whole}`),
  ]
  const expected = readDocument(JSON.parse(whole), contactId, () => {})
  await checkRowsInTurn(t, answers, async (answer) => difference(await read(t, answer), expected), 'the document')
})

t.test('a 200 that is not the requested document is a failure, transient only if it cannot be read', async (t) => {
  const bodies = {
    'not JSON': [
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
    ],
    'below the structural minimum': ['null', '[]', '[{"contact":{}}]', `"${canary}"`, '7', `{"detail":"${canary}"}`],
    'another id than the requested one': [`{"id":"${canary}","contact":{}}`],
    'our own key in the body': [`{"contact":{"email":"${token}"}}`, token],
  }
  const encodings = ['br', 'gzip, gzip', ['gzip', 'gzip'], canary]
  await checkRowsInTurn(
    t,
    [
      ...Object.entries(bodies).flatMap(([reason, texts]) => texts.map((body) => [reason, body] as const)),
      ...encodings.map((encoding) => ['unsupported content encoding', whole, encoding] as const),
      ['invalid gzip', canary, 'gzip'] as const,
    ],
    async ([reason, body, encoding]) => {
      const failure = await failureFor(t, jsonResponse(body, encoding ? { 'content-encoding': encoding } : {}))
      const isTransient = reason === 'not JSON' || encoding !== undefined
      const found = [failure.code, failure.facts, failure instanceof UpstreamFailure]
      return difference(found, ['upstream_invalid_response', { reason }, isTransient])
    },
    'an invalid response',
  )
})

t.test('a document with more steps and messages than allowed is a final failure', async (t) => {
  const answer = jsonResponse('{"execution_steps":[{},{},{}]}')
  t.equal((await read(t, answer, { maxElements: 3 }))?.execution_steps.length, 3)
  const failure = await failureFor(t, answer, { maxElements: 2 })
  t.notOk(failure instanceof UpstreamFailure)
  t.equal(failure.code, 'upstream_too_large')
  t.strictSame(failure.facts, { maxElements: 2 })
})

t.test('no failure repeats the token when Hilos repeats the request', async (t) => {
  const echo = `Authorization: Token ${token}`
  const answers = [
    httpResponse(500, html, echo),
    httpResponse(401, { 'x-echo': echo, 'www-authenticate': echo }),
    httpResponse(302, { location: `http://127.0.0.1:1/?${echo}` }),
    httpResponse(429, { 'retry-after': echo }),
    httpResponse(404, { 'content-type': echo }),
    jsonResponse('{}', { 'content-encoding': echo }),
    jsonResponse(JSON.stringify({ detail: echo })),
    jsonResponse(JSON.stringify({ id: echo, contact: {} })),
    jsonResponse(echo),
    `HTTP/1.1 500 ${echo}\r\ncontent-length: 0\r\n\r\n`,
    `${echo}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${echo}\0\r\n\r\n`,
    `HTTP/1.1 200 OK\r\ncontent-length: ${echo}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${echo}\r\n`,
  ]
  await checkRowsInTurn(
    t,
    answers,
    async (answer) => ((await failureFor(t, answer)).code.startsWith('upstream_') ? null : 'another failure'),
    'the failure repeats nothing',
  )
})
