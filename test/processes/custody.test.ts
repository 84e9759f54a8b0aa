import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { uuid } from '../../sandbox/parts.ts'
import { encodingsOf } from '../harness/encodings-of.ts'
import { preload } from '../harness/process.ts'
import { type Arrangement, startService, textOf } from '../harness/service.ts'
import { startServiceProcess } from '../harness/service-process.ts'
import { checkRows, checkRowsInTurn, difference } from '../harness/table.ts'
import { httpResponse, json, jsonResponse, startRawHilos } from '../upstream/raw-hilos.ts'

/** It contains characters that the alphabets of base64, URLs and JSON write differently. */
const token = 'custody-???>>>~~~/"\\-canary-4b2f'
const credentials = `Token ${token}`

const hexOf = (text: string, prefix: string) =>
  [...text].map((each) => `${prefix}${each.charCodeAt(0).toString(16)}`).join('')
const inJson = (text: string) => JSON.stringify(text).slice(1, -1)
const base64Of = (text: string, alphabet: BufferEncoding) =>
  ['', 'a', 'ab'].map((before) => Buffer.from(`${before}${text}z`).toString(alphabet))

/** The token in every encoding, each as it appears between the quotation marks of JSON. */
const spellings: readonly string[] = [
  inJson(token),
  inJson(credentials),
  ...base64Of(token, 'base64'),
  ...base64Of(token, 'base64').map((each) => each.replaceAll('/', '\\/')),
  ...base64Of(token, 'base64url'),
  hexOf(token, '%'),
  hexOf(token, '%').toUpperCase(),
  encodeURIComponent(credentials),
  hexOf(token, '\\u00'),
  hexOf(token, '').toUpperCase().replaceAll(/../g, '\\u00$&'),
  inJson(token).replace('canary', '\\u0063anary').replace('/', '\\/'),
]

const found = (text: string) => encodingsOf(token, text)

t.test('the search finds the token in every encoding, and nothing in other texts', async (t) => {
  const surroundings = ['', '"', ' ', 'a', 'ab', 'abc', '{"level":30,"msg":"']
  const texts = spellings.flatMap((spelling) => surroundings.map((around) => `${around}${spelling}${around}`))
  checkRows(t, texts, (text) => (found(text).length > 0 ? null : 'not found'), 'every spelling is found')
  const encodings = [
    [token, 'plain'],
    [`x ${Buffer.from(`ab${token}`).toString('base64url')}`, 'base64'],
    [hexOf(token, '%'), 'percent-encoded'],
    [JSON.stringify(token), 'JSON-escaped'],
  ] as const
  const isNamed = ([text, encoding]: (typeof encodings)[number]) =>
    found(text).includes(encoding) ? null : 'another encoding'
  checkRows(t, encodings, isNamed, 'the encoding is named')
  const others = ['', token.slice(1), hexOf(token.slice(1), '%'), btoa(token.slice(1)), token.toUpperCase()]
  checkRows(t, others, (text) => difference(found(text), []), 'nothing else is found')
})

/** Requests ids from a service, and fails when the token is in a response, in the log or in the cache. */
async function checkResponses<Row extends { readonly id: string; readonly wanted: (status: number) => boolean }>(
  t: Test,
  rows: Iterable<Row>,
  arrangement: Arrangement,
) {
  const { get, clock, log, store, sandbox } = await startService(t, { token, ...arrangement })
  const check = async ({ id, wanted }: Row) => {
    // Longer than any pause that Hilos asked for.
    clock.advance(600_000)
    const { status, text, headers } = await get(`/execution-contacts/${id}?view=transcript`)
    if (!wanted(status)) return `status ${status}`
    return difference(found(`${text} ${inspect([...headers])} ${textOf(store.entries())}`), [])
  }
  await checkRowsInTurn(t, rows, check, 'neither a response nor the cache contains the token')
  t.match(log(), /"msg":"answered"/)
  t.strictSame(found(log()), [], 'the log')
  return sandbox
}

t.test('no response, log line or cache entry contains the token when a failing Hilos repeats it', async (t) => {
  const rows = Object.values(faultIds).map((id) => ({ id, wanted: (status: number) => status >= 500 }))
  const sandbox = await checkResponses(t, rows, { faultText: spellings.join(' '), env: { HILOS_TIMEOUT_MS: '150' } })
  t.ok(sandbox.requests.every(({ rawHeaders }) => rawHeaders.includes(credentials)))
})

const echoing = ['x-echo', 'set-cookie', 'cache-control', 'server', 'www-authenticate']
const inHeaders = (text: string) => ({
  ...Object.fromEntries(echoing.map((name) => [name, text])),
  etag: `"${text}"`,
  location: `https://elsewhere.example/?${text}`,
})

/** The places where Hilos can repeat the token, each with the status for the caller. */
const places: readonly (readonly [place: string, status: number, answer: (spelling: string) => Buffer])[] = [
  ['a shown value', 502, (text) => jsonResponse(`{"contact":{"first_name":"${text}"},"status_reason":"${text}"}`)],
  ['a hidden value', 502, (text) => jsonResponse(`{"contact":{"unknown":"${text}"}}`)],
  ['a key', 502, (text) => jsonResponse(`{"contact":{"${text}":1},"${text}":2}`)],
  ['another JSON object', 502, (text) => jsonResponse(`{"detail":"${text}"}`)],
  ['invalid JSON', 502, (text) => jsonResponse(`{"contact":{},${text}`)],
  ['the id', 502, (text) => jsonResponse(`{"contact":{},"id":"${text}"}`)],
  ['an absence', 502, (text) => httpResponse(404, json, `{"detail":"${text}"}`)],
  ['a page', 502, (text) => httpResponse(404, { 'content-type': 'text/html' }, text)],
  ['an error', 502, (text) => httpResponse(500, json, `{"detail":"${text}"}`)],
  ['a refusal of the token', 502, (text) => httpResponse(401, inHeaders(text), text)],
  ['a refusal of a contact', 502, (text) => httpResponse(403, inHeaders(text), text)],
  ['a redirect', 502, (text) => httpResponse(302, inHeaders(text), text)],
  ['Retry-After', 503, (text) => httpResponse(429, { 'retry-after': text }, text)],
  ['headers of a document', 200, (text) => jsonResponse('{"contact":{}}', inHeaders(text))],
  ['the content type', 200, (text) => jsonResponse('{"contact":{}}', { 'content-type': text })],
  ['the content encoding', 502, (text) => jsonResponse('{"contact":{}}', { 'content-encoding': text })],
  ['the status line', 502, (text) => Buffer.from(`HTTP/1.1 500 ${text}\r\ncontent-length: 0\r\n\r\n`)],
  ['bytes that are not HTTP', 502, (text) => Buffer.from(`${text}\r\n\r\n`)],
]

t.test('no response, log line or cache entry contains the token wherever and however Hilos repeats it', async (t) => {
  const cases = new Map(
    places.flatMap(([place, wantedStatus, answer], index) =>
      spellings.map((spelling, number) => {
        const id = uuid(index, number)
        const wanted = (status: number) => status === wantedStatus
        return [id, { place, spelling, id, wanted, answer: answer(spelling) }] as const
      }),
    ),
  )
  const hilos = await startRawHilos(t, (socket, request) => {
    const [id = ''] = /[\da-f-]{36}(?= )/.exec(request) ?? []
    socket.end(cases.get(id)?.answer ?? '')
  })
  await checkResponses(t, cases.values(), { env: { HILOS_BASE_URL: hilos.baseUrl } })
  t.ok(hilos.requests.every((request) => request.includes(`: ${credentials}\r\n`)))
})

t.test('the process prints no token when an error and a rejection that contain it are not caught', async (t) => {
  const failing = `process.stdin.once('data', (text) => {
    const quoted = String(text)
    const error = new TypeError(quoted, { cause: new Error(quoted) })
    Object.assign(error, { text: quoted, headers: { authorization: quoted }, request: [quoted] })
    error.stack += '\\n    at ' + quoted
    void Promise.reject(error)
    throw error
  })`
  const settings = {
    ...{ HILOS_TOKEN: token, HILOS_TIMEOUT_MS: '3000', LOG_LEVEL: 'trace' },
    ...{ DRAIN_DELAY_MS: '300000', SHUTDOWN_TIMEOUT_MS: '600000' },
  }
  const sandboxOptions = { token, faultText: spellings.join(' ') }
  const service = await startServiceProcess(t, settings, { nodeOptions: preload(failing) }, sandboxOptions)
  const ids = [documentIds.completed, faultIds.broken, faultIds.html, faultIds.cutBody]
  const ask = async (id: string) => await (await fetch(`${service.origin}/execution-contacts/${id}`)).text()
  for (const id of ids) await ask(id)
  t.ok(service.sandbox.requests.some(({ rawHeaders }) => rawHeaders.includes(credentials)))
  // The drain waits for its response, so that the process does not end between the two errors.
  const last = ask(faultIds.hangInBody)
  while (!service.sandbox.requests.some(({ url }) => url.endsWith(faultIds.hangInBody))) await new Promise(setImmediate)
  await ask(faultIds.unauthorized)
  service.child.stdin?.end([credentials, ...spellings].join('\n'))
  t.equal(await service.ended, 1)
  t.match(await last, 'upstream_timeout')
  const messages = service.lines().flatMap(({ msg }) => (msg === 'answered' ? [] : [msg]))
  t.strictSame(messages.slice(-3), ['stopping after an uncaught error', 'another uncaught error', 'stopped'])
  t.strictSame(found(service.stdout()), [], 'standard output')
  t.strictSame(found(service.stderr()), [], 'standard error')
})
