import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pinoPretty from 'pino-pretty'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { executionContact, uuid } from '../sandbox/parts.ts'
import { loadConfig } from '../src/config/config.ts'
import { type Environment, fileNames, SettingsSchema } from '../src/config/settings.ts'
import { examine } from '../src/doctor/examine.ts'
import { textOf } from '../src/doctor/report.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createIssuer } from './harness/issuer.ts'
import { startService } from './harness/service.ts'
import { httpResponse, jsonResponse, startRawHilos } from './upstream/raw-hilos.ts'

const charactersFrom = (first: number, last: number) =>
  String.fromCharCode(...Array.from({ length: last - first + 1 }, (_, index) => first + index))

/** What somebody outside may try to write into the log, so that a person or a program reads what we never said. */
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

/** Whatever ends a line, moves a cursor, begins an escape sequence, turns the direction, or is no character. */
const harmful = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u

/** The log, as it is and as `npm run demo` and `npm run dev` show it, has lines of ours only. */
function isOurs(t: Test, written: string, how: string): void {
  const lines = written.split('\n').slice(0, -1)
  t.strictSame(
    lines.filter((line) => !isLineOfOurs(line)).map((line) => line.slice(0, 400)),
    [],
    how,
  )
}

const prettify = pinoPretty.prettyFactory({ singleLine: true, colorize: false })

function isLineOfOurs(line: string): boolean {
  let isClean = line.startsWith('{"level":') && line.length < 4096 && !harmful.test(line)
  const parsed = JSON.parse(line, (name, value) => {
    if (harmful.test(name) || (typeof value === 'string' && harmful.test(value))) isClean = false
    return value
  })
  return isClean && parsed.level < 60 && !harmful.test(prettify(line).replaceAll('\n', ''))
}

t.test('the search for harm, when there is some, finds it', async (t) => {
  for (const [how, attack] of Object.entries(attacks)) t.equal(harmful.test(attack), how !== '10 kB', how)
  t.notOk(harmful.test('Zoë Łukasz 山田 أحمد 👩‍🚀 line'))
})

t.test('a caller, whatever a request has in it, writes nothing into the log but what is theirs to say', async (t) => {
  const { origin, log, service } = await startService(t)
  const path = `/execution-contacts/${documentIds.ready}`
  for (const [how, attack] of Object.entries(attacks)) {
    for (const encoding of ['utf8', 'latin1'] as const) {
      const ask = (head: string) => speak(origin, Buffer.from(`${head}\r\nConnection: close\r\n\r\n`, encoding))
      await ask(`GET /${attack} HTTP/1.1\r\nHost: a`)
      await ask(`GET ${path}${attack} HTTP/1.1\r\nHost: a`)
      await ask(`GET ${path}?view=${attack}&${attack}=1 HTTP/1.1\r\nHost: a`)
      await ask(`GET /${encodeURIComponent(attack.toWellFormed())} HTTP/1.1\r\nHost: a`)
      await ask(`GET ${path}%zz${attack} HTTP/1.1\r\nHost: a`)
      await ask(`GET${attack} ${path} HTTP/1.1\r\nHost: a`)
      await ask(`GET ${path} HTTP/1.1${attack}\r\nHost: a`)
      await ask(`GET ${path} HTTP/1.1\r\nHost: ${attack}`)
      const names = ['user-agent', 'x-request-id', 'traceparent', 'tracestate', 'accept', 'cache-control', 'forwarded']
      for (const name of [...names, 'authorization', 'if-none-match', 'x-forwarded-for', 'content-type', 'expect'])
        await ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n${name}: ${name === 'traceparent' ? wellFormed : ''}${attack}`)
      await ask(`GET ${path} HTTP/1.1\r\nHost: a\r\nx-${attack}: a`)
      await service.operators?.inject({ method: 'GET', url: `/${attack}`, headers: { 'x-request-id': attack } })
    }
    isOurs(t, log(), how)
  }
  t.ok(log().split('\n').length > 400)
})

const wellFormed = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** Sends bytes, and waits until the other side has closed. */
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

t.test('an access token, whatever its claims and its header say, writes nothing of harm into the log', async (t) => {
  const issuer = await createIssuer(t)
  const { get, log, clock } = await startService(t, {
    env: { JWT_ISSUER: issuer.issuer, JWT_AUDIENCE: issuer.audience, JWT_JWKS_URL: issuer.jwksUrl },
  })
  const exp = clock.now() / 1000 + 300
  for (const [how, attack] of Object.entries(attacks)) {
    for (const claims of [{ sub: attack }, { scope: attack }, { scp: [attack] }, { hilos_flows: [attack] }])
      await ask({ exp, ...claims })
    for (const claims of [{ iss: attack }, { aud: attack }, { exp: attack }]) await ask({ exp, ...claims })
    for (const header of [{ kid: attack }, { alg: attack }, { typ: attack }, { [attack]: attack }])
      await ask({ exp }, header)
    isOurs(t, log(), how)
  }
  const plain = 'Zoë|山田|أحمد'
  t.equal(await ask({ exp, sub: plain }), 200)
  t.match(log(), `"caller":"${plain}"`, 'and a name in any alphabet is one')

  async function ask(claims: object, header?: Record<string, unknown>): Promise<number> {
    const token = issuer.sign({ ...claims }, header && { header })
    return (await get(`/execution-contacts/${documentIds.ready}`, { authorization: `Bearer ${token}` })).status
  }
})

t.test('Hilos, whatever it calls its fields and answers with, writes nothing of harm into the log', async (t) => {
  const { get, log, sandbox } = await startService(t)
  for (const [index, [how, attack]] of Object.entries(attacks).entries()) {
    const id = uuid(0x1091, index)
    sandbox.documents.set(id, () => ({
      ...executionContact(id),
      [attack]: attack,
      status: attack,
      contact: { [attack]: attack, first_name: attack, meta: { [attack]: attack } },
      execution_steps: [{ [attack]: attack, status: attack, step: { [attack]: [attack], step_type: attack } }],
    }))
    t.equal((await get(`/execution-contacts/${id}`)).status, 200)
    isOurs(t, log(), how)
  }
  t.match(log(), /"path":"execution_steps\[\]\.step\.\(unprintable\)"/, 'and what strays is told')

  let answer: string | Buffer = ''
  const raw = await startRawHilos(t, (socket) => socket.end(answer))
  const before = await startService(t, { env: { HILOS_BASE_URL: raw.baseUrl } })
  for (const [how, attack] of Object.entries(attacks)) {
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
      await before.get(`/execution-contacts/${uuid(0x1092, raw.requests.length)}`)
      before.clock.advance(400_000)
    }
    isOurs(t, before.log(), how)
  }
  t.ok(raw.requests.length > 100)
})

t.test(
  'a callers’ file, whatever is written into it, writes nothing of harm into the log or onto stderr',
  async (t) => {
    const { log, callersFile } = await startService(t, { callers: [{ name: 'support-web', profile: 'agent' }] })
    const entry = { name: 'a', keySha256: 'a'.repeat(64), profile: 'agent', flows: [] }
    for (const [how, attack] of Object.entries(attacks)) {
      const text = [
        ...[{ name: attack }, { keySha256: attack }, { profile: attack }, { flows: [attack] }, { [attack]: attack }],
      ].map((change) => JSON.stringify({ [attack]: attack, callers: [{ ...entry, ...change }, attack] }))
      for (const each of [...text, attack, `{"${attack}":1,"${attack}":2}`]) {
        writeFileSync(callersFile, each)
        const { problem } = problemOf({ ...required, DANGEROUSLY_ALLOW_ANONYMOUS: 'false', CALLERS_FILE: callersFile })
        t.ok(isSentenceOfOurs(problem), how)
      }
    }
    while (!/"problems":/.test(log())) await setTimeout(5)
    isOurs(t, log(), 'a changed file')
  },
)

const required = { HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** What stderr would be told of these settings, and the log if they are in order. */
function problemOf(env: Environment): { readonly problem: string; readonly warnings: readonly string[] } {
  try {
    return { problem: '', warnings: loadConfig(env).warnings }
  } catch (error) {
    return { problem: (error as Error).message, warnings: [] }
  }
}

/** Whether each line, but for a name that looks like one, is in our words. */
function isSentenceOfOurs(problem: string): boolean {
  return problem.split('\n').every((line) => !harmful.test(line) && line.length < 1000 && !/forged(?!x*…)/.test(line))
}

t.test('a setting, whatever its name, its value and its file hold, writes nothing of harm anywhere', async (t) => {
  const file = join(t.testdir(), 'secret')
  const names = [...Object.keys(SettingsSchema.properties), ...fileNames, 'REDIS_URL']
  for (const [how, attack] of Object.entries(attacks)) {
    writeFileSync(file, attack)
    const misnamed = ['HILOS_', 'CALLER_', 'JWT_', 'CORS_ORIGINS_'].map((name) => ({ [`${name}${attack}`]: attack }))
    const environments = [
      ...names.map((name) => ({ [name]: attack })),
      ...fileNames.map((name) => ({ HILOS_TOKEN: undefined, [name]: file })),
      ...[...misnamed, { [attack]: attack }],
    ].map((changes): Environment => ({ ...required, ...changes }))
    const written: string[] = []
    const logger = createLogger('info', { write: (line) => void written.push(line) })
    for (const env of environments) {
      const { problem, warnings } = problemOf(env)
      if (!isSentenceOfOurs(problem)) t.fail(`${how}: ${JSON.stringify(problem)}`)
      for (const warning of warnings) logger.warn(warning)
    }
    isOurs(t, written.join(''), how)
    for (const changes of misnamed)
      t.ok(isSentenceOfOurs(textOf(await examine({ ...required, ...changes }))), `${how}, the doctor`)
  }
})
