import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import pinoPretty from 'pino-pretty'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { executionContact, uuid } from '../sandbox/parts.ts'
import { loadConfig } from '../src/config/config.ts'
import { type Environment, fileNames, readSettingsFiles, SettingsSchema } from '../src/config/settings.ts'
import { examine } from '../src/doctor/examine.ts'
import { textOf } from '../src/doctor/findings.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createIssuer } from './harness/issuer.ts'
import { startService, until } from './harness/service.ts'
import { httpResponse, jsonResponse, startRawHilos } from './upstream/raw-hilos.ts'

const charactersFrom = (first: number, last: number) =>
  String.fromCharCode(...Array.from({ length: last - first + 1 }, (_, index) => first + index))

/** Texts that an outsider may try to write into the log, so that a person or a program reads a line that is not ours. */
const attacks: Readonly<Record<string, string>> = {
  'a line feed': '\n{"level":60,"msg":"forged"}\n',
  'a carriage return': '\r{"level":60,"msg":"forged"}',
  'both, and the end of a string': '"}\r\n{"level":60,"msg":"forged"}\r\n',
  'a colour': '\u001b[31mforged\u001b[0m',
  'the title of a window': '\u001b]0;forged\u0007',
  'a move of the cursor': '\u001b[1A\u001b[2Kforged',
  'all of C0': `forged${charactersFrom(1, 31)}`,
  DEL: 'forged\u007f',
  'all of C1, where one character begins an escape sequence': `\u009b31mforged${charactersFrom(0x80, 0x9f)}`,
  'line and paragraph separators': '\u2028forged\u2029',
  'another direction of writing': '\u202eforged\u202c\u2066\u2067\u2068\u2069\u202a\u202b\u202d\u061c\u200e\u200f',
  'half a character': 'forged\ud800',
  'the other half': '\udc00forged',
  '10 kB': `forged${'x'.repeat(10_000)}`,
}

/** Characters that end a line, move a cursor, begin an escape sequence or turn the direction, and half characters. */
const harmful = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u

/** All lines of the log are ours, in JSON and as `npm run dev` shows them. */
function checkLog(t: Test, log: string, attack: string): void {
  const lines = log.split('\n').slice(0, -1)
  t.equal(lines.find((line) => !isOurs(line))?.slice(0, 400), undefined, attack)
}

const prettify = pinoPretty.prettyFactory({ singleLine: true, colorize: false })

function isOurs(line: string): boolean {
  let isClean = line.startsWith('{"level":') && line.length < 4096 && !harmful.test(line)
  const parsed = JSON.parse(line, (name, value) => {
    if (harmful.test(name) || (typeof value === 'string' && harmful.test(value))) isClean = false
    return value
  })
  return isClean && parsed.level < 60 && !harmful.test(prettify(line).replaceAll('\n', ''))
}

t.test('the search for harmful characters finds all attacks but the long one', async (t) => {
  for (const [name, attack] of Object.entries(attacks)) t.equal(harmful.test(attack), name !== '10 kB', name)
  t.notOk(harmful.test('Zoë Łukasz 山田 أحمد 👩‍🚀 line'))
})

/** Sends bytes, and waits until the server has closed the connection. */
function speak(origin: string, bytes: Buffer): Promise<void> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.end(bytes))
    socket
      .on('error', () => {})
      .on('close', resolve)
      .resume()
  })
}

t.test('no part of a request writes a line into the log', async (t) => {
  const { origin, log, service } = await startService(t)
  const path = `/execution-contacts/${documentIds.ready}`
  const names = [
    ...['user-agent', 'x-request-id', 'traceparent', 'tracestate', 'accept', 'cache-control', 'forwarded'],
    ...['authorization', 'if-none-match', 'x-forwarded-for', 'content-type', 'expect'],
  ]
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  for (const [name, attack] of Object.entries(attacks)) {
    const targets = [
      ...[`/${attack}`, `${path}${attack}`, `${path}?view=${attack}&${attack}=1`, `${path}%zz${attack}`],
      `/${encodeURIComponent(attack.toWellFormed())}`,
    ]
    const headers = [
      ...names.map((header) => `${header}: ${attack}`),
      ...[`traceparent: ${traceparent}${attack}`, `x-${attack}: a`],
    ]
    const heads = [
      ...targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a`),
      ...headers.map((header) => `GET ${path} HTTP/1.1\r\nHost: a\r\n${header}`),
      ...[`GET${attack} ${path} HTTP/1.1\r\nHost: a`, `GET ${path} HTTP/1.1${attack}\r\nHost: a`],
      `GET ${path} HTTP/1.1\r\nHost: ${attack}`,
    ]
    for (const encoding of ['utf8', 'latin1'] as const)
      for (const head of heads) await speak(origin, Buffer.from(`${head}\r\nConnection: close\r\n\r\n`, encoding))
    await service.operators?.inject({ method: 'GET', url: `/${attack}`, headers: { 'x-request-id': attack } })
    checkLog(t, log(), name)
  }
  t.ok(log().split('\n').length > 400)
})

t.test('no claim and no header of an access token writes a line into the log', async (t) => {
  const issuer = await createIssuer(t)
  const { get, log, clock } = await startService(t, {
    env: { JWT_ISSUER: issuer.issuer, JWT_AUDIENCE: issuer.audience, JWT_JWKS_URL: issuer.jwksUrl },
  })
  const exp = clock.now() / 1000 + 300
  async function ask(claims: object, header?: Record<string, unknown>): Promise<number> {
    const token = issuer.sign({ exp, ...claims }, header && { header })
    return (await get(`/execution-contacts/${documentIds.ready}`, { authorization: `Bearer ${token}` })).status
  }
  for (const [name, attack] of Object.entries(attacks)) {
    for (const claim of ['sub', 'scope', 'iss', 'aud', 'exp']) await ask({ [claim]: attack })
    for (const claim of ['scp', 'hilos_flows']) await ask({ [claim]: [attack] })
    for (const header of ['kid', 'alg', 'typ', attack]) await ask({}, { [header]: attack })
    checkLog(t, log(), name)
  }
  const plain = 'Zoë|山田|أحمد'
  t.equal(await ask({ sub: plain }), 200)
  t.match(log(), `"caller":"${plain}"`, 'a name in any alphabet is logged')
})

t.test('no field of a document and no response of Hilos writes a line into the log', async (t) => {
  const { get, log, sandbox } = await startService(t)
  let answer: string | Buffer = ''
  const raw = await startRawHilos(t, (socket) => socket.end(answer))
  const other = await startService(t, { env: { HILOS_BASE_URL: raw.baseUrl } })
  for (const [index, [name, attack]] of Object.entries(attacks).entries()) {
    const id = uuid(0x1091, index)
    sandbox.documents.set(id, () => ({
      ...executionContact(id),
      [attack]: attack,
      status: attack,
      contact: { [attack]: attack, first_name: attack, meta: { [attack]: attack } },
      execution_steps: [{ [attack]: attack, status: attack, step: { [attack]: [attack], step_type: attack } }],
    }))
    t.equal((await get(`/execution-contacts/${id}`)).status, 200)
    checkLog(t, log(), name)

    const one = attack.replace(/[\r\n]/g, '')
    for (const each of [
      httpResponse(429, { 'retry-after': one }),
      httpResponse(302, { location: one }),
      httpResponse(401, { 'www-authenticate': one, server: one }),
      httpResponse(200, { 'content-type': one, 'content-encoding': one, etag: one, [`x-${one}`]: one }, attack),
      jsonResponse(attack),
      jsonResponse(JSON.stringify({ id: attack, contact: {} })),
      `HTTP/1.1 500 ${attack}\r\n${attack}\r\n\r\n${attack}`,
      attack,
    ]) {
      answer = each
      await other.get(`/execution-contacts/${uuid(0x1092, raw.requests.length)}`)
      other.clock.advance(400_000)
    }
    checkLog(t, other.log(), name)
  }
  t.match(log(), /"path":"execution_steps\[\]\.step\.\(unprintable\)"/, 'the place of drift is logged')
  t.ok(raw.requests.length > 100)
})

const required = { HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** The message on stderr about these settings, and the warnings in the log. */
async function messagesAbout(env: Environment) {
  const files = await readSettingsFiles(env)
  try {
    const { warnings, notes } = loadConfig({ ...required, ...env }, 0, files)
    return { message: '', warnings: [...warnings, ...notes] }
  } catch (error) {
    return { message: (error as Error).message, warnings: [] }
  }
}

/** Each line has only our words, and perhaps the beginning of a name. */
function checkMessage(t: Test, message: string, attack: string): void {
  const isOurs = (line: string) => !harmful.test(line) && line.length < 1000 && !/forged(?!x*…)/.test(line)
  if (!message.split('\n').every(isOurs)) t.fail(`${attack}: ${JSON.stringify(message)}`)
}

t.test('no callers file writes a line into the log or to stderr', async (t) => {
  const { log, callersFile } = await startService(t, { callers: [{ name: 'support-web', profile: 'agent' }] })
  const entry = { name: 'a', keySha256: 'a'.repeat(64), profile: 'agent', flows: [] }
  for (const [name, attack] of Object.entries(attacks)) {
    const changes = { name: attack, keySha256: attack, profile: attack, flows: [attack], [attack]: attack }
    const files = Object.entries(changes).map(([field, value]) =>
      JSON.stringify({ [attack]: attack, callers: [{ ...entry, [field]: value }, attack] }),
    )
    for (const text of [...files, attack, `{"${attack}":1,"${attack}":2}`]) {
      writeFileSync(callersFile, text)
      const { message } = await messagesAbout({ DANGEROUSLY_ALLOW_ANONYMOUS: 'false', CALLERS_FILE: callersFile })
      checkMessage(t, message, name)
    }
  }
  await until(() => log().includes('"problems":'))
  checkLog(t, log(), 'a changed file')
})

t.test('no setting writes a line into the log, to stderr or into the output of the doctor', async (t) => {
  const file = join(t.testdir(), 'secret')
  const names = [...Object.keys(SettingsSchema.properties), ...fileNames]
  for (const [name, attack] of Object.entries(attacks)) {
    writeFileSync(file, attack)
    const misspelt = ['HILOS_', 'CALLER_', 'JWT_', 'CORS_ORIGINS_', 'REDIS_', 'CACHE_KEY_'].map((start) => ({
      [start + attack]: attack,
    }))
    const environments: readonly Environment[] = [
      ...names.map((setting) => ({ [setting]: attack })),
      ...fileNames.map((setting) => ({ HILOS_TOKEN: undefined, [setting]: file })),
      ...[...misspelt, { [attack]: attack }],
    ]
    const written: string[] = []
    const logger = createLogger('info', { write: (line) => void written.push(line) })
    for (const { message, warnings } of await Promise.all(environments.map(messagesAbout))) {
      checkMessage(t, message, name)
      for (const warning of warnings) logger.warn(warning)
    }
    checkLog(t, written.join(''), name)
    for (const env of misspelt) checkMessage(t, textOf(await examine({ ...required, ...env })), name)
  }
})
