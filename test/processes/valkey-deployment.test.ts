import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import type { Script } from '../../src/shared/shared-server.ts'
import { connectValkey, type ServerSettings } from '../../src/shared/valkey.ts'
import { needsServer, startServer } from '../harness/valkey.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (...path: string[]) => readFileSync(join(...path), 'utf8')
const makeSecrets = (folder: string) =>
  spawnSync('sh', [join(root, 'deploy/valkey-secrets.sh'), folder], { encoding: 'utf8' })

/** The secrets of the shared tier, made as the guide says. */
function secretsIn(t: Test) {
  const folder = join(t.testdir(), 'secrets')
  const { status, stdout, stderr } = makeSecrets(folder)
  t.strictSame([status, stdout, stderr], [0, '', ''])
  const files = { keys: read(folder, 'cache-keys'), url: read(folder, 'redis-url') }
  return { folder, ...files, aclFile: join(folder, 'valkey/users.acl') }
}

/** The settings of the server as options, without its place. */
function optionsIn(text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.flatMap((line) => {
    const [name = '', ...values] = line.split(' ')
    return /^(bind|port|aclfile)$/.test(name) ? [] : [`--${name}`, ...values.map((value) => value.replace('""', ''))]
  })
}

t.test('the secrets of the shared tier are made once, for their owner only', async (t) => {
  const { folder, keys, url, aclFile } = secretsIn(t)
  const { names, seal } = JSON.parse(keys)
  t.match(seal, [{ id: 1, key: String }])
  const lengths = [names, seal[0].key].map((text) => Buffer.from(text, 'base64').length)
  t.strictSame(lengths, [32, 32])
  t.not(names, seal[0].key)
  t.match(url, /^redis:\/\/hilos-bff:[0-9a-f]{64}@hilos-bff-valkey:6379$/)
  const acl = read(aclFile)
  t.notMatch(acl, new URL(url).password)
  t.match(acl, /^user default on nopass resetkeys resetchannels -@all \+ping\nuser hilos-bff on #[0-9a-f]{64} /)
  for (const file of ['cache-keys', 'redis-url', 'valkey/users.acl'])
    t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
  t.equal(makeSecrets(folder).status, 0)
  t.strictSame([read(folder, 'cache-keys'), read(folder, 'redis-url'), read(aclFile)], [keys, url, acl])
})

t.test('a password is not made for only one of the two that must know it', async (t) => {
  const { folder, keys, aclFile } = secretsIn(t)
  spawnSync('rm', [aclFile])
  const { status, stderr } = makeSecrets(folder)
  t.equal(status, 1)
  t.match(stderr, /has only one of redis-url and valkey\/users\.acl, which belong together/)
  t.equal(read(folder, 'cache-keys'), keys)
})

t.test('each command in the scripts is one that the user of the server may use', async (t) => {
  const [, rule = ''] = /^user hilos-bff (.*)$/m.exec(read(secretsIn(t).aclFile)) ?? []
  const scripts = globSync('src/shared/**/*.ts', { cwd: root }).map((path) => read(root, path))
  const used = new Set(
    scripts.flatMap((text) => [...text.matchAll(/redis\.call\('(\w+)'/g)].map(([, name = '']) => name)),
  )
  t.ok(used.size > 10)
  for (const name of used) t.ok(rule.includes(` +${name.toLowerCase()}`), name)
})

const problem = (name: string) => ({ name: 'Error', message: `the shared tier: ${name}`, problem: name })
const script = (lua: string): Script => ({ name: 'probe', lua: `#!lua flags=allow-oom\n${lua}`, waitMs: 5000 })

t.test('the server takes its settings, and lets hilos-bff do what it needs and no more', needsServer(), async (t) => {
  const { url, aclFile } = secretsIn(t)
  const settings = optionsIn(read(root, 'deploy/kubernetes/components/valkey/valkey.conf'))
  const { port } = await startServer(t, [...settings, '--aclfile', aclFile])
  const { username, password } = new URL(url)
  const user = { username, password: new Secret(password) }
  const place = { hosts: [{ host: '127.0.0.1', port }], sentinelName: null, database: 0, tls: false, ca: null }
  const limits = { ...sharedTierLimits, connectMs: 5000 }
  const connectAs = (user: Pick<ServerSettings, 'username' | 'password'>) =>
    connectValkey({ server: { ...place, ...user }, clock: systemClock, limits })
  await t.rejects(connectAs({ username: null, password: null }), problem('denied'), 'without a password there is only PING')
  await t.rejects(connectAs({ ...user, password: new Secret('another') }), problem('auth'))
  const valkey = await connectAs(user)
  t.teardown(valkey.close)
  const key = '{hbff}:probe'
  await valkey.run(script("redis.call('HSET', KEYS[1], 'a', '1')"), [key], [])
  t.strictSame(await valkey.run(script("return redis.call('HGET', KEYS[1], 'a')"), [key], []), Buffer.from('1'))
  t.strictSame(await valkey.readEvents('{hbff}:ev', '0', 1), [])
  await t.rejects(valkey.run(script("return redis.call('HGET', KEYS[1], 'a')"), ['{other}:probe'], []), problem('denied'))
  for (const command of ["'KEYS', '*'", "'FLUSHALL'", "'PUBLISH', 'a', 'b'", "'INCR', KEYS[1]"])
    await t.rejects(valkey.run(script(`return redis.call(${command})`), [key], []), problem('denied'), command)
})
