import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSandbox } from '../../sandbox/hilos.ts'
import { Secret } from '../../src/common/secret.ts'
import { examine } from '../../src/doctor/examine.ts'
import type { Finding } from '../../src/doctor/findings.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { createIssuer } from '../harness/issuer.ts'
import { info, startRespStub } from '../harness/resp-stub.ts'
import { type Answer, canary, closed, httpResponse, startRawHilos, token } from '../upstream/raw-hilos.ts'

const json = { 'content-type': 'application/json' }
const html = { 'content-type': 'text/html' }
const absent = httpResponse(404, json, '{"detail":"Not found."}')
const refused = httpResponse(401, json, '{"detail":"Invalid token."}')
const noRoute = httpResponse(404, html, canary)

/** The findings of the doctor. None repeats a token or any text of Hilos. */
async function examined(t: Test, env: Record<string, string>): Promise<readonly Finding[]> {
  const findings = await examine({ HILOS_TOKEN: token, DANGEROUSLY_ALLOW_ANONYMOUS: 'true', ...env })
  t.notMatch(JSON.stringify(findings), new RegExp(`${token}|${canary}`))
  return findings
}

/** The last finding, which is about Hilos. */
async function lastOf(t: Test, HILOS_BASE_URL: string, env: Record<string, string> = {}) {
  return (await examined(t, { HILOS_BASE_URL, ...env })).at(-1)
}

t.test('Hilos is asked once about a random id with the token, and once with a made-up one', async (t) => {
  const sandbox = createSandbox({ token })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  for (const _ of [1, 2]) {
    const message = `accepts the token with the fingerprint ${new Secret(token).fingerprint()}.`
    t.match(await lastOf(t, baseUrl), { level: 'ok', subject: 'Hilos', message })
  }
  const urls = sandbox.requests.map(({ url }) => url)
  t.equal(new Set(urls).size, 4)
  const sent = sandbox.requests.map(({ rawHeaders }) => rawHeaders.find((text) => text.startsWith('Token ')))
  t.equal(new Set(sent).size, 3, 'a made-up token is used once')
  for (const index of [0, 2]) t.equal(sent[index], `Token ${token}`)
  for (const index of [1, 3]) t.match(sent[index], /^Token [0-9a-f]{40}$/)
  for (const url of urls) t.match(url, /^\/channel\/whatsapp\/flow-execution-contact\/[0-9a-f-]{36}$/)
})

t.test('each response of Hilos is asked for once and explained', async (t) => {
  const hanging = { HILOS_TIMEOUT_MS: '50' }
  type Row = readonly [Answer, Partial<Record<keyof Finding, unknown>>, Record<string, string>?]
  const table: readonly Row[] = [
    [httpResponse(401, json), { subject: 'HILOS_TOKEN', message: /refuses the token.*401/ }],
    [httpResponse(403, json), { subject: 'HILOS_TOKEN', message: /refuses the token.*403/ }],
    [httpResponse(301, { location: `https://${canary}/` }), { message: /redirect \(status 301\)/ }],
    [httpResponse(429, { 'retry-after': '7' }), { message: /asks for a pause.*wait 7 s/ }],
    [httpResponse(500, html, canary), { message: /error \(status 500\)/ }],
    [httpResponse(502), { message: /error \(status 502\)/ }],
    [httpResponse(503), { message: /out of service \(status 503\)/ }],
    [httpResponse(408), { message: /did not take the request .*\(status 408\)/ }],
    [httpResponse(200, html, canary), { message: /not as Hilos does \(not JSON\)/ }],
    [httpResponse(200, json, `{"echo":"${token}"}`), { message: /not as Hilos does \(our own key in the body\)/ }],
    [(socket) => socket.destroy(), { message: /closed the connection before an answer/ }],
    [(socket) => socket.resetAndDestroy(), { message: /closed the connection before an answer/ }],
    [() => {}, { message: /^No answer came .* within 50 ms/ }, hanging],
    [(socket) => socket.write(absent.subarray(0, -2)), { message: /^No whole answer came .* within 50 ms/ }, hanging],
  ]
  for (const [answer, expected, env] of table) {
    const { baseUrl, requests } = await startRawHilos(t, answer)
    t.match(await lastOf(t, baseUrl, env), { level: 'fail', subject: 'Hilos', ...expected })
    t.equal(requests.length, 1)
  }
})

t.test('an answer that a made-up token gets, too, says nothing about the token', async (t) => {
  const ignores = { level: 'fail', subject: 'HILOS_BASE_URL', message: /^A made-up token gets the same answer/ }
  const unknown = (how: string) => ({
    level: 'warn',
    subject: 'Hilos',
    message: `is not known, because the call with a made-up token failed (${how})`,
  })
  const accepts = `accepts the token with the fingerprint ${new Secret(token).fingerprint()}`
  const found = httpResponse(200, json, '{}')
  type Row = readonly [real: Buffer, madeUp: Answer, Partial<Record<keyof Finding, unknown>>]
  const table: readonly Row[] = [
    [absent, refused, { level: 'ok', subject: 'Hilos', message: `${accepts}.` }],
    [absent, httpResponse(403, json), { level: 'ok', subject: 'Hilos', message: `${accepts}.` }],
    [found, refused, { level: 'note', subject: 'Hilos', message: `${accepts}, but it returned` }],
    [absent, absent, ignores],
    [found, found, ignores],
    [absent, found, ignores],
    [found, absent, ignores],
    [absent, httpResponse(429), unknown('status 429')],
    [absent, httpResponse(500, json, canary), unknown('status 500')],
    [absent, noRoute, unknown('status 404')],
    [absent, (socket) => socket.resetAndDestroy(), unknown('ECONNRESET')],
  ]
  for (const [real, madeUp, expected] of table) {
    const { baseUrl, requests } = await startRawHilos(t, (socket, request) => {
      const answer = request.includes(`Token ${token}\r\n`) ? real : madeUp
      if (typeof answer === 'function') answer(socket, request)
      else socket.end(answer)
    })
    const finding = await lastOf(t, baseUrl)
    t.match(finding, expected)
    if (expected.level === 'fail' || expected.level === 'warn') t.notMatch(finding?.message, 'fingerprint')
    t.equal(requests.length, 2)
    const [, madeUpToken = ''] = /Token (\S+)/.exec(requests[1] ?? '') ?? []
    t.ok(madeUpToken && !JSON.stringify(finding).includes(madeUpToken))
  }
})

t.test('a connection on which a refusal never ends is closed', async (t) => {
  const { baseUrl, sockets } = await startRawHilos(t, (socket) =>
    socket.write(httpResponse(401, { ...json, 'content-length': '100' })),
  )
  t.match(await lastOf(t, baseUrl, { HILOS_TIMEOUT_MS: '120000' }), { level: 'fail', subject: 'HILOS_TOKEN' })
  t.equal(sockets.length, 1)
  await closed(sockets[0])
})

t.test('a server that cannot be trusted, or is not there, gets no request', async (t) => {
  const message = /^Nothing listens at 127\.0\.0\.1:1 /
  t.match(await lastOf(t, 'http://127.0.0.1:1'), { level: 'fail', message })
  const untrusted = { rightHost: /not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/, expired: /DEPTH_ZERO|expired/ } as const
  for (const name of ['rightHost', 'expired'] as const) {
    const tls = { key: throwawayKey, cert: throwawayCertificates[name] }
    const { baseUrl, requests } = await startRawHilos(t, absent, tls)
    t.match(await lastOf(t, baseUrl), { level: 'fail', message: untrusted[name] })
    t.equal(requests.length, 0)
  }
  const sandbox = createSandbox({ token })
  t.teardown(sandbox.close)
  const withoutTls = await sandbox.listen()
  t.match(await lastOf(t, withoutTls.replace('http:', 'https:')), { level: 'fail', message: /no usable TLS/ })
  t.equal(sandbox.requests.length, 0)
})

t.test('each documented base URL is asked once, up to one that answers', async (t) => {
  const paths = ['/api', '/channel/whatsapp', '/api/3/channel/whatsapp']
  for (const [right, asked, message] of [
    [paths[1], paths.slice(0, 2), '/channel/whatsapp answers, so set it to that.'],
    ['/nowhere', paths, 'Hilos was not found at'],
  ] as const) {
    const { origin, requests } = await startRawHilos(t, (socket, request) =>
      socket.end(request.startsWith(`GET ${right}/flow-execution-contact/`) ? absent : noRoute),
    )
    t.match(await lastOf(t, `${origin}/api`), { level: 'fail', subject: 'HILOS_BASE_URL', message })
    const askedPaths = requests.map((request) => /GET (.*)\/flow-/.exec(request)?.[1])
    t.strictSame(askedPaths, asked)
  }
})

t.test('each of two tokens is sent separately', async (t) => {
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

t.test('the issuer of access tokens is asked for its keys', async (t) => {
  const { baseUrl } = await startRawHilos(t, absent)
  const { issuer, audience, jwksUrl, setMood } = await createIssuer(t)
  const env = { HILOS_BASE_URL: baseUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_JWKS_URL: jwksUrl }
  const finding = async () => (await examined(t, env)).filter(({ subject }) => subject === 'JWT_JWKS_URL')
  t.match(await finding(), [{ level: 'ok', message: /3 keys, 3 of which/ }])
  setMood('down')
  t.match(await finding(), [{ level: 'fail', message: /status 503/ }])
})

t.test('each secret has a finding about its place: a file has its mode, and an environment is worse', async (t) => {
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
  const aboutFiles = findings.filter(({ subject }) => subject.endsWith('_FILE'))
  t.match(aboutFiles, [
    { level: 'warn', subject: 'CALLERS_FILE', message: /no callers/ },
    { level: 'note', subject: 'HILOS_TOKEN_NEXT_FILE', message: 'The file is missing, as it may be.' },
    { level: 'ok', subject: 'HILOS_TOKEN_FILE', message: /0600/ },
    { level: 'warn', subject: 'CONTACT_REF_KEY_FILE', message: /0604/ },
    { level: 'warn', subject: 'CALLERS_FILE', message: /0620/ },
  ])
  t.notMatch(JSON.stringify(findings), /key-canary|is better/)
  const others = await examined(t, { HILOS_BASE_URL: baseUrl, CONTACT_REF_KEY: 'contact-ref-key-canary' })
  const aboutEnvironment = others.filter(({ message }) => message.includes('is better'))
  t.match(aboutEnvironment, [
    { level: 'note', subject: 'HILOS_TOKEN', message: /HILOS_TOKEN_FILE/ },
    { level: 'note', subject: 'CONTACT_REF_KEY', message: /CONTACT_REF_KEY_FILE/ },
  ])
})

t.test('the server of the shared tier is asked between the issuer and Hilos', async (t) => {
  const { baseUrl } = await startRawHilos(t, absent)
  const stub = await startRespStub(t, { answers: { INFO: info({ role: 'slave' }) } })
  const newKey = () => randomBytes(32).toString('base64')
  const keys = { names: newKey(), seal: [{ id: 1, key: newKey() }] }
  const folder = t.testdir({ 'cache-keys.json': JSON.stringify(keys) })
  const findings = await examined(t, {
    HILOS_BASE_URL: baseUrl,
    CONTACT_REF_KEY: 'contact-ref-key-canary',
    REDIS_URL: `redis://user-canary:password-canary@127.0.0.1:${stub.host.port}`,
    CACHE_KEY_FILE: join(folder, 'cache-keys.json'),
  })
  t.match(findings.at(-2), { level: 'fail', subject: 'REDIS_URL', message: /^The server is a replica of another one/ })
  for (const secret of ['-canary', `:${stub.host.port}`, keys.names]) t.notMatch(JSON.stringify(findings), secret)
  await stub.left()
})

t.test('each invalid setting is a failure, and no request is sent', async (t) => {
  const { baseUrl, sockets } = await startRawHilos(t, absent)
  const findings = await examined(t, { HILOS_BASE_URL: baseUrl, PORT: canary, HILOS_TOKN: canary })
  const found = findings.map(({ level, subject }) => `${level} ${subject}`)
  t.strictSame(found.sort(), ['fail HILOS_TOKN', 'fail PORT', 'note Hilos'])
  t.equal(sockets.length, 0)
})
