import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createSandbox } from '../../sandbox/hilos.ts'
import { Secret } from '../../src/common/secret.ts'
import { parseCacheKeys } from '../../src/config/cache-keys.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import type { SharedTierConfig } from '../../src/config/shared-tier.ts'
import { sharedTierFindings } from '../../src/doctor/shared-tier-findings.ts'
import { newCacheKeys } from '../../src/setup/keygen.ts'
import { startProcess } from '../harness/process.ts'
import { startReplicas } from '../harness/replicas.ts'
import { contactRefKey, sandboxToken } from '../harness/service.ts'
import { needsServer, serverAt, startServer, type TestServer } from '../harness/valkey.ts'

const password = 'password-canary-71c2'
const runbook = readFileSync(fileURLToPath(new URL('../../docs/runbook.md', import.meta.url)), 'utf8')
const rule = /```acl\n(.+)\n```/.exec(runbook)?.[1] ?? ''

/** The findings, as levels and messages. On a busy machine, replies may take their time. */
async function findingsOf({ port }: TestServer, text: string, username: string | null = null): Promise<string[]> {
  const file = parseCacheKeys(text)
  if (!('keys' in file)) throw new Error('The keys are invalid.')
  const tier: SharedTierConfig = {
    ...sharedTierLimits,
    connectMs: 20_000,
    server: serverAt(port, { username, password: username === null ? null : new Secret(password) }),
    keyPrefix: 'hbff',
    cacheKeys: file.keys,
    cacheKeyFile: null,
    cacheKeyText: new Secret(text),
    expectedReplicas: 1,
  }
  return (await sharedTierFindings(tier)).map(({ level, message }) => `${level} ${message}`)
}

/** A server with the rule of the runbook. */
async function startWithRule(t: Test, files: Record<string, string> = {}): Promise<TestServer> {
  const users = rule.replace('PASSWORD', createHash('sha256').update(password).digest('hex'))
  const folder = t.testdir({ ...files, 'users.acl': `user default on nopass ~* &* +@all\n${users}\n` })
  return startServer(t, [
    '--aclfile',
    join(folder, 'users.acl'),
    '--maxmemory',
    '256mb',
    '--maxmemory-policy',
    'allkeys-lru',
  ])
}

t.test('the rule of the runbook is enough for the doctor, which leaves nothing behind', needsServer(), async (t) => {
  const server = await startWithRule(t, { 'cache-keys.json': newCacheKeys() })
  const sandbox = createSandbox({ token: sandboxToken })
  t.teardown(sandbox.close)
  const env = {
    HILOS_TOKEN: sandboxToken,
    HILOS_BASE_URL: await sandbox.listen(),
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    CONTACT_REF_KEY: contactRefKey,
    CACHE_KEY_FILE: join(t.testdirName, 'cache-keys.json'),
    REPLICAS_EXPECTED: '3',
  }
  const check = async (user: string) => {
    const url = `redis://${user}:${password}@127.0.0.1:${server.port}`
    const running = startProcess(t, 'src/main.ts', { ...env, REDIS_URL: url }, { args: ['--check'] })
    const status = await running.ended
    t.notMatch(running.stdout() + running.stderr(), new RegExp(`canary|:${server.port}`))
    return { status, stdout: running.stdout() }
  }
  const well = await check('hilos-bff')
  t.equal(well.status, 0)
  const lines = well.stdout
    .split('\n')
    .filter((line) => /^\w+ +(shared tier|REDIS_URL|REPLICAS_EXPECTED) .*/.test(line))
  t.match(lines, [
    /^note +REDIS_URL +Other processes may read/,
    /^ok +REDIS_URL +The server .* accepts us without TLS: it is a primary, and is (redis|valkey) \d/,
    /^ok +shared tier +The server may use 256 MiB, with the policy allkeys-lru\.$/,
    /^note +shared tier +The server has not written to its disk yet/,
    /^ok +shared tier +The user may do all/,
    /^(ok|warn) +shared tier +A reply of the server takes/,
    /^ok +shared tier +The clock of the server is that of this machine/,
    /^ok +REPLICAS_EXPECTED +0 replicas are attached, and at most 3 expected\.$/,
  ])
  t.match(well.stdout, / HILOS_MAX_RPS +Hilos gets at most 5 calls a second from all replicas together\./)
  t.equal(await server.ask('DBSIZE'), 0)

  const unknown = await check('other')
  t.equal(unknown.status, 1)
  t.match(unknown.stdout, /\nfail +REDIS_URL +The server does not accept the user and the password/)
})

t.test('each command that the rule lacks is found', needsServer(), async (t) => {
  const server = await startWithRule(t)
  const keys = newCacheKeys()
  const commands = [...rule.matchAll(/ \+(\S+)/g)].map(([, command]) => String(command))
  t.ok(commands.length > 20)
  // Only a database besides the first one is selected.
  for (const command of commands.filter((name) => name !== 'select')) {
    await server.ask('ACL', 'SETUSER', 'hilos-bff', `-${command}`)
    t.match((await findingsOf(server, keys, 'hilos-bff')).at(-1), /^fail The user in REDIS_URL may not do all/, command)
    await server.ask('ACL', 'SETUSER', 'hilos-bff', `+${command}`)
    if (command !== 'unlink') t.equal(await server.ask('DBSIZE'), 0, command)
    await server.ask('FLUSHALL')
  }
  t.notMatch((await findingsOf(server, keys, 'hilos-bff')).join('\n'), /^fail/m)
})

t.test('a full server, one that writes to its disk, and one without a bound', needsServer(), async (t) => {
  const server = await startServer(t)
  const keys = newCacheKeys()
  const bad = await findingsOf(server, keys)
  t.match(bad[1], /^warn The memory of the server has no bound/)
  t.equal(bad[2], 'ok The server writes nothing to its disk.')
  await server.ask('CONFIG', 'SET', 'save', '3600 1')
  t.match((await findingsOf(server, keys))[2], /^warn The server writes to its disk/)
  await server.ask('CONFIG', 'SET', 'save', '')
  await server.ask('BGSAVE')
  t.match((await findingsOf(server, keys))[2], /^warn The server writes to its disk/)
  await server.ask('CONFIG', 'SET', 'maxmemory', '1')
  const full = await findingsOf(server, keys)
  t.match(full[1], /^warn The server may use 0 MiB, with the policy noeviction: nothing new/)
  t.match(full[3], /^warn The server is full/)
  t.match(full[4], /^ok The user may do all/)
  t.equal(await server.ask('DBSIZE'), 0)
})

t.test('replicas are counted, and what they have shared shows their keys', needsServer(), async (t) => {
  const server = await startServer(t)
  const { replicas } = await startReplicas(t, server, { count: 1 })
  const keys = readFileSync(join(t.testdirName, 'cache-keys.json'), 'utf8')
  const before = Number(await server.ask('DBSIZE'))
  const first = await findingsOf(server, keys)
  t.match(first.at(-1), /^note No replica has shared anything/)
  t.equal(Number(await server.ask('DBSIZE')), before)
  const { status } = (await replicas[0]?.get('/execution-contacts/1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b')) ?? {}
  t.ok(status === 200 || status === 404)
  const [seen, shared] = (await findingsOf(server, keys)).slice(-2)
  t.equal(seen, 'ok 1 replica is attached, and at most 1 expected.')
  t.equal(shared, 'ok These keys open what replicas have shared in the last hour (1 in all).')
  const other = await findingsOf(server, newCacheKeys())
  t.match(other.at(-1), /^fail What 1 of 1 replicas shared last does not open/)
})
