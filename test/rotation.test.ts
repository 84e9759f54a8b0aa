import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { createKey } from '../src/access/keys.ts'
import { loadConfig } from '../src/config/config.ts'
import { createKnownCallers } from '../src/rotation/reloaded-callers.ts'
import { createTokensInUse } from '../src/rotation/reloaded-tokens.ts'
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

/** Secrets as Kubernetes mounts them: files that are links through `..data`, which is swapped. */
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

/** A service with its token, and where the next one will be, in mounted files. */
async function startMounted(t: Test, env: Arrangement['env'] = {}) {
  const secrets = mount(t)
  secrets.put({ token: `${sandboxToken}\n`, next: '' })
  const files = { HILOS_TOKEN_FILE: secrets.path('token'), HILOS_TOKEN_NEXT_FILE: secrets.path('next') }
  const running = await startService(t, { env: { HILOS_TOKEN: '', ...files, ...env } })
  const saw = (pattern: RegExp) => until(() => running.logLines().some(({ msg }) => pattern.test(String(msg))))
  const statusNow = async () => {
    running.clock.advance(3000)
    return (await running.get(path, noCache)).status
  }
  return { ...running, secrets, saw, statusNow }
}

t.test('the Hilos token, when its file is swapped, is replaced without a restart', async (t) => {
  const running = await startMounted(t)
  const { statusNow, sandbox, secrets, saw, log } = running
  t.equal(await statusNow(), 200)
  secrets.put({ token: newToken, next: '' })
  await saw(/^a changed file is in use$/)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  t.ok(sandbox.requests.at(-1)?.rawHeaders.includes(`Token ${newToken}`))
  t.match((await partsOf(running)).hilosToken, { ok: true, problems: [] })
  t.match(await metricsOf(running), 'hilos_bff_file_changes_total{setting="HILOS_TOKEN_FILE",outcome="used"} 1')
  t.notMatch(log(), new RegExp(`${newToken}|${sandboxToken}`))
})

t.test('the Hilos token, when its file becomes useless, stays, and everybody who looks is told', async (t) => {
  for (const [text, problem] of [
    ['', 'the file is empty'],
    ['two words', 'must be visible ASCII, no spaces'],
    ['x'.repeat(8193), 'the file is larger than 8192 bytes'],
  ] as const) {
    const running = await startMounted(t)
    const { statusNow, secrets, saw, logLines } = running
    secrets.put({ token: text, next: '' })
    await saw(/^a changed file cannot be used: what was read before stays$/)
    t.equal(await statusNow(), 200, problem)
    t.match((await partsOf(running)).hilosToken, { ok: false, problems: [`HILOS_TOKEN_FILE: ${problem}`] })
    t.equal((await operatorsGet(running, '/readyz'))?.statusCode, 200)
    const line = logLines().find(({ msg }) => /cannot be used/.test(String(msg)))
    t.match(line, { level: 50, setting: 'HILOS_TOKEN_FILE', problems: [problem] })
    t.match(await metricsOf(running), 'setting="HILOS_TOKEN_FILE",outcome="refused"} 1')
    secrets.put({ token: sandboxToken, next: '' })
    await saw(/^a changed file is in use$/)
    t.match((await partsOf(running)).hilosToken, { ok: true, problems: [] })
  }
})

t.test('the next token, when Hilos refuses the first, is used from then on, and nobody notices', async (t) => {
  const running = await startMounted(t, { HILOS_TOKEN_NEXT_FILE: '', HILOS_TOKEN_NEXT: newToken })
  const { statusNow, sandbox, logLines, log } = running
  t.equal(await statusNow(), 200)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  const calls = sandbox.requests.length
  t.equal(await statusNow(), 200)
  t.equal(sandbox.requests.length, calls + 1, 'the first is not tried any more')
  t.match(await metricsOf(running), 'hilos_bff_token_refusals_total{code="upstream_unauthorized"} 1')
  const said = logLines().filter(({ msg }) => /token/i.test(String(msg)))
  t.match(said, [{ level: 40, tokenFingerprint: /^[0-9a-f]{8}$/ }])
  t.equal((await partsOf(running)).hilosToken.fingerprint, said[0]?.tokenFingerprint)
  t.notMatch(log(), new RegExp(`${newToken}|${sandboxToken}`))
})

t.test('the next token, when its file comes later, is there when it is needed', async (t) => {
  const { statusNow, sandbox, secrets, saw } = await startMounted(t)
  secrets.put({ token: sandboxToken, next: newToken })
  await saw(/^a changed file is in use$/)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
})

t.test('the next token, when it has been moved over, is gone, and nothing is wrong', async (t) => {
  const running = await startMounted(t)
  const { statusNow, sandbox, secrets, logLines } = running
  const said = (pattern: RegExp) => logLines().filter(({ msg }) => pattern.test(String(msg))).length
  secrets.put({ token: sandboxToken, next: newToken })
  await until(() => said(/is in use$/) === 1)
  sandbox.setToken(newToken)
  t.equal(await statusNow(), 200)
  // Both at once, and in whichever order they are seen.
  secrets.put({ token: newToken, next: '' })
  await until(() => said(/is in use$/) === 2 && said(/is done without$/) === 1)
  t.equal(await statusNow(), 200)
  t.match((await partsOf(running)).hilosToken, { ok: true, problems: [] })
  sandbox.setToken(sandboxToken)
  t.equal(await statusNow(), 502, 'there is no other token any more')
})

t.test(
  'the next token, when it is taken away, is not tried any more, and a bad one before it is no problem any more',
  async (t) => {
    const running = await startMounted(t)
    const { statusNow, sandbox, secrets, saw } = running
    secrets.put({ token: sandboxToken, next: newToken })
    await saw(/is in use$/)
    secrets.put({ token: sandboxToken, next: 'two words' })
    await saw(/cannot be used/)
    t.match((await partsOf(running)).hilosToken, { ok: false, problems: [/^HILOS_TOKEN_NEXT_FILE: must be/] })
    secrets.put({ token: sandboxToken, next: '' })
    await saw(/is done without$/)
    t.match((await partsOf(running)).hilosToken, { ok: true, problems: [] })
    sandbox.setToken(newToken)
    t.equal(await statusNow(), 502)
  },
)

t.test('a token, when Hilos refuses it and there is no other, is named by its fingerprint, once', async (t) => {
  const running = await startMounted(t)
  const { get, sandbox, logLines, clock } = running
  sandbox.setToken(newToken)
  for (let count = 0; count < 5; count += 1) t.equal((await get(path)).status, 502)
  const paused = logLines().filter(({ msg }) => msg === 'calls to Hilos pause')
  t.equal(paused.length, 1)
  t.match(paused[0], { err: { code: 'upstream_unauthorized', tokenFingerprint: /^[0-9a-f]{8}$/ } })
  t.equal(sandbox.requests.length, 1)
  clock.advance(3000)
  await get(path)
  t.equal(sandbox.requests.length, 2, 'one probe')
  t.match(await metricsOf(running), 'hilos_bff_token_refusals_total{code="upstream_unauthorized"} 2')
})

t.test('the callers, when their file changes, are those in it; a bad one keeps them', async (t) => {
  const callers = [{ name: 'a', profile: 'full' }] as const
  const running = await startService(t, { callers })
  const { get, as, callersFile, logLines } = running
  const keys = new Map([
    ['a', createKey()],
    ['b', createKey()],
  ])
  const bearer = (name: string) => ({ authorization: `Bearer ${keys.get(name)}` })
  const said = (pattern: RegExp) => until(() => logLines().some(({ msg }) => pattern.test(String(msg))))
  t.equal((await get(path, as('a'))).status, 200)
  t.strictSame((await partsOf(running)).callersFile, { ok: true, keys: 1, problems: [] })

  writeFileSync(callersFile, '{"callers": [{"name": "canary", "keySha256": "canary", "profile": "boss"}]}')
  await said(/cannot be used/)
  t.equal((await get(path, as('a'))).status, 200, 'the old ones stay')
  const { callersFile: part } = await partsOf(running)
  t.match(part, { ok: false, keys: 1, problems: [/^callers\[0\]\.keySha256: /, /^callers\[0\]\.profile: /] })
  t.notMatch(running.log(), /canary|boss/)

  writeFileSync(callersFile, callersJson([...callers, { name: 'b', profile: 'viewer' }], keys))
  await said(/in use/)
  t.equal((await get(path, as('a'))).status, 401, 'the old key is gone')
  t.equal((await get(path, bearer('a'))).status, 200)
  t.equal((await get(path, bearer('b'))).json().contact.name, null)
  t.strictSame((await partsOf(running)).callersFile, { ok: true, keys: 2, problems: [] })
  t.match(await metricsOf(running), 'hilos_bff_file_changes_total{setting="CALLERS_FILE",outcome="refused"} 1')

  rmSync(callersFile)
  await until(() => logLines().filter(({ msg }) => /cannot be used/.test(String(msg))).length === 2)
  t.equal((await get(path, bearer('a'))).status, 200, 'also when it is gone')
})

t.test('a caller, with two keys, is one, and goes on while one of them is replaced', async (t) => {
  const name = 'support-web'
  const [first, second, third] = [createKey(), createKey(), createKey()]
  const entry = (key: string) =>
    JSON.parse(callersJson([{ name, profile: 'agent' }], new Map([[name, key]]))).callers[0]
  const { get, callersFile, logLines } = await startService(t, { callers: [{ name: 'x', profile: 'full' }] })
  const works = async (key: string) => (await get(path, { authorization: `Bearer ${key}` })).status === 200
  for (const [keys, good, bad] of [
    [[first], [first], [second, third]],
    [[first, second], [first, second], [third]],
    [[second, third], [second, third], [first]],
  ] as const) {
    const before = logLines().length
    writeFileSync(callersFile, JSON.stringify({ callers: keys.map(entry) }))
    await until(() =>
      logLines()
        .slice(before)
        .some(({ msg }) => msg === 'a changed file is in use'),
    )
    for (const key of good) t.ok(await works(key))
    for (const key of bad) t.notOk(await works(key))
  }
})

/** Everything that follows a file, on files that change, or do not, between the reading of the settings and the start. */
function followAll(t: Test, changedBefore: boolean) {
  const folder = t.testdir()
  const write = (version: number, names: readonly string[]) => {
    const callers = Array.from(
      { length: version },
      (_, index) => ({ name: `caller-${index}`, profile: 'full' }) as const,
    )
    const keys = new Map(callers.map(({ name }) => [name, createKey()]))
    const files: Record<string, string> = {
      token: `token-${version}`,
      next: `next-${version}`,
      // Larger than a secret may be.
      callers: callersJson(callers, keys).padEnd(10_000),
    }
    for (const name of names) writeFileSync(join(folder, name), files[name] ?? '')
  }
  const all = ['token', 'next', 'callers']
  write(1, all)
  const config = loadConfig({
    HILOS_TOKEN_FILE: join(folder, 'token'),
    HILOS_TOKEN_NEXT_FILE: join(folder, 'next'),
    CALLERS_FILE: join(folder, 'callers'),
  })
  if (changedBefore) write(2, all)
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  mock.timers.enable({ apis: ['setTimeout'] })
  const tokens = createTokensInUse(config.hilos, logger, createMetrics(), Date.now)
  const known = createKnownCallers(config.access, logger, createMetrics(), { now: Date.now, elapsed: Date.now })
  t.teardown(() => {
    for (const { close } of [tokens, known]) close()
    mock.timers.reset()
  })
  return {
    ...{ tokens, known },
    write: (version: number) => write(version, all),
    /** What is logged while the time passes. */
    said: (ms: number) => {
      mock.timers.tick(ms)
      return lines.splice(0).map((line) => JSON.parse(line))
    },
  }
}

t.test('files, when they have changed since the settings were read, are taken over at the start', async (t) => {
  const { tokens, known, said } = followAll(t, true)
  const [current, next, callers] = said(100)
  const [inUse, other] = tokens.tokens.all()
  t.equal(inUse?.reveal(), 'token-2')
  t.equal(other?.reveal(), 'next-2')
  t.match(current, { level: 30, setting: 'HILOS_TOKEN_FILE', tokenFingerprint: inUse?.fingerprint() })
  t.match(next, { level: 30, setting: 'HILOS_TOKEN_NEXT_FILE', tokenFingerprint: other?.fingerprint() })
  t.match(callers, { level: 30, setting: 'CALLERS_FILE', keys: 2 })
  t.strictSame(known.status(), { ok: true, keys: 2, problems: [] })
})

t.test('files, when they are as they were, are no news; nor is anything once they are let go', async (t) => {
  const { tokens, known, said, write } = followAll(t, false)
  t.strictSame(said(20_000), [])
  write(2)
  t.equal(said(20_000).length, 3)
  for (const { close } of [tokens, known]) close()
  write(3)
  t.strictSame(said(60_000), [])
})

/** Whether the service, once it is closed, still looks at a file that changes. */
async function looksOnAfterClose({ service, logLines }: RunningService, file: string, change: () => void) {
  await service.close()
  // This looks later than the service would, if it still did.
  const { promise: seen, resolve } = Promise.withResolvers<unknown>()
  const { close } = watchFile(file, resolve, { maxBytes: 100_000 })
  change()
  await seen
  close()
  return logLines().some(({ msg }) => /a changed file/.test(String(msg)))
}

t.test('the callers’ file, when it changes after the service is closed, is no business of its', async (t) => {
  const running = await startService(t, { callers: [{ name: 'a', profile: 'full' }] })
  const { callersFile } = running
  t.notOk(await looksOnAfterClose(running, callersFile, () => writeFileSync(callersFile, '{}')))
})

t.test('a token, when its file changes after the service is closed, is no business of its', async (t) => {
  const running = await startMounted(t)
  const { secrets } = running
  const change = () => secrets.put({ token: newToken, next: '' })
  t.notOk(await looksOnAfterClose(running, secrets.path('token'), change))
})

t.test('a token, when Hilos refuses it for one contact, is counted by the code', async (t) => {
  const running = await startService(t)
  t.equal((await running.get(`/execution-contacts/${faultIds.forbidden}`)).status, 502)
  t.match(await metricsOf(running), 'hilos_bff_token_refusals_total{code="upstream_forbidden"} 1')
})
