import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import type { Script } from '../../src/tier/shared-server.ts'
import { connectValkey, type Host, type ServerSettings, type Valkey } from '../../src/tier/valkey.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { needsServer, serverAt, startSentinels, startServer, startTlsServer } from '../harness/valkey.ts'

const get: Script = { name: 'get', lua: "return redis.call('GET', KEYS[1])", waitMs: 250 }
const set: Script = { name: 'set', lua: "#!lua\nredis.call('SET', KEYS[1], ARGV[1])", waitMs: 250 }
const tell: Script = {
  name: 'tell',
  lua: "#!lua flags=allow-oom\nredis.call('XADD', KEYS[1], '*', 'kind', ARGV[1])",
  waitMs: 250,
}
/** Connects until the test ends, by default with the patience that a busy machine needs. */
async function connect(t: Test, host: Host, settings: Partial<ServerSettings> = {}, connectMs = 5000): Promise<Valkey> {
  const server = serverAt(host.port, { hosts: [host], ...settings })
  const valkey = await connectValkey({ server, clock: systemClock, limits: { ...sharedTierLimits, connectMs } })
  t.teardown(valkey.close)
  return valkey
}

const on = ({ port }: { readonly port: number }): Host => ({ host: '127.0.0.1', port })
const closing = ({ onClose }: Valkey) => new Promise<void>(onClose)
const problem = (name: string) => ({ name: 'Error', message: `the shared tier: ${name}`, problem: name })

t.test('scripts run, and take and give any bytes', needsServer(), async (t) => {
  const server = await startServer(t)
  const valkey = await connect(t, on(server))
  t.match(valkey.kind, /^(redis|valkey) \d+\.\d+\.\d+$/)
  t.equal(valkey.runId, /run_id:(\w+)/.exec(String(await server.ask('INFO')))?.[1])
  t.match(await server.ask('CLIENT', 'LIST'), /name=hilos-bff.*name=hilos-bff/s)
  const bytes = Buffer.from([0, 255, 13, 10, 128])
  t.equal(await valkey.run(get, ['a'], []), null)
  await valkey.run(set, ['a'], [bytes])
  t.strictSame(await valkey.run(get, ['a'], []), bytes)

  await server.ask('SCRIPT', 'FLUSH')
  t.strictSame(await valkey.run(get, ['a'], []), bytes, 'a script that the server has lost is sent again')
  const types: Script = { name: 'types', lua: "return {1, false, 'a', {2.9, ARGV[1]}}", waitMs: 250 }
  t.strictSame(await valkey.run(types, [], ['é']), [1, null, Buffer.from('a'), [2, Buffer.from('é')]])
})

t.test('events are read in their order, and those that came meanwhile as well', needsServer(), async (t) => {
  const valkey = await connect(t, on(await startServer(t)))
  const waiting = valkey.readEvents('{t}:ev', '0', 10_000)
  await valkey.run(tell, ['{t}:ev'], ['first'])
  const [first] = await waiting
  t.same(first?.fields, new Map([['kind', 'first']]))
  for (const kind of ['second', 'third']) await valkey.run(tell, ['{t}:ev'], [kind])
  const later = await valkey.readEvents('{t}:ev', first?.id ?? '', 10_000)
  t.strictSame(
    later.map(({ fields }) => fields.get('kind')),
    ['second', 'third'],
  )
  t.strictSame(await valkey.readEvents('{t}:ev', later[1]?.id ?? '', 1), [])
})

t.test('a frozen server does not answer, and what it owes is done when it goes on', needsServer(), async (t) => {
  const server = await startServer(t)
  const valkey = await connect(t, on(server))
  server.stop()
  const waiting = valkey.readEvents('{t}:ev', '0', 10)
  await t.rejects(valkey.run(set, ['late'], ['done']), problem('timeout'))
  await t.rejects(waiting, problem('timeout'))
  await t.rejects(connect(t, on(server), {}, 100), problem('timeout'))
  server.go()
  t.strictSame(await valkey.run(get, ['late'], []), Buffer.from('done'))

  server.stop()
  const left = valkey.run(get, ['late'], [])
  valkey.close()
  await t.rejects(left, problem('closed'))
  await closing(valkey)
})

t.test('a server that dies closes the connections, and is another one when it is back', needsServer(), async (t) => {
  const server = await startServer(t)
  const before = await connect(t, on(server))
  await before.run(set, ['a'], ['b'])
  const waiting = before.readEvents('{t}:ev', '0', 10_000)
  const [closed] = await Promise.all([closing(before), t.rejects(waiting, problem('closed')), server.kill()])
  t.equal(closed, undefined)
  await t.rejects(before.run(get, ['a'], []), problem('closed'))
  await t.rejects(connect(t, on(server)), problem('refused'))
  await server.restart()
  const after = await connect(t, on(server))
  t.not(after.runId, before.runId)
  t.equal(await after.run(get, ['a'], []), null)
})

t.test('a connection that the server closes takes the other one with it', needsServer(), async (t) => {
  const server = await startServer(t)
  const valkey = await connect(t, on(server))
  const waiting = valkey.readEvents('{t}:ev', '0', 10_000)
  const ids = String(await server.ask('CLIENT', 'LIST')).match(/id=\d+(?=.*name=hilos-bff.*cmd=(?!xread))/g) ?? []
  t.equal(ids.length, 1)
  await server.ask('CLIENT', 'KILL', 'ID', ids[0]?.slice(3) ?? '')
  await Promise.all([closing(valkey), t.rejects(waiting, problem('closed'))])
})

t.test('a user has a password, and may do what the rules say', needsServer(), async (t) => {
  const rules = ['--user', 'default', 'off', '--user', 'bff', 'on', '>right', '~{t}:*', '+@all', '-get', '-eval']
  const server = await startServer(t, rules)
  const password = new Secret('right')
  await t.rejects(connect(t, on(server)), problem('auth'))
  await t.rejects(connect(t, on(server), { username: 'bff', password: new Secret('wrong') }), problem('auth'))
  await t.rejects(connect(t, on(server), { password }), problem('auth'))
  await t.rejects(connect(t, on(server), { username: 'bff', password, database: 99 }), problem('other'))
  const valkey = await connect(t, on(server), { username: 'bff', password, database: 3 })
  await t.rejects(valkey.run(get, ['{t}:a'], []), problem('denied'))
})

t.test('a script may use only the commands and the keys of its user', needsServer(), async (t) => {
  const own = ['+info', '+client|setname', '+eval', '+evalsha', '+xread']
  const rules = ['--user', 'default', 'off', '--user', 'bff', 'on', '>right', '~{t}:*', '-@all', ...own, '+set']
  const valkey = await connect(t, on(await startServer(t, rules)), { username: 'bff', password: new Secret('right') })
  await t.rejects(valkey.run(get, ['{t}:a'], []), problem('denied'))
  await t.rejects(valkey.run(set, ['other'], ['a']), problem('denied'))
  await valkey.run(set, ['{t}:a'], ['a'])
  t.strictSame(await valkey.readEvents('{t}:ev', '0', 1), [])
})

t.test(
  'a user that may not look at the server cannot connect, and a password is not for a server without',
  needsServer(),
  async (t) => {
    const withoutInfo = await startServer(t, ['--user', 'default', 'on', 'nopass', '~*', '+@all', '-info'])
    await t.rejects(connect(t, on(withoutInfo)), problem('denied'))
    // The user `default` without a password takes any.
    await t.resolves(connect(t, on(await startServer(t)), { password: new Secret('any') }))
  },
)

t.test('a full server refuses what would grow it, and does everything else', needsServer(), async (t) => {
  const server = await startServer(t)
  const valkey = await connect(t, on(server))
  await server.ask('CONFIG', 'SET', 'maxmemory', '1')
  await t.rejects(valkey.run(set, ['a'], ['b']), problem('full'))
  t.equal(await valkey.run(get, ['a'], []), null)
  await valkey.run(tell, ['{t}:ev'], ['allow-oom'])
})

t.test('a replica is not connected to, and one that has become one refuses writes', needsServer(), async (t) => {
  const primary = await startServer(t)
  const server = await startServer(t)
  const valkey = await connect(t, on(server))
  await server.ask('REPLICAOF', '127.0.0.1', primary.port)
  await t.rejects(valkey.run(set, ['a'], ['b']), problem('not-primary'))
  await t.rejects(connect(t, on(server)), problem('not-primary'))
})

t.test('a script that is wrong is an error of its own kind', needsServer(), async (t) => {
  const valkey = await connect(t, on(await startServer(t)))
  for (const lua of ['no lua', "return redis.call('NOSUCH')", "return redis.error_reply('OWN words')"])
    await t.rejects(valkey.run({ ...get, lua }, [], []), problem('script'), lua)
})

t.test('TLS checks the certificate', needsServer(), async (t) => {
  const ca = throwawayCertificates.rightHost
  const server = await startTlsServer(t, throwawayKey, ca)
  const valkey = await connect(t, on(server), { tls: true, ca })
  await valkey.run(set, ['a'], ['b'])
  await t.rejects(connect(t, on(server), { tls: true }), problem('tls'), 'not the one of a stranger')
  await t.rejects(connect(t, { ...on(server), host: 'localhost' }, { tls: true, ca }), problem('tls'), 'not of another')
})

t.test('sentinels tell where the primary is, and after a failover where the new one is', needsServer(), async (t) => {
  const { primary, replica, sentinel } = await startSentinels(t, 'cache')
  const sentinels = { sentinelName: 'cache' }
  await t.rejects(connect(t, on(sentinel), { sentinelName: 'other' }), problem('other'))
  const before = await connect(t, on(sentinel), sentinels)
  t.equal(before.runId, /run_id:(\w+)/.exec(String(await primary.ask('INFO')))?.[1])
  // It neither answers nor closes the connections.
  primary.stop()
  const reconnect = (): Promise<Valkey> => connect(t, on(sentinel), sentinels, 1000).catch(reconnect)
  const after = await reconnect()
  t.equal(after.runId, /run_id:(\w+)/.exec(String(await replica.ask('INFO')))?.[1])
  await after.run(set, ['a'], ['b'])
})
