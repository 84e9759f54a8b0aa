import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { Secret } from '../../src/common/secret.ts'
import { createHilosTokens } from '../../src/upstream/calls/hilos-tokens.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'
import { statusFailure, UpstreamFailure } from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { createTimers } from '../harness/timers.ts'
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
  idsOf,
  json,
  jsonResponse,
  outcomeOf,
  retries,
  startRawHilos,
  token,
  until,
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

/** What gateways and frameworks say of a path that they do not know. */
const notFoundElsewhere: Record<string, readonly [type: string, body: string]> = {
  Kong: ['application/json; charset=utf-8', '{"message":"no Route matched with those values"}'],
  'Kong 3': ['application/json', '{"message":"no Route matched with those values","request_id":"4b6d"}'],
  Tyk: ['application/json', '{"error":"Not Found"}'],
  'the API gateway of AWS': ['application/json', '{"message":"Not Found"}'],
  Spring: ['application/json', '{"timestamp":"2026-11-22T10:05:00Z","status":404,"error":"Not Found","path":"/x"}'],
  FastAPI: ['application/json', '{"detail":"Not Found"}'],
  'FastAPI, for a 410': ['application/json', '{"detail":"Gone"}'],
  'another case': ['application/json', '{"detail":" not found "}'],
  'RFC 9457': ['application/problem+json', '{"title":"Not Found","status":404,"detail":"No such resource."}'],
  'RFC 9457 with a detail': ['application/problem+json', '{"detail":"Not found."}'],
  'RFC 9457 as JSON': ['application/json', '{"title":"Not Found","status":404,"detail":"No such resource."}'],
  'a code beside the detail': ['application/json', '{"detail":"Not found.","code":"not_found"}'],
  Express: ['text/html; charset=utf-8', '<pre>Cannot GET /channel/whatsapp</pre>'],
  Envoy: ['text/plain', ''],
  Traefik: ['text/plain; charset=utf-8', '404 page not found'],
  'Google Cloud': ['application/json', '{"error":{"code":404,"message":"Not found.","status":"NOT_FOUND"}}'],
  'Ruby on Rails': ['application/json', '{"status":404,"error":"Not Found"}'],
  'a detail that is no text': ['application/json', '{"detail":["Not found."]}'],
  'a detail that is null': ['application/json', '{"detail":null}'],
  'an empty detail': ['application/json', '{"detail":""}'],
  'a blank detail': ['application/json', '{"detail":" "}'],
  'an empty object': ['application/json', '{}'],
  'an array': ['application/json', '["Not found."]'],
  null: ['application/json', 'null'],
  'a text': ['application/json', '"Not found."'],
  'an empty body': ['application/json', ''],
  'JSON that is HTML': ['application/json', `<h1>${canary}</h1>`],
  'JSON that is cut off': ['application/json', '{"detail":"Not found."'],
  'more than ten thousand bytes': ['application/json', '{"detail":"Not found."}'.padEnd(10_001)],
}

t.test('a 404 or 410 is an absence if it is JSON as Django REST Framework writes it', async (t) => {
  const types = ['application/json', 'APPLICATION/JSON', 'application/json; charset=utf-8', 'application/json ;v=1']
  const details = [
    'Not found.',
    'No FlowExecutionContact matches the given query.',
    'No encontrado.',
    '未找到。',
    canary,
  ]
  const rows = [404, 410].flatMap((status) => [
    ...types.map((type) => [status, type, '{"detail":"Not found."}'] as const),
    ...details.map((detail) => [status, 'application/json', JSON.stringify({ detail })] as const),
    [status, 'application/json', ' {\n"detail": "Not found." }\n'] as const,
    [status, 'application/json', '{"detail":"Not found."}'.padEnd(10_000)] as const,
  ])
  await checkRowsInTurn(
    t,
    rows,
    async ([status, type, body]) =>
      difference(await read(t, httpResponse(status, { 'content-type': type }, body)), null),
    'an absence',
  )
  const compressed = httpResponse(404, { ...json, 'content-encoding': 'gzip' }, gzipSync('{"detail":"Not found."}'))
  t.equal(await read(t, compressed), null)
})

t.test('any other 404 or 410 is not of Hilos, so it is a transient failure', async (t) => {
  const types = ['text/html', 'text/json', 'application/vnd.hilos+json', '', ['application/json', 'text/html']]
  const rows = [404, 410].flatMap((status) => [
    ...Object.values(notFoundElsewhere).map(([type, body]) => [status, { 'content-type': type }, body] as const),
    ...types.map((type) => [status, { 'content-type': type }, '{"detail":"Not found."}'] as const),
    [status, {}, '{"detail":"Not found."}'] as const,
  ])
  await checkRowsInTurn(
    t,
    rows,
    async ([status, headers, body]) => {
      const failure = await failureFor(t, httpResponse(status, headers, body))
      const found = [failure.code, failure.facts, failure instanceof UpstreamFailure]
      return difference(found, ['upstream_misconfigured', { upstreamStatus: status }, true])
    },
    'not an answer of Hilos',
  )
})

t.test(
  'a gateway without its routes counts as an outage: it opens the circuit breaker, and does not close it',
  async (t) => {
    const noRoute = httpResponse(404, json, '{"message":"no Route matched with those values"}')
    const { call, clock, requests, reports } = await arrangeRaw(t, noRoute)
    const ids = idsOf(11)
    for (const id of ids.slice(0, 9)) t.equal(await outcomeOf(call(id)), 'upstream_misconfigured')
    t.strictSame(reports, [])
    t.equal(await outcomeOf(call(ids[9])), 'upstream_misconfigured')
    t.strictSame(reports, ['opened: upstream_unavailable'])
    t.equal(await outcomeOf(call(ids[10])), 'upstream_unavailable')
    clock.advance(1000)
    t.equal(await outcomeOf(call(ids[10])), 'upstream_misconfigured', 'the probe')
    t.equal(await outcomeOf(call(ids[10])), 'upstream_unavailable')
    t.equal(requests.length, 11)
    t.strictSame(reports, ['opened: upstream_unavailable'])
  },
)

t.test('an absence is an answer: it closes the circuit breaker', async (t) => {
  let isUp = false
  const { call, clock, reports } = await arrangeRaw(t, (socket) =>
    socket.end(isUp ? httpResponse(410, json, '{"detail":"Not found."}') : httpResponse(404)),
  )
  for (const id of idsOf(10)) await outcomeOf(call(id))
  clock.advance(1000)
  isUp = true
  t.equal(await call(), null)
  t.strictSame(reports, ['opened: upstream_unavailable', 'closed'])
})

t.test('a 404 in JSON that cannot be read, or does not end, is not of Hilos', async (t) => {
  const tooLong = httpResponse(404, json, '"too long"')
  t.equal((await failureFor(t, tooLong, { maxBodyBytes: 4 })).code, 'upstream_misconfigured')
  const encoded = httpResponse(404, { ...json, 'content-encoding': 'br' }, '{"detail":"Not found."}')
  t.equal((await failureFor(t, encoded)).code, 'upstream_misconfigured')
  const timers = createTimers()
  const endless: Answer = (socket) =>
    socket.write('HTTP/1.1 404 no\r\ncontent-type: application/json\r\n\r\n{"detail":"')
  const failing = failureFor(t, endless, { clock: timers, connectTimeoutMs: 60_000 })
  await until(() => timers.armed().join() === '10000,1000')
  await timers.advance(1000)
  t.equal((await failing).code, 'upstream_misconfigured')
  const late = outcomeOf((await arrangeRaw(t, endless, { clock: timers, timeoutMs: 999 })).call())
  await until(() => timers.armed().join() === '999,1000')
  await timers.advance(999)
  t.equal(await late, 'upstream_timeout')
})

t.test(
  'a success has a document, also one with a status that is not known, unless it cannot have a whole one',
  async (t) => {
    const expected = readDocument(JSON.parse(whole), contactId, () => {})
    const statuses = [200, 203, 209, 218, 225, 227, 250, 299]
    await checkRowsInTurn(
      t,
      statuses,
      async (status) => difference(await read(t, httpResponse(status, json, whole)), expected),
      'the document',
    )
    for (const status of [203, 299]) {
      const failure = await failureFor(t, httpResponse(status, html, `<title>${canary}</title>`))
      t.strictSame([failure.code, failure.facts], ['upstream_invalid_response', { reason: 'not JSON' }])
    }
  },
)

t.test('a status about the connection is retried at once, on a fresh one', async (t) => {
  const statuses = [408, 421, 425, 444, 460, 499, 502, 503, 504, 520, 521, 522, 523, 524]
  await checkRowsInTurn(
    t,
    statuses,
    async (status) => {
      let responses = 0
      const answer = (socket: Socket) => {
        responses += 1
        socket.write(responses === 1 ? httpResponse(status, html, canary) : jsonResponse(whole))
      }
      const { call, requests, sockets } = await arrangeRaw(t, answer, { retries })
      const id = (await call())?.id
      return difference([id, requests.length, sockets.length], [contactId, 2, 2])
    },
    'the document of the second request',
  )
})

t.test('the age of an answer is its Age and the time since the request that got it was sent', async (t) => {
  const clock = createClock(undefined, { random: () => 0 })
  const taking = (ms: number, answer: Buffer) => (socket: Socket) => {
    clock.advance(ms)
    socket.end(answer)
  }
  const absence = httpResponse(404, { ...json, age: '60' }, '{"detail":"Not found."}')
  await checkRowsInTurn(
    t,
    [
      [taking(0, jsonResponse(whole)), 0],
      [taking(4000, jsonResponse(whole)), 4000],
      [taking(0.25, jsonResponse(whole)), 1],
      [taking(4000, jsonResponse(whole, { age: '60' })), 64_000],
      [taking(0, jsonResponse(whole, { age: '86400' })), 86_400_000],
      [taking(0, jsonResponse(whole, { age: ['60', '7'] })), 60_000],
      [taking(400, jsonResponse(whole, { age: 'soon' })), 400],
      // By the clock of Hilos it would be an hour old, but one of the two clocks may be wrong.
      [taking(0, jsonResponse(whole, { date: 'Sun, 22 Nov 2026 09:05:00 GMT' })), 0],
      [taking(400, absence), 60_400],
    ] as const,
    async ([answer, ageMs]) => {
      const { load } = await arrangeRaw(t, answer, { clock })
      return difference((await load()).ageMs, ageMs)
    },
    'the age',
  )
})

t.test('the age counts from the last request, and includes the time that the body took', async (t) => {
  const clock = createClock(undefined, { random: () => 0 })
  let responses = 0
  const answer = (socket: Socket) => {
    responses += 1
    clock.advance(1000)
    if (responses === 1) return socket.end(httpResponse(502))
    const bytes = jsonResponse(whole)
    socket.write(bytes.subarray(0, -1))
    return setImmediate(() => {
      clock.advance(200)
      socket.end(bytes.subarray(-1))
    })
  }
  const { load, requests } = await arrangeRaw(t, answer, { clock, retries })
  t.equal((await load()).ageMs, 1200)
  t.equal(requests.length, 2)
})

t.test('the age includes the time that reading the body took', async (t) => {
  const { getExecutionContact, clock } = await arrangeRaw(t, jsonResponse(whole, { age: '60' }))
  const demand = { askedBy: new Set(['a']), urgency: () => 2 as const, markAsked: () => {} }
  const { ageMs } = await getExecutionContact(contactId, demand, async () => clock.advance(400))
  t.equal(ageMs, 60_400)
})

t.test('any other status is the failure of that status, whatever the body, and is not retried', async (t) => {
  const elsewhere = { ...html, location: 'http://127.0.0.1:1/elsewhere' }
  const statuses = [
    201, 202, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 399, 400, 401, 403, 404, 405, 407,
    409, 410, 418, 429, 500, 501, 505, 511, 525, 529, 599, 600, 999,
  ]
  const soon = 'Sun, 22 Nov 2026 10:05:09 GMT'
  // The gateway statuses are retried without a readable Retry-After.
  const waits = [408, 429, 500, 502, 503, 504].flatMap((status) =>
    Object.entries({ '7': 7, '0': 1, [soon]: 9 }).map(([wait, seconds]) => [status, wait, seconds] as const),
  )
  const rows: [status: number, headers: Headers, asked?: number][] = [
    ...statuses.map((status): [number, Headers] => [status, elsewhere]),
    ...waits.map(([status, wait, asked]): [number, Headers, number] => [
      status,
      { ...json, 'retry-after': wait },
      asked,
    ]),
    [206, { ...json, 'content-range': 'bytes 0-1/2' }],
    [401, { 'retry-after': '7' }],
    [429, { 'retry-after': canary }],
    [429, { 'retry-after': ['7', '9'] }, 9],
    [429, { 'retry-after': ['soon', soon], date: 'Sun, 22 Nov 2026 10:05:02 GMT' }, 7],
  ]
  await checkRowsInTurn(
    t,
    rows,
    async ([status, headers, asked]) => {
      // A whole document, so that a status that is taken for a 200 is noticed.
      const body = status === 204 || status === 304 ? '' : `{"contact":{},"status_reason":"${canary}"}`
      const found = await failureFor(t, httpResponse(status, headers, body))
      const expected = statusFailure(status, asked, new Secret(token).fingerprint())
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
    jsonResponse(whole, { 'content-encoding': '' }),
    ...['x-gzip', 'gzip, identity', 'identity,gzip', ', gzip ,', ['gzip', 'identity']].map((encoding) =>
      jsonResponse(gzipSync(whole), { 'content-encoding': encoding }),
    ),
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
  const encodings = ['br', 'gzip, gzip', ['gzip', 'gzip'], ['gzip', 'x-gzip'], 'deflate, identity', canary]
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

t.test('the same document has the same revision, as long as it is searched for the same tokens', async (t) => {
  const [first, second] = [new Secret('first token'), new Secret('second token')]
  const tokens = createHilosTokens(first, null, createClock())
  const { getExecutionContact } = await arrangeRaw(t, (socket) => socket.write(jsonResponse(whole)), { tokens })
  const revision = async () => {
    const demand = { askedBy: new Set(['a']), urgency: () => 2 as const, markAsked: () => {} }
    return (await getExecutionContact(contactId, demand, (body) => body.revision)).content
  }
  const ofFirst = await revision()
  t.equal(await revision(), ofFirst)
  tokens.replace('next', second)
  const ofBoth = await revision()
  t.not(ofBoth, ofFirst, 'it may contain the second one')
  tokens.use(second, first)
  t.equal(await revision(), ofBoth, 'the same two are searched for')
  tokens.replace('next', new Secret('third token'))
  t.equal(new Set([ofFirst, ofBoth, await revision()]).size, 3)
})

t.test('a fault of ours in reading is passed on, and is no failure of Hilos', async (t) => {
  const outcomes: string[] = []
  const observer = { callEnded: (outcome: string) => void outcomes.push(outcome) }
  const hilos = await arrangeRaw(t, (socket) => socket.write(jsonResponse(whole)), { observer })
  const demand = { askedBy: new Set(['a']), urgency: () => 2 as const, markAsked: () => {} }
  const fault = new TypeError('a fault')
  for (let times = 0; times < 12; times += 1)
    await t.rejects(
      hilos.getExecutionContact(contactId, demand, () => {
        throw fault
      }),
      fault,
    )
  t.strictSame(outcomes, Array(12).fill('internal_error'))
  t.match(hilos.health(), { ok: true, failuresInARow: 0, circuitBreaker: 'closed' })
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
