import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSandbox } from '../../sandbox/hilos.ts'
import { Secret } from '../../src/common/secret.ts'
import { examine } from '../../src/doctor/examine.ts'
import type { Finding } from '../../src/doctor/findings.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type Answer, canary, closed, httpResponse, startRawHilos, token } from '../upstream/raw-hilos.ts'

const json = { 'content-type': 'application/json' }
const html = { 'content-type': 'text/html' }
const absent = httpResponse(404, json, '{"detail":"none"}')
const noRoute = httpResponse(404, html, canary)

/** What the doctor finds in front of this Hilos, of which no line may repeat a token or what came from outside. */
async function examined(t: Test, env: Record<string, string>): Promise<readonly Finding[]> {
  const findings = await examine({ HILOS_TOKEN: token, DANGEROUSLY_ALLOW_ANONYMOUS: 'true', ...env })
  t.notMatch(JSON.stringify(findings), new RegExp(`${token}|${canary}`))
  return findings
}

/** What it says of Hilos: the last one. */
async function lastOf(t: Test, env: Record<string, string>): Promise<Finding | undefined> {
  return (await examined(t, env)).at(-1)
}

t.test('the sandbox, when all is well, is asked once, about a random id and by the token', async (t) => {
  const sandbox = createSandbox({ token })
  const HILOS_BASE_URL = await sandbox.listen()
  t.teardown(sandbox.close)
  for (const _ of [1, 2]) {
    const message = `takes the token with the fingerprint ${new Secret(token).fingerprint()}.`
    t.match(await lastOf(t, { HILOS_BASE_URL }), { level: 'ok', subject: 'Hilos', message })
  }
  const urls = sandbox.requests.map(({ url }) => url)
  t.equal(new Set(urls).size, 2)
  for (const url of urls) t.match(url, /^\/channel\/whatsapp\/flow-execution-contact\/[0-9a-f-]{36}$/)
})

t.test('an answer of Hilos, of each kind, is asked for once and explained', async (t) => {
  const table: readonly (readonly [Answer, Partial<Record<keyof Finding, unknown>>])[] = [
    [absent, { level: 'ok' }],
    [httpResponse(200, json, '{}'), { level: 'note', message: /odd/ }],
    [httpResponse(401, json), { level: 'fail', subject: 'HILOS_TOKEN', message: /refuses the token.*401/ }],
    [httpResponse(403, json), { level: 'fail', subject: 'HILOS_TOKEN', message: /refuses the token.*403/ }],
    [httpResponse(301, { location: `https://${canary}/` }), { level: 'fail', message: /redirect \(status 301\)/ }],
    [httpResponse(429, { 'retry-after': '7' }), { level: 'fail', message: /asks for a pause.*wait 7 s/ }],
    [httpResponse(500, html, canary), { level: 'fail', message: /error \(status 500\)/ }],
    [httpResponse(502), { level: 'fail', message: /error \(status 502\)/ }],
    [httpResponse(503), { level: 'fail', message: /out of service \(status 503\)/ }],
    [httpResponse(200, html, canary), { level: 'fail', message: /not as Hilos does \(not JSON\)/ }],
    [(socket) => socket.destroy(), { level: 'fail', message: /closed the connection before an answer/ }],
    [(socket) => socket.resetAndDestroy(), { level: 'fail', message: /closed the connection before an answer/ }],
  ]
  for (const [answer, expected] of table) {
    const { baseUrl, requests } = await startRawHilos(t, answer)
    t.match(await lastOf(t, { HILOS_BASE_URL: baseUrl }), { subject: 'Hilos', ...expected })
    t.equal(requests.length, 1)
  }
})

t.test('Hilos, when it hangs, is given up at the deadline', async (t) => {
  for (const [answer, what] of [
    [() => {}, /^No answer came .* within 50 ms/],
    [(socket) => socket.write(absent.subarray(0, -2)), /^No whole answer came .* within 50 ms/],
  ] satisfies [Answer, RegExp][]) {
    const { baseUrl } = await startRawHilos(t, answer)
    t.match(await lastOf(t, { HILOS_BASE_URL: baseUrl, HILOS_TIMEOUT_MS: '50' }), { level: 'fail', message: what })
  }
})

t.test('Hilos, when it refuses the token and never ends its answer, keeps no connection', async (t) => {
  const { baseUrl, sockets } = await startRawHilos(t, (socket) =>
    socket.write(httpResponse(401, { ...json, 'content-length': '100' })),
  )
  const env = { HILOS_BASE_URL: baseUrl, HILOS_TIMEOUT_MS: '120000' }
  t.match(await lastOf(t, env), { level: 'fail', subject: 'HILOS_TOKEN' })
  t.equal(sockets.length, 1)
  await closed(sockets[0])
})

t.test('Hilos, when nobody listens there, is refused', async (t) => {
  const HILOS_BASE_URL = 'http://127.0.0.1:1'
  t.match(await lastOf(t, { HILOS_BASE_URL }), { level: 'fail', message: /^Nothing listens at 127\.0\.0\.1:1 / })
})

t.test('Hilos, when its certificate does not convince, is sent nothing', async (t) => {
  const table = { rightHost: /not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/, expired: /DEPTH_ZERO|expired/ } as const
  for (const [name, message] of Object.entries(table)) {
    const cert = throwawayCertificates[name as keyof typeof table]
    const { baseUrl, requests } = await startRawHilos(t, absent, { key: throwawayKey, cert })
    t.match(await lastOf(t, { HILOS_BASE_URL: baseUrl }), { level: 'fail', message })
    t.equal(requests.length, 0)
  }
})

t.test('Hilos, when there is no TLS where it should be, is sent nothing', async (t) => {
  const sandbox = createSandbox({ token })
  t.teardown(sandbox.close)
  const HILOS_BASE_URL = (await sandbox.listen()).replace('http:', 'https:')
  t.match(await lastOf(t, { HILOS_BASE_URL }), { level: 'fail', message: /no usable TLS/ })
  t.equal(sandbox.requests.length, 0)
})

t.test('a wrong base URL, when another documented one answers at the same origin, is told which', async (t) => {
  for (const path of ['/channel/whatsapp', '/api', '/api/3/channel/whatsapp']) {
    const { origin } = await startRawHilos(t, (socket, request) =>
      socket.end(request.startsWith(`GET ${path}/flow-execution-contact/`) ? absent : noRoute),
    )
    const finding = await lastOf(t, { HILOS_BASE_URL: `${origin}/wrong` })
    t.match(finding, { level: 'fail', subject: 'HILOS_BASE_URL', message: `: ${origin}${path} answers, so set it` })
  }
})

t.test('a wrong base URL, when no documented one answers, is told what was tried, each once', async (t) => {
  const { origin, requests } = await startRawHilos(t, noRoute)
  const finding = await lastOf(t, { HILOS_BASE_URL: `${origin}/api` })
  t.match(finding, { level: 'fail', subject: 'HILOS_BASE_URL', message: /nothing better is at/ })
  const paths = requests.map((request) => /GET (.*)\/flow-/.exec(request)?.[1])
  t.strictSame(paths, ['/api', '/channel/whatsapp', '/api/3/channel/whatsapp'])
})

t.test('two tokens, when Hilos takes only the next, are each sent by themselves', async (t) => {
  const next = 'next-token-canary-5e6f'
  const { baseUrl, requests } = await startRawHilos(t, (socket, request) =>
    socket.end(request.includes(`Token ${next}\r\n`) ? absent : httpResponse(401, json)),
  )
  const findings = await examined(t, { HILOS_BASE_URL: baseUrl, HILOS_TOKEN_NEXT: next })
  t.match(findings.slice(-2), [
    { level: 'warn', subject: 'HILOS_TOKEN', message: new Secret(token).fingerprint() },
    { level: 'ok', subject: 'HILOS_TOKEN_NEXT', message: new Secret(next).fingerprint() },
  ])
  t.notMatch(JSON.stringify(findings), next)
  t.equal(requests.length, 2)
})

t.test('the issuer of access tokens, when they are on, is asked for its keys', async (t) => {
  const { baseUrl } = await startRawHilos(t, absent)
  const { issuer, audience, jwksUrl, setMood } = await createIssuer(t)
  const env = { HILOS_BASE_URL: baseUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_JWKS_URL: jwksUrl }
  const keysOf = (findings: readonly Finding[]) => findings.filter(({ subject }) => subject === 'JWT_JWKS_URL')
  t.match(keysOf(await examined(t, env)), [{ level: 'ok', message: /3 keys, 3 of which/ }])
  setMood('down')
  t.match(keysOf(await examined(t, env)), [{ level: 'fail', message: /status 503/ }])
})

t.test('secrets, when they are in the environment or in a file, are told where, and files how safe', async (t) => {
  const { baseUrl } = await startRawHilos(t, absent)
  const folder = t.testdir()
  const fileWith = (name: string, text: string, mode: number) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
  const findings = await examined(t, {
    HILOS_BASE_URL: baseUrl,
    HILOS_TOKEN: '',
    HILOS_TOKEN_FILE: fileWith('token', token, 0o600),
    HILOS_TOKEN_NEXT_FILE: join(folder, 'none'),
    CONTACT_REF_KEY_FILE: fileWith('key', 'contact-ref-key-canary', 0o604),
    CALLERS_FILE: fileWith('callers', '{"callers":[]}', 0o620),
  })
  t.match(
    findings.filter(({ subject }) => subject.endsWith('_FILE')),
    [
      { level: 'warn', subject: 'CALLERS_FILE', message: /^Nobody/ },
      { level: 'warn', subject: 'HILOS_TOKEN_NEXT_FILE', message: /ENOENT/ },
      { level: 'ok', subject: 'HILOS_TOKEN_FILE', message: /0600/ },
      { level: 'warn', subject: 'CONTACT_REF_KEY_FILE', message: /0604/ },
      { level: 'warn', subject: 'CALLERS_FILE', message: /0620/ },
    ],
  )
  t.notMatch(JSON.stringify(findings), /key-canary|is better/)
  const inEnvironment = await examined(t, { HILOS_BASE_URL: baseUrl, CONTACT_REF_KEY: 'contact-ref-key-canary' })
  t.match(
    inEnvironment.filter(({ message }) => message.includes('is better')),
    [
      { level: 'note', subject: 'HILOS_TOKEN', message: /HILOS_TOKEN_FILE/ },
      { level: 'note', subject: 'CONTACT_REF_KEY', message: /CONTACT_REF_KEY_FILE/ },
    ],
  )
})

t.test('settings, when they are not in order, are all told, and nobody is asked', async (t) => {
  const { baseUrl, sockets } = await startRawHilos(t, absent)
  const findings = await examined(t, { HILOS_BASE_URL: baseUrl, PORT: canary, HILOS_TOKN: canary })
  t.strictSame(findings.map(({ level, subject }) => `${level} ${subject}`).sort(), [
    'fail HILOS_TOKN',
    'fail PORT',
    'note Hilos',
  ])
  t.equal(sockets.length, 0)
})
