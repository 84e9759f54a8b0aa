import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { createKey } from '../src/access/keys.ts'
import { readBoundedFile } from '../src/common/bounded-file.ts'
import { systemClock } from '../src/common/clock.ts'
import { loadConfig } from '../src/config/config.ts'
import { readSettingsFiles } from '../src/config/settings.ts'
import { createReloadedCallers } from '../src/rotation/reloaded-callers.ts'
import { createReloadedTokens } from '../src/rotation/reloaded-tokens.ts'
import { watchFile } from '../src/rotation/watched-file.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import {
  type Arrangement,
  callersJson,
  type RunningService,
  sandboxToken,
  startService,
  until,
} from './harness/service.ts'

const path = `/execution-contacts/${documentIds.ready}`
const noCache = { 'cache-control': 'no-cache' }
const newToken = 'feedface6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b'

const operatorsGet = async ({ service }: RunningService, url: string) => await service.operators?.inject({ url })
const partsOf = async (running: RunningService) => (await operatorsGet(running, '/readyz'))?.json().parts
const metricsOf = async (running: RunningService) => (await operatorsGet(running, '/metrics'))?.body ?? ''

const reloaded = 'watched file reloaded'
const invalid = 'watched file is invalid, keeping the previous content'
const withoutIt = 'watched file is empty or missing, continuing without it'

/** Secrets as Kubernetes mounts them: files that are links through `..data`, which is replaced. */
function mount(t: Test) {
  const folder = t.testdir()
  let version = 0
  return {
    path: (name: string) => join(folder, name),
    put: (files: Readonly<Record<string, string>>) => {
      version += 1
      mkdirSync(join(folder, `..v${version}`))
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `..v${version}`, name), text)
      symlinkSync(`..v${version}`, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
      if (version === 1) for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(folder, name))
      else rmSync(join(folder, `..v${version - 1}`), { recursive: true })
    },
  }
}

/** Makes a change, and resolves when all these messages have been logged since. */
async function untilLogged({ logLines }: RunningService, change: () => void, ...messages: string[]): Promise<void> {
  const before = logLines().length
  change()
  await until(() => {
    const logged = logLines().slice(before)
    return messages.every((message) => logged.some(({ msg }) => msg === message))
  })
}

/** A service with its tokens in mounted files. */
async function startMounted(t: Test, env: Arrangement['env'] = {}) {
  const secrets = mount(t)
  secrets.put({ token: `${sandboxToken}\n`, next: '' })
  const files = { HILOS_TOKEN_FILE: secrets.path('token'), HILOS_TOKEN_NEXT_FILE: secrets.path('next') }
  const running = await startService(t, { env: { HILOS_TOKEN: '', ...files, ...env } })
  /** Replaces the files, and waits for these messages. */
  const put = (token: string, next: string, ...messages: string[]) =>
    untilLogged(running, () => secrets.put({ token, next }), ...messages)
  /** The status of a request that calls Hilos. */
  const statusNow = async () => {
    // A reload of one contact is granted this often.
    running.clock.advance(10_000)
    return (await running.get(path, noCache)).status
  }
  const tokenPart = async () => (await partsOf(running)).hilosToken
  return { ...running, running, secrets, put, statusNow, tokenPart }
}

t.test('the Hilos token is replaced without a restart when its file changes', async (t) => {
  const { running, put, statusNow, sandbox, tokenPart, log } = await startMounted(t)
  t.equal(await statusNow(), 200)
  await put(newToken, '', reloaded)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  t.ok(sandbox.requests.at(-1)?.rawHeaders.includes(`Token ${newToken}`))
  t.match(await tokenPart(), { ok: true, problems: [] })
  t.match(await metricsOf(running), 'hilos_bff_file_changes_total{setting="HILOS_TOKEN_FILE",outcome="used"} 1')
  t.notMatch(log(), new RegExp(`${newToken}|${sandboxToken}`))
})

t.test('the Hilos token stays in use while its file is invalid, and the operators see it', async (t) => {
  const { running, put, statusNow, tokenPart, logLines } = await startMounted(t)
  for (const [count, text, problem] of [
    [1, '', 'the file is empty'],
    [2, 'two words', 'must be visible ASCII, no spaces'],
    [3, 'x'.repeat(8193), 'the file is larger than 8192 bytes'],
  ] as const) {
    await put(text, '', invalid)
    t.equal(await statusNow(), 200, problem)
    t.match(await tokenPart(), { ok: false, problems: [`HILOS_TOKEN_FILE: ${problem}`] })
    t.equal((await operatorsGet(running, '/readyz'))?.statusCode, 200)
    const line = logLines().findLast(({ msg }) => msg === invalid)
    t.match(line, { level: 50, setting: 'HILOS_TOKEN_FILE', problems: [problem] })
    t.match(await metricsOf(running), `setting="HILOS_TOKEN_FILE",outcome="refused"} ${count}`)
    await put(sandboxToken, '', reloaded)
    t.match(await tokenPart(), { ok: true, problems: [] })
  }
})

t.test('the next token is in use from the moment when Hilos refuses the first', async (t) => {
  const env = { HILOS_TOKEN_NEXT_FILE: '', HILOS_TOKEN_NEXT: newToken }
  const { running, statusNow, tokenPart, sandbox, logLines, log } = await startMounted(t, env)
  t.equal(await statusNow(), 200)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  const calls = sandbox.requests.length
  t.equal(await statusNow(), 200)
  t.equal(sandbox.requests.length, calls + 1, 'the first token is not sent again')
  t.match(await metricsOf(running), 'hilos_bff_token_refusals_total{code="upstream_unauthorized"} 1')
  const lines = logLines().filter(({ msg }) => /token/i.test(String(msg)))
  t.match(lines, [{ level: 40, tokenFingerprint: /^[0-9a-f]{8}$/ }])
  t.equal((await tokenPart()).fingerprint, lines[0]?.tokenFingerprint)
  t.notMatch(log(), new RegExp(`${newToken}|${sandboxToken}`))
})

t.test('the next token can come later, take the place of the first, and be removed', async (t) => {
  const { put, statusNow, tokenPart, sandbox } = await startMounted(t)
  await put(sandboxToken, newToken, reloaded)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  // Both files change, and either can be read first.
  await put(newToken, '', reloaded, withoutIt)
  t.equal(await statusNow(), 200)
  t.match(await tokenPart(), { ok: true, problems: [] })

  await put(newToken, sandboxToken, reloaded)
  await put(newToken, 'two words', invalid)
  t.match(await tokenPart(), { ok: false, problems: [/^HILOS_TOKEN_NEXT_FILE: must be/] })
  await put(newToken, 'x'.repeat(9000), invalid)
  t.match(await tokenPart(), { ok: false, problems: [/^HILOS_TOKEN_NEXT_FILE: the file is larger/] })
  sandbox.setToken(sandboxToken)
  t.equal(await statusNow(), 200, 'a token is kept while its file cannot be read')
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  await put(newToken, '', withoutIt)
  t.match(await tokenPart(), { ok: true, problems: [] })
  sandbox.setToken(sandboxToken)
  t.equal(await statusNow(), 502, 'the removed token is not sent')
})

t.test('a token that Hilos refuses is logged by its fingerprint, once', async (t) => {
  const running = await startService(t)
  const { get, sandbox, logLines, clock } = running
  sandbox.setToken(newToken)
  for (let count = 0; count < 5; count += 1) t.equal((await get(path)).status, 502)
  const opened = logLines().filter(({ msg }) => msg === 'circuit breaker opened')
  t.equal(opened.length, 1)
  t.match(opened[0], { err: { code: 'upstream_unauthorized', tokenFingerprint: /^[0-9a-f]{8}$/ } })
  t.equal(sandbox.requests.length, 1)
  clock.advance(3000)
  await get(path)
  t.equal(sandbox.requests.length, 2, 'one probe')
  t.match(await metricsOf(running), 'hilos_bff_token_refusals_total{code="upstream_unauthorized"} 2')
  const other = await startService(t)
  t.equal((await other.get(`/execution-contacts/${faultIds.forbidden}`)).status, 502)
  t.match(await metricsOf(other), 'hilos_bff_token_refusals_total{code="upstream_forbidden"} 1')
})

t.test('the callers are those in their file, and stay while the file is invalid', async (t) => {
  const callers = [{ name: 'a', profile: 'full' }] as const
  const running = await startService(t, { callers })
  const { get, as, callersFile } = running
  const keys = new Map(['a', 'b'].map((name) => [name, createKey()]))
  const bearer = (name: string) => ({ authorization: `Bearer ${keys.get(name)}` })
  const write = (text: string, message: string) => untilLogged(running, () => writeFileSync(callersFile, text), message)
  const callersPart = async () => (await partsOf(running)).callersFile
  t.equal((await get(path, as('a'))).status, 200)
  t.strictSame(await callersPart(), { ok: true, keys: 1, problems: [] })

  await write('{"callers": [{"name": "canary", "keySha256": "canary", "profile": "boss"}]}', invalid)
  t.equal((await get(path, as('a'))).status, 200)
  const problems = [/^callers\[0\]\.keySha256: /, /^callers\[0\]\.profile: /]
  t.match(await callersPart(), { ok: false, keys: 1, problems })
  t.notMatch(running.log(), /canary|boss/)

  await write(callersJson([...callers, { name: 'b', profile: 'viewer' }], keys), reloaded)
  t.equal((await get(path, as('a'))).status, 401, 'the old key is gone')
  t.equal((await get(path, bearer('a'))).status, 200)
  t.equal((await get(path, bearer('b'))).json().contact.name, null)
  t.strictSame(await callersPart(), { ok: true, keys: 2, problems: [] })
  t.match(await metricsOf(running), 'hilos_bff_file_changes_total{setting="CALLERS_FILE",outcome="refused"} 1')

  await untilLogged(running, () => rmSync(callersFile), invalid)
  t.equal((await get(path, bearer('a'))).status, 200)
})

/** All files that are watched. They can change between the reading of the settings and the start. */
async function watchAll(t: Test, { changedBefore }: { changedBefore: boolean }) {
  const folder = t.testdir()
  const pathOf = (name: string) => join(folder, name)
  const write = (version: number) => {
    writeFileSync(pathOf('token'), `token-${version}`)
    writeFileSync(pathOf('next'), `next-${version}`)
    // Larger than a secret may be.
    writeFileSync(pathOf('callers'), '{"callers":[]}'.padEnd(10_000 + version))
  }
  write(1)
  const env = {
    HILOS_TOKEN_FILE: pathOf('token'),
    HILOS_TOKEN_NEXT_FILE: pathOf('next'),
    CALLERS_FILE: pathOf('callers'),
  }
  const config = loadConfig(env, 0, await readSettingsFiles(env))
  if (changedBefore) write(2)
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  mock.timers.enable({ apis: ['setTimeout'] })
  const { tokens, close: closeTokens } = createReloadedTokens(config.hilos, logger, createMetrics(), systemClock)
  const { close: closeCallers } = await createReloadedCallers(config.access, logger, createMetrics(), systemClock)
  const close = () => {
    closeTokens()
    closeCallers()
  }
  t.teardown(() => {
    close()
    mock.timers.reset()
  })
  /** Lets time pass, and a file be read. */
  const pass = async (ms: number) => {
    mock.timers.tick(ms)
    await readBoundedFile(pathOf('token'), 100)
  }
  /** Lets time pass until so many lines are logged, and returns them. */
  const untilLines = async (count: number) => {
    while (lines.length < count) await pass(100)
    return lines.splice(0).map((line) => JSON.parse(line))
  }
  return { tokens, write, close, pass, untilLines }
}

t.test('files that changed since the settings were read are reloaded at the start', async (t) => {
  const { tokens, untilLines } = await watchAll(t, { changedBefore: true })
  const lines = await untilLines(3)
  const [inUse, other] = tokens.all()
  t.strictSame([inUse?.reveal(), other?.reveal()], ['token-2', 'next-2'])
  const inOrder = lines.sort((one, another) => String(another.setting).localeCompare(one.setting))
  t.match(inOrder, [
    { level: 30, setting: 'HILOS_TOKEN_NEXT_FILE', tokenFingerprint: other?.fingerprint() },
    { level: 30, setting: 'HILOS_TOKEN_FILE', tokenFingerprint: inUse?.fingerprint() },
    { level: 30, setting: 'CALLERS_FILE', keys: 0 },
  ])
})

t.test('files that have not changed are not reloaded, and none is after the end', async (t) => {
  const { write, close, pass, untilLines } = await watchAll(t, { changedBefore: false })
  for (let count = 0; count < 20; count += 1) await pass(1000)
  write(2)
  t.equal((await untilLines(3)).length, 3, 'only the change is reported')
  close()
  write(3)
  for (let count = 0; count < 20; count += 1) await pass(1000)
  t.strictSame(await untilLines(0), [])
})

t.test('a callers file that is a pipe has a status and is not watched', async (t) => {
  const callersFile = { path: null, text: '', entries: [] }
  const config = loadConfig({ HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  const logger = createLogger('silent', { write: () => {} })
  const { status, close } = await createReloadedCallers(
    { ...config.access, callersFile },
    logger,
    createMetrics(),
    systemClock,
  )
  t.strictSame(status(), { ok: true, keys: 0, problems: [] })
  close()
})

t.test('no file is reloaded when the service is closed', async (t) => {
  const secrets = mount(t)
  const files = { token: sandboxToken, callers: '{"callers":[]}' }
  secrets.put(files)
  const env = { HILOS_TOKEN: '', HILOS_TOKEN_FILE: secrets.path('token'), CALLERS_FILE: secrets.path('callers') }
  const { service, logLines } = await startService(t, { env })
  await service.close()
  // This watch reports later than one of the service would.
  const { promise: reported, resolve } = Promise.withResolvers<unknown>()
  const { close } = watchFile(secrets.path('token'), resolve, { maxBytes: 100, known: sandboxToken })
  secrets.put({ token: newToken, callers: '{}' })
  await reported
  close()
  t.notOk(logLines().some(({ msg }) => /watched file/.test(String(msg))))
})
