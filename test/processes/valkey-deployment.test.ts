import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import { connectValkey, type ServerSettings } from '../../src/tier/valkey.ts'
import { needsServer, serverAt, startServer } from '../harness/valkey.ts'

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
  const [, rule = ''] = /```acl\n(.+)\n```/.exec(read(root, 'docs/runbook.md')) ?? []
  const hash = createHash('sha256').update(new URL(url).password).digest('hex')
  const health = 'user default on nopass resetkeys resetchannels -@all +ping'
  t.equal(acl, `${health}\n${rule.replace('PASSWORD', hash)}\n`, 'the rule of the runbook')
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

const problem = (name: string) => ({ name: 'Error', message: `the shared tier: ${name}`, problem: name })

t.test('the server takes its settings, and the users that the guide makes', needsServer(), async (t) => {
  const { url, aclFile } = secretsIn(t)
  const settings = optionsIn(read(root, 'deploy/kubernetes/components/valkey/valkey.conf'))
  const { port } = await startServer(t, [...settings, '--aclfile', aclFile])
  const { username, password } = new URL(url)
  const user = { username, password: new Secret(password) }
  const limits = { ...sharedTierLimits, connectMs: 5000 }
  const connectAs = (user: Pick<ServerSettings, 'username' | 'password'>) =>
    connectValkey({ server: serverAt(port, user), clock: systemClock, limits })
  await t.rejects(
    connectAs({ username: null, password: null }),
    problem('denied'),
    'without a password there is only PING',
  )
  await t.rejects(connectAs({ ...user, password: new Secret('another') }), problem('auth'))
  const valkey = await connectAs(user)
  t.teardown(valkey.close)
  const [key, lua] = ['{hbff}:probe', "redis.call('SET', KEYS[1], 'a')\nreturn redis.call('GET', KEYS[1])"]
  t.strictSame(await valkey.run({ name: 'probe', lua, waitMs: 5000 }, [key], []), Buffer.from('a'))
})
