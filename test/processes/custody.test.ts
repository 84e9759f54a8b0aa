import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { createSandbox } from '../../sandbox/hilos.ts'
import { uuid } from '../../sandbox/parts.ts'
import { encodingsOf } from '../harness/encodings-of.ts'
import { startProcess } from '../harness/process.ts'
import { type Arrangement, startService, textOf } from '../harness/service.ts'
import { httpResponse, jsonResponse, startRawHilos } from '../upstream/raw-hilos.ts'

/** With what is written differently in each alphabet of base64, in a URL and in JSON. */
const token = 'custody-???>>>~~~/"\\-canary-4b2f'
const credentials = `Token ${token}`

const hexOf = (text: string) => [...text].map((each) => each.charCodeAt(0).toString(16))
const percentEncoded = (text: string) =>
  hexOf(text)
    .map((hex) => `%${hex}`)
    .join('')
const shiftedBase64 = (text: string, alphabet: BufferEncoding) =>
  ['', 'a', 'ab'].map((before) => Buffer.from(`${before}${text}z`).toString(alphabet))

/** The token in every encoding, each as it stands between the quotation marks of JSON. */
const spellings: readonly string[] = [
  JSON.stringify(token).slice(1, -1),
  JSON.stringify(credentials).slice(1, -1),
  ...shiftedBase64(token, 'base64'),
  ...shiftedBase64(token, 'base64').map((each) => each.replaceAll('/', '\\/')),
  ...shiftedBase64(token, 'base64url'),
  percentEncoded(token),
  percentEncoded(token).toUpperCase(),
  encodeURIComponent(credentials),
  hexOf(token)
    .map((hex) => `\\u00${hex}`)
    .join(''),
  hexOf(token)
    .map((hex) => `\\u00${hex.toUpperCase()}`)
    .join(''),
  JSON.stringify(token).slice(1, -1).replace('canary', '\\u0063anary').replace('/', '\\/'),
]

const found = (text: string) => encodingsOf(token, text)

t.test(
  'the search for the token, when it is there in any encoding, finds it, and nothing where it is not',
  async (t) => {
    for (const spelling of spellings)
      for (const around of ['', '"', ' ', 'a', 'ab', 'abc', '{"level":30,"msg":"'])
        t.not(found(`${around}${spelling}${around}`).length, 0, `${around}${spelling}`)
    for (const [text, encoding] of [
      [token, 'plain'],
      [`x ${Buffer.from(`ab${token}`).toString('base64url')}`, 'base64'],
      [percentEncoded(token), 'percent-encoded'],
      [JSON.stringify(token), 'JSON-escaped'],
    ] as const)
      t.ok(found(text).includes(encoding), encoding)
    for (const other of ['', token.slice(1), percentEncoded(token.slice(1)), btoa(token.slice(1)), token.toUpperCase()])
      t.strictSame(found(other), [], other)
  },
)

/** Fails where the token is in what a service has said, logged or remembered. */
async function startCustody(t: Test, arrangement: Arrangement) {
  const running = await startService(t, { token, ...arrangement })
  const { get, clock, log, store } = running
  const statusOf = async (id: string): Promise<number> => {
    // Past every pause.
    clock.advance(600_000)
    const reply = await get(`/execution-contacts/${id}?view=transcript`)
    t.strictSame(found(`${reply.text} ${inspect([...reply.headers])}`), [], 'the reply')
    return reply.status
  }
  const proveRest = () => {
    t.match(log(), /"msg":"answered"/)
    t.strictSame(found(log()), [], 'the log')
    t.strictSame(found(textOf(store.entries())), [], 'the cache')
  }
  return { ...running, statusOf, proveRest }
}

t.test('the token, when Hilos fails in every way with it in every encoding in what it says, is nowhere', async (t) => {
  const { statusOf, proveRest, sandbox } = await startCustody(t, {
    faultText: spellings.join(' '),
    env: { HILOS_TIMEOUT_MS: '150' },
  })
  for (const [name, id] of Object.entries(faultIds)) t.ok((await statusOf(id)) >= 500, name)
  proveRest()
  t.ok(sandbox.requests.every(({ rawHeaders }) => rawHeaders.includes(credentials)))
})

const json = { 'content-type': 'application/json' }
const inHeaders = (text: string) => ({
  'x-echo': text,
  'set-cookie': text,
  etag: `"${text}"`,
  'cache-control': text,
  server: text,
  location: `https://elsewhere.example/?${text}`,
  'www-authenticate': text,
})

/** Where Hilos can put what it repeats, and what a caller is told then. */
const places: Readonly<Record<string, { readonly status: number; readonly answer: (spelling: string) => Buffer }>> = {
  'a value that is shown': {
    status: 502,
    answer: (text) => jsonResponse(`{"contact":{"first_name":"${text}"},"status_reason":"${text}"}`),
  },
  'a value that is not': { status: 502, answer: (text) => jsonResponse(`{"contact":{"unknown":"${text}"}}`) },
  'a key': { status: 502, answer: (text) => jsonResponse(`{"contact":{"${text}":1},"${text}":2}`) },
  'a document that is none': { status: 502, answer: (text) => jsonResponse(`{"detail":"${text}"}`) },
  'JSON that is none': { status: 502, answer: (text) => jsonResponse(`{"contact":{},${text}`) },
  'the id': { status: 502, answer: (text) => jsonResponse(`{"contact":{},"id":"${text}"}`) },
  'an absence': { status: 502, answer: (text) => httpResponse(404, json, `{"detail":"${text}"}`) },
  'a page': { status: 502, answer: (text) => httpResponse(404, { 'content-type': 'text/html' }, text) },
  'an error': { status: 502, answer: (text) => httpResponse(500, json, `{"detail":"${text}"}`) },
  'a refusal': { status: 502, answer: (text) => httpResponse(401, inHeaders(text), text) },
  'a refusal of one': { status: 502, answer: (text) => httpResponse(403, inHeaders(text), text) },
  'a redirect': { status: 502, answer: (text) => httpResponse(302, inHeaders(text), text) },
  'a pause': { status: 503, answer: (text) => httpResponse(429, { 'retry-after': text }, text) },
  'the headers of a document': { status: 200, answer: (text) => jsonResponse('{"contact":{}}', inHeaders(text)) },
  'the content type': { status: 200, answer: (text) => jsonResponse('{"contact":{}}', { 'content-type': text }) },
  'the content encoding': {
    status: 502,
    answer: (text) => jsonResponse('{"contact":{}}', { 'content-encoding': text }),
  },
  'the status line': {
    status: 502,
    answer: (text) => Buffer.from(`HTTP/1.1 500 ${text}\r\ncontent-length: 0\r\n\r\n`),
  },
  'what is not HTTP': { status: 502, answer: (text) => Buffer.from(`${text}\r\n\r\n`) },
}

for (const [index, [place, { status, answer }]] of Object.entries(places).entries())
  t.test(`the token, when Hilos repeats it in ${place}, in whatever encoding, is nowhere`, async (t) => {
    const hilos = await startRawHilos(t, (socket, request) => {
      const [, spelling = '0'] = /-0000000000(\S\S) /.exec(request) ?? []
      socket.end(answer(spellings[Number.parseInt(spelling, 16)] ?? ''))
    })
    const { statusOf, proveRest } = await startCustody(t, { env: { HILOS_BASE_URL: hilos.baseUrl } })
    for (const [number, spelling] of spellings.entries()) t.equal(await statusOf(uuid(index, number)), status, spelling)
    proveRest()
    t.ok(
      hilos.requests.every((request) => request.includes(`: ${credentials}\r\n`)),
      'it was really sent',
    )
  })

const preload = (script: string) => ['--import', `data:text/javascript,${encodeURIComponent(script)}`]

for (const [how, script] of [
  ['thrown', 'throw error'],
  ['rejected', 'Promise.reject(error)'],
] as const)
  t.test(`the token, when an error is ${how} that quotes it and nobody catches, is nowhere`, async (t) => {
    const sandbox = createSandbox({ token, faultText: spellings.join(' ') })
    t.teardown(sandbox.close)
    const crash = `process.stdin.once('data', (text) => {
      const quoted = String(text)
      const error = new TypeError(quoted, { cause: new Error(quoted) })
      Object.assign(error, { text: quoted, headers: { authorization: quoted }, request: [quoted] })
      error.stack += '\\n    at ' + quoted
      ${script}
    })`
    const settings = { HILOS_TOKEN: token, HILOS_BASE_URL: await sandbox.listen(), PORT: '0', ADMIN_PORT: '0' }
    const { says, child, ended, stdout, stderr } = startProcess(
      t,
      'src/main.ts',
      { ...settings, DANGEROUSLY_ALLOW_ANONYMOUS: 'true', LOG_LEVEL: 'trace', HILOS_TIMEOUT_MS: '500' },
      preload(crash),
    )
    const [, origin = ''] = await says(/"origin":"(.*?)","msg":"serving"/)
    const ids = [documentIds.completed, faultIds.broken, faultIds.html, faultIds.hangInBody, faultIds.unauthorized]
    for (const id of ids) await (await fetch(`${origin}/execution-contacts/${id}`)).text()
    t.ok(
      sandbox.requests.some(({ rawHeaders }) => rawHeaders.includes(credentials)),
      'it was really sent',
    )
    child.stdin?.end([credentials, ...spellings].join('\n'))
    t.equal(await ended, 1)
    t.match(stdout(), /"msg":"stopping after an error nobody caught"/)
    t.strictSame(found(stdout()), [], 'standard output')
    t.strictSame(found(stderr()), [], 'standard error')
  })
