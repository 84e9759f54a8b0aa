import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import type { Script, SharedServerError } from '../../src/tier/shared-server.ts'
import { connectValkey } from '../../src/tier/valkey.ts'
import { needsServer, serverAt, startServer } from '../harness/valkey.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const rule = /```acl\n(.+)\n```/.exec(readFileSync(join(root, 'docs/runbook.md'), 'utf8'))?.[1] ?? ''
const allowed = [...rule.matchAll(/ \+(\S+)/g)].map(([, command]) => command)
const files = globSync('src/tier/*.ts', { cwd: root })

t.test('the rule of the server’s user has the commands that are used, and no others', async (t) => {
  const code = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
  const inScripts = [...code.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, command]) => command)
  const sent = [...code.matchAll(/\bsend\('(\w+)'(?:, '(\w+)')?/g)]
    .map(([, command, next]) => (next === undefined ? command : `${command}|${next}`))
    // All may sign in. Sentinels have users of their own.
    .filter((command) => command !== 'AUTH' && !command?.startsWith('SENTINEL'))
  const used = [...inScripts, ...sent].map((command) => command?.toLowerCase())
  t.strictSame([...allowed].sort(), [...new Set(used)].sort())
})

/** All scripts. A file that exports none is none that the server is asked through. */
async function allScripts(): Promise<Script[]> {
  const modules = await Promise.all(files.map((file) => import(join(root, file)) as Promise<Record<string, unknown>>))
  const exported = modules.flatMap((module) => Object.values(module))
  return exported.filter((value): value is Script => Object.hasOwn(Object(value), 'lua'))
}

/** Signs in as the user of the rule. */
async function signIn(t: Test) {
  const password = 'made-up password'
  const hash = createHash('sha256').update(password).digest('hex')
  const aclFile = join(t.testdir({ 'users.acl': `${rule.replace('PASSWORD', hash)}\n` }), 'users.acl')
  const { port, ask } = await startServer(t, ['--aclfile', aclFile])
  const connection = await connectValkey({
    server: serverAt(port, { database: 1, username: 'hilos-bff', password: new Secret(password) }),
    clock: systemClock,
    limits: { connectMs: 10_000, sentinelMs: 10_000, eventGraceMs: 10_000, maxInFlight: 100, maxEvents: 10 },
  })
  t.teardown(connection.close)
  return { ...connection, ask }
}

t.test('a server takes the rule, and its user may run every script', needsServer(), async (t) => {
  const { run, readEvents, ask } = await signIn(t)
  /** The word for what came of a script, with arguments that need not make sense. */
  const outcome = async (script: Script, prefix = '{hbff}:') => {
    const count = Math.max(1, ...[...script.lua.matchAll(/KEYS\[(\d+)\]/g)].map(([, index]) => Number(index)))
    const keys = Array.from({ length: count }, (_, index) => `${prefix}${script.name}:${index}`)
    try {
      await run({ ...script, waitMs: 10_000 }, keys, Array(20).fill('1'))
      return 'ok'
    } catch (error) {
      return (error as SharedServerError).problem
    }
  }
  const scripts = await allScripts()
  t.ok(scripts.length > 10)
  for (const script of scripts) {
    t.match(await outcome(script), /^(ok|script)$/, script.name)
    t.equal(await outcome(script, '{other}:'), 'denied', `${script.name} with the keys of another deployment`)
  }
  t.strictSame(await readEvents('{hbff}:none', '0-0', 1), [])
  for (const command of ['KEYS *', 'MONITOR', 'CONFIG GET x', 'FLUSHALL', 'ACL LIST', 'GET {other}:x'])
    t.match(await ask('ACL', 'DRYRUN', 'hilos-bff', ...command.split(' ')), /no permissions/, command)
  t.equal(await ask('ACL', 'DRYRUN', 'hilos-bff', 'GET', '{hbff}:x'), 'OK')
})
