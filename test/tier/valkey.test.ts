import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import type { Script } from '../../src/tier/shared-server.ts'
import {
  connectValkey,
  type Host,
  type ServerSettings,
  type Valkey,
  type ValkeyOptions,
} from '../../src/tier/valkey.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { freePort } from '../harness/free-port.ts'
import { type Answer, bulk, info, list, type Received, startRespStub } from '../harness/resp-stub.ts'
import { createTimers, settled } from '../harness/timers.ts'
import { serverAt } from '../harness/valkey.ts'

const script: Script = { name: 'script', lua: 'return 1', waitMs: 100 }

/** Connects until the test ends. Timers are those of the machine, with time enough for a busy one, unless a clock is given. */
async function connect(
  t: Test,
  hosts: readonly Host[],
  settings: Partial<ServerSettings> = {},
  { clock = { ...systemClock, random: () => 0 }, limits }: Partial<ValkeyOptions> = {},
): Promise<Valkey> {
  const server = { ...serverAt(0), hosts, ...settings }
  const patient = { ...sharedTierLimits, connectMs: 10_000, sentinelMs: 10_000 }
  const valkey = await connectValkey({ server, clock, limits: limits ?? patient })
  t.teardown(valkey.close)
  return valkey
}

const problem = (name: string) => ({ name: 'Error', message: `the shared tier: ${name}`, problem: name })

/** Moves the clock until it has ended, in steps that let sockets be read. */
async function passing(timers: ReturnType<typeof createTimers>, ms: number): Promise<void> {
  await timers.advance(ms)
  for (let turn = 0; turn < 3; turn += 1) await settled()
}

/** A server that accepts connections and hands them over. */
async function startServer(t: Test, onConnection: (socket: Socket) => void): Promise<Host> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return { host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 }
}

t.test('two connections are opened to a server, and nothing is said that is not needed', async (t) => {
  const stub = await startRespStub(t)
  const valkey = await connect(t, [stub.host])
  t.match(valkey, { runId: 'run-1', kind: 'redis 7.0.15' })
  const said = (connection: number) =>
    ['AUTH', 'SELECT', 'CLIENT', 'INFO', 'HELLO'].flatMap((name) =>
      stub.named(name).flatMap((command) => (command.connection === connection ? [`${name} ${command.args}`] : [])),
    )
  for (const connection of [0, 1]) t.strictSame(said(connection), ['CLIENT SETNAME,hilos-bff', 'INFO '])
  t.equal(stub.sockets.length, 2)
})

t.test('the sign-in says who signs in, and which database is used', async (t) => {
  for (const [username, expected] of [
    ['hilos-bff', 'hilos-bff,right'],
    [null, 'default,right'],
  ] as const) {
    const stub = await startRespStub(t)
    await connect(t, [stub.host], { username, password: new Secret('right'), database: 3 })
    for (const nth of [1, 2]) t.equal(String((await stub.nth('AUTH', nth)).args), expected)
    t.equal(String((await stub.nth('SELECT', 2)).args), '3')
  }
})

t.test('the kind and the version of the server', async (t) => {
  for (const [changes, kind] of [
    [{ redis_version: '7.0.0' }, 'redis 7.0.0'],
    [{ redis_version: '8.2.1' }, 'redis 8.2.1'],
    [{ redis_version: '10.0.0' }, 'redis 10.0.0'],
    [{ redis_version: '7.2.4', valkey_version: '7.2.5', server_name: 'valkey' }, 'valkey 7.2.5'],
    [{ redis_version: '7.2.4', valkey_version: '9.0.0' }, 'valkey 9.0.0'],
  ] as const)
    t.equal((await connect(t, [(await startRespStub(t, { answers: { INFO: info(changes) } })).host])).kind, kind)
})

const hangUp = ({ socket }: Received) => {
  socket.destroy()
  return null
}

/** What a server answers at the sign-in, and the word for it. */
const refusals: Readonly<Record<string, readonly [Readonly<Record<string, Answer>>, string]>> = {
  'the password is wrong': [{ AUTH: '-WRONGPASS invalid username-password pair\r\n' }, 'auth'],
  'the server has no password': [{ AUTH: '-ERR AUTH <password> called without any password\r\n' }, 'auth'],
  'the server wants a password': [{ CLIENT: '-NOAUTH Authentication required.\r\n' }, 'auth'],
  'the server wants a password at the end': [{ INFO: '-NOAUTH Authentication required.\r\n' }, 'auth'],
  'the user may not look': [{ INFO: "-NOPERM User x has no permissions to run the 'info' command\r\n" }, 'denied'],
  'there is no such database': [{ SELECT: '-ERR DB index is out of range\r\n' }, 'other'],
  'there are too many clients': [{ AUTH: '-ERR max number of clients reached\r\n' }, 'other'],
  'the server speaks to its own machine only': [{ AUTH: '-DENIED Redis is running in protected mode\r\n' }, 'refused'],
  'the word stands alone': [{ AUTH: '-LOADING\r\n' }, 'not-primary'],
  'the server is a replica': [{ INFO: info({ role: 'slave' }) }, 'not-primary'],
  'the server is loading': [{ INFO: info({ loading: '1' }) }, 'not-primary'],
  'the server is old': [{ INFO: info({ redis_version: '6.2.14' }) }, 'too-old'],
  'the server does not say which run it is': [{ INFO: info({ run_id: undefined }) }, 'other'],
  'the server does not say its version': [{ INFO: info({ redis_version: undefined }) }, 'other'],
  'the connections lead to two servers': [{ INFO: ({ connection }) => info({ run_id: `run-${connection}` }) }, 'other'],
  'the server hangs up': [{ INFO: hangUp }, 'closed'],
  'the server speaks another protocol': [{ INFO: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, 'closed'],
}

for (const [what, [answers, word]] of Object.entries(refusals))
  t.test(`no connection is made when ${what}`, async (t) => {
    const stub = await startRespStub(t, { answers })
    const settings = { password: new Secret('right'), database: 3 }
    await t.rejects(connect(t, [stub.host], settings), problem(word))
    await stub.left()
  })

t.test('no connection is made where no server listens, and to a name that nothing has', async (t) => {
  await t.rejects(connect(t, [{ host: '127.0.0.1', port: await freePort() }]), problem('refused'))
  await t.rejects(connect(t, [{ host: '127.0.0.1', port: 70_000 }]), problem('other'))
  await t.rejects(connect(t, [{ host: 'nothing.invalid', port: 1 }]), problem('refused'))
})

t.test('all of connecting has one time limit', async (t) => {
  for (const silent of ['CLIENT', 'INFO']) {
    const stub = await startRespStub(t, { answers: { [silent]: null } })
    const timers = createTimers()
    const connecting = t.rejects(
      connect(t, [stub.host], {}, { clock: timers, limits: sharedTierLimits }),
      problem('timeout'),
    )
    await stub.nth(silent, 2)
    await passing(timers, sharedTierLimits.connectMs - 1)
    t.notOk(stub.sockets.some(({ readableEnded }) => readableEnded))
    await passing(timers, 1)
    await connecting
    await stub.left()
    t.strictSame(timers.armed(), [])
  }
})

t.test('a script is sent once, and again when the server has lost it', async (t) => {
  let knows = false
  const stub = await startRespStub(t, {
    answers: {
      EVALSHA: () => (knows ? ':2\r\n' : '-NOSCRIPT No matching script. Please use EVAL.\r\n'),
      EVAL: () => {
        knows = true
        return ':1\r\n'
      },
    },
  })
  const { run } = await connect(t, [stub.host])
  const bytes = Buffer.from([0, 255, 13, 10])
  t.equal(await run(script, ['k'], [bytes, 7, 'é']), 1)
  t.equal(await run(script, ['k'], [bytes, 7, 'é']), 2)
  const sent = [Buffer.from('1'), Buffer.from('k'), bytes, Buffer.from('7'), Buffer.from('é')]
  // The SHA-1 of the script, as `printf 'return 1' | sha1sum` gives it.
  t.strictSame((await stub.nth('EVALSHA')).args, [Buffer.from('e0e1f9fabfc9d4800c877a703b823ac0578ff8db'), ...sent])
  t.strictSame((await stub.nth('EVAL')).args, [Buffer.from('return 1'), ...sent])
  t.equal(stub.named('EVALSHA').length, 2)
  t.equal(stub.named('EVAL').length, 1)
  knows = false
  t.equal(await run(script, ['k'], []), 1)
})

t.test('replies are buffers, numbers, null and arrays', async (t) => {
  const EVALSHA = list(bulk('a'), '+OK\r\n', ':7\r\n', '$-1\r\n', list(bulk('é'), '*-1\r\n'))
  const { run } = await connect(t, [(await startRespStub(t, { answers: { EVALSHA } })).host])
  const expected = [Buffer.from('a'), Buffer.from('OK'), 7, null, [Buffer.from('é'), null]]
  t.strictSame(await run(script, [], []), expected)
})

t.test('an error of a script is a word', async (t) => {
  for (const [reply, word] of [
    ['ERR user_script:1: nonsense', 'script'],
    ['WRONGTYPE Operation against a key', 'script'],
    ['constructor of objects', 'script'],
    ['OOM command not allowed', 'full'],
    ['READONLY You can not write', 'not-primary'],
    ['LOADING Redis is loading', 'not-primary'],
    ['MASTERDOWN Link with MASTER is down', 'not-primary'],
    ['CLUSTERDOWN The cluster is down', 'not-primary'],
    ['NOPERM No permissions to access a key', 'denied'],
    ["ERR The user executing the script can't run this command or subcommand script: 1", 'denied'],
    ["ERR ACL failure in script: User x has no permissions to run the 'get' command", 'denied'],
    ['NOAUTH Authentication required.', 'auth'],
  ] as const) {
    const { run } = await connect(t, [(await startRespStub(t, { answers: { EVALSHA: `-${reply}\r\n` } })).host])
    await t.rejects(run(script, [], []), problem(word), reply)
  }
})

t.test('a script has the time that it says, and its reply is still owed after that', async (t) => {
  const stub = await startRespStub(t)
  const timers = createTimers()
  const limits = { ...sharedTierLimits, maxInFlight: 2 }
  const { run } = await connect(t, [stub.host], {}, { clock: timers, limits })
  let isOver = false
  const first = run(script, [], []).catch((error) => {
    isOver = true
    return error
  })
  const second = t.rejects(run({ ...script, waitMs: 200 }, [], []), problem('timeout'))
  await t.rejects(run(script, [], []), problem('busy'), 'one more is refused at once')
  await passing(timers, 99)
  t.notOk(isOver)
  await passing(timers, 1)
  t.match(await first, problem('timeout'))
  await passing(timers, 100)
  await second
  await t.rejects(run(script, [], []), problem('busy'))
  t.equal(stub.named('EVALSHA').length, 2)

  const { socket } = await stub.nth('EVALSHA', 2)
  socket.write('-ERR too late\r\n')
  const free = async (): Promise<unknown> => {
    await settled()
    const third = run(script, [], [])
    const refused = await Promise.race([third.catch(({ problem }) => problem), stub.nth('EVALSHA', 3)])
    if (refused === 'busy') return free()
    socket.write(':1\r\n:2\r\n')
    return third
  }
  t.equal(await free(), 2)
  t.strictSame(timers.armed(), [])
})

t.test('a reply that is there when the timer fires is in time', async (t) => {
  const stub = await startRespStub(t)
  let due: (() => void)[] = []
  const schedule = (run: () => void) => {
    due = [run]
    return () => {}
  }
  const { run } = await connect(t, [stub.host], {}, { clock: { schedule, random: () => 0 } })
  const reply = run(script, [], [])
  const { socket } = await stub.nth('EVALSHA')
  // As after a pause of this process: the reply has arrived, is not yet read, and the timer is due.
  socket.write(':1\r\n')
  for (const run of due) run()
  t.equal(await reply, 1)
})

t.test('events are read on the second connection', async (t) => {
  const event = list(bulk('5-0'), list(bulk('kind'), bulk('cleared'), bulk('é'), bulk('ü')))
  const replies = [
    list(list(bulk('ev'), list(event, list(bulk('6-0'), list()))), ''),
    '*-1\r\n',
    list(),
    ':1\r\n',
    '-OOM\r\n',
  ]
  const stub = await startRespStub(t, { answers: { XREAD: () => replies.shift() ?? null } })
  replies[0] = list(list(bulk('ev'), list(event, list(bulk('6-0'), list()))))
  const { readEvents } = await connect(t, [stub.host], {}, { limits: { ...sharedTierLimits, maxEvents: 7 } })
  t.strictSame(await readEvents('ev', '4-0', 1000), [
    {
      id: '5-0',
      fields: new Map([
        ['kind', 'cleared'],
        ['é', 'ü'],
      ]),
    },
    { id: '6-0', fields: new Map() },
  ])
  const { args, connection } = await stub.nth('XREAD')
  t.equal(String(args), 'COUNT,7,BLOCK,1000,STREAMS,ev,4-0')
  t.equal(connection, 1)
  t.strictSame(await readEvents('ev', '6-0', 1000), [], 'nothing has come')
  await t.rejects(readEvents('ev', '6-0', 1000), { name: 'Error', message: /^the shared tier: \w+$/ })
  await t.rejects(readEvents('ev', '6-0', 1000), { name: 'Error', message: /^the shared tier: \w+$/ })
  await t.rejects(readEvents('ev', '6-0', 1000), problem('full'))
})

t.test('a command may take as long as connecting', async (t) => {
  const answers = { TIME: list(bulk('1'), bulk('2')), CONFIG: "-NOPERM User x can't\r\n" }
  const stub = await startRespStub(t, { answers })
  const timers = createTimers()
  const { ask } = await connect(t, [stub.host], {}, { clock: timers, limits: { ...sharedTierLimits, connectMs: 700 } })
  t.strictSame(await ask('TIME'), [Buffer.from('1'), Buffer.from('2')])
  await t.rejects(ask('CONFIG', 'GET', 'save'), problem('denied'))
  t.match(await stub.nth('CONFIG'), { connection: 0, args: [Buffer.from('GET'), Buffer.from('save')] })
  let isOver = false
  const silent = ask('PING').catch((error) => {
    isOver = true
    return error
  })
  await stub.nth('PING')
  await passing(timers, 699)
  t.notOk(isOver)
  await passing(timers, 1)
  t.match(await silent, problem('timeout'))
  t.strictSame(timers.armed(), [])
})

t.test('a read of events is over half a second after its block', async (t) => {
  const stub = await startRespStub(t)
  const timers = createTimers()
  const { readEvents } = await connect(t, [stub.host], {}, { clock: timers })
  let isOver = false
  const read = readEvents('ev', '0', 1000).catch((error) => {
    isOver = true
    return error
  })
  await stub.nth('XREAD')
  await passing(timers, 1499)
  t.notOk(isOver)
  await passing(timers, 1)
  t.match(await read, problem('timeout'))
})

for (const connection of [0, 1])
  t.test(`when the server closes connection ${connection}, the other one is closed as well`, async (t) => {
    const stub = await startRespStub(t)
    const { run, readEvents, onClose } = await connect(t, [stub.host])
    let times = 0
    onClose(() => {
      times += 1
    })
    const waiting = [
      t.rejects(run(script, [], []), problem('closed')),
      t.rejects(readEvents('ev', '0', 1000), problem('closed')),
    ]
    await Promise.all([stub.nth('EVALSHA'), stub.nth('XREAD')])
    stub.sockets[connection]?.destroy()
    await Promise.all([new Promise<void>(onClose), ...waiting, stub.left()])
    await settled()
    t.equal(times, 1)
    await t.rejects(run(script, [], []), problem('closed'))
    await t.rejects(readEvents('ev', '0', 1000), problem('closed'))
    await new Promise<void>(onClose)
  })

t.test('a connection that is reset or speaks nonsense is closed', async (t) => {
  for (const end of [
    ({ socket }: Received) => socket.resetAndDestroy(),
    ({ socket }: Received) => socket.write('nonsense\r\n'),
    ({ socket }: Received) => socket.write(':1\r\n:2\r\n'),
  ]) {
    const stub = await startRespStub(t)
    const { run, onClose } = await connect(t, [stub.host])
    const reply = run(script, [], []).catch((error) => error)
    end(await stub.nth('EVALSHA'))
    await new Promise<void>(onClose)
    const value = await reply
    if (value !== 1) t.match(value, problem('closed'))
    await stub.left()
  }
})

t.test('closing drops everything, as often as it is done', async (t) => {
  const stub = await startRespStub(t)
  const timers = createTimers()
  const { run, readEvents, onClose, close } = await connect(t, [stub.host], {}, { clock: timers })
  const waiting = [
    t.rejects(run(script, [], []), problem('closed')),
    t.rejects(readEvents('ev', '0', 1000), problem('closed')),
  ]
  await Promise.all([stub.nth('EVALSHA'), stub.nth('XREAD')])
  close()
  close()
  await Promise.all([new Promise<void>(onClose), ...waiting, stub.left()])
  close()
  await t.rejects(run(script, [], []), problem('closed'))
  t.strictSame(timers.armed(), [])
})

t.test('what is dropped is not waited for, also by a server that hangs', async (t) => {
  const stub = await startRespStub(t, { staysOpen: true })
  const { onClose, close } = await connect(t, [stub.host])
  let isClosed = false
  onClose(() => {
    isClosed = true
  })
  close()
  // Timers run in the order in which they are due, so this is no limit for a busy machine.
  await sleep(1000)
  await settled()
  t.ok(isClosed)
})

t.test('the library is quiet, whatever DEBUG is', async (t) => {
  const debug = createRequire(import.meta.resolve('ioredis'))('debug')
  debug.enable('*')
  t.ok(debug.enabled('ioredis:redis'))
  await connect(t, [(await startRespStub(t)).host])
  t.notOk(debug.enabled('ioredis:redis'))
})

t.test('TLS accepts only a certificate that is trusted, valid, and of that host', async (t) => {
  const { rightHost, wrongHost, expired } = throwawayCertificates
  for (const [cert, ca, host, word] of [
    [rightHost, rightHost, '127.0.0.1', null],
    [rightHost, null, '127.0.0.1', 'tls'],
    [wrongHost, wrongHost, '127.0.0.1', 'tls'],
    [expired, expired, '127.0.0.1', 'tls'],
    [rightHost, rightHost, 'localhost', 'tls'],
    [rightHost, 'no certificate', '127.0.0.1', 'tls'],
  ] as const) {
    const stub = await startRespStub(t, { tls: { key: throwawayKey, cert } })
    const connecting = connect(t, [{ ...stub.host, host }], { tls: true, ca, password: new Secret('right') })
    if (word === null) await connecting
    else await t.rejects(connecting, problem(word))
    t.equal(stub.named('AUTH').length, word === null ? 2 : 0, 'the password goes to the right server only')
  }
})

t.test('TLS tells a server with several names which one is meant', async (t) => {
  const names: unknown[] = []
  const tls = { key: throwawayKey, cert: throwawayCertificates.rightHost }
  const stub = await startRespStub(t, {
    tls: {
      ...tls,
      SNICallback: (name: string, done: (error: null) => void) => {
        names.push(name)
        done(null)
      },
    } as typeof tls,
  })
  await t.rejects(connect(t, [{ ...stub.host, host: 'localhost' }], { tls: true }), problem('tls'))
  t.same(new Set(names), new Set(['localhost']))
})

t.test('a server without TLS is not spoken to with TLS', async (t) => {
  const host = await startServer(t, (socket) => socket.once('data', () => socket.write('-ERR unknown command\r\n')))
  await t.rejects(connect(t, [host], { tls: true }), problem('tls'))
})

const addressOf = ({ host, port }: Host) => list(bulk(host), bulk(String(port)))

t.test('sentinels are asked one after the other until one knows the primary', async (t) => {
  const primary = await startRespStub(t)
  const knows = await startRespStub(t, { answers: { SENTINEL: addressOf(primary.host) } })
  const other = await startRespStub(t, { answers: { SENTINEL: '*-1\r\n' } })
  const wants = await startRespStub(t, { answers: { SENTINEL: '-NOAUTH Authentication required.\r\n' } })
  const nowhere = { host: '127.0.0.1', port: await freePort() }
  const settings = { sentinelName: 'cache', password: new Secret('right') }
  t.equal((await connect(t, [nowhere, other.host, wants.host, knows.host, other.host], settings)).runId, 'run-1')
  t.strictSame((await knows.nth('SENTINEL')).args.map(String), ['GET-MASTER-ADDR-BY-NAME', 'cache'])
  for (const sentinel of [knows, other, wants]) {
    t.equal(sentinel.sockets.length, 1)
    t.equal(sentinel.named('AUTH').length, 0)
    await sentinel.left()
  }
  t.equal(primary.named('AUTH').length, 2)
  for (const [hosts, word] of [
    [[other.host], 'other'],
    [[other.host, nowhere], 'refused'],
    [[nowhere, wants.host], 'auth'],
  ] as const)
    await t.rejects(connect(t, hosts, settings), problem(word))
})

t.test('which sentinel is asked first is left to chance', async (t) => {
  const primary = await startRespStub(t)
  const answers = { SENTINEL: addressOf(primary.host) }
  const sentinels = [await startRespStub(t, { answers }), await startRespStub(t, { answers })]
  const hosts = sentinels.map(({ host }) => host)
  for (const random of [0.49, 0.5, 0.99])
    await connect(t, hosts, { sentinelName: 'cache' }, { clock: { ...systemClock, random: () => random } })
  t.strictSame(
    sentinels.map(({ sockets }) => sockets.length),
    [1, 2],
  )
})

t.test('a sentinel that hangs costs a part of the time', async (t) => {
  const primary = await startRespStub(t)
  const hangs = await startRespStub(t)
  const knows = await startRespStub(t, { answers: { SENTINEL: addressOf(primary.host) } })
  const timers = { ...createTimers(), random: () => 0 }
  const connecting = connect(
    t,
    [hangs.host, knows.host],
    { sentinelName: 'cache' },
    { clock: timers, limits: sharedTierLimits },
  )
  await hangs.nth('SENTINEL')
  await passing(timers, 249)
  t.equal(knows.sockets.length, 0)
  await passing(timers, 1)
  t.equal((await connecting).runId, 'run-1')
  await hangs.left()
})

t.test('nothing is begun after the time limit', async (t) => {
  const hangs = await startRespStub(t)
  const next = await startRespStub(t)
  const timers = { ...createTimers(), random: () => 0 }
  const limits = { ...sharedTierLimits, sentinelMs: 2000 }
  const connecting = t.rejects(
    connect(t, [hangs.host, next.host], { sentinelName: 'cache' }, { clock: timers, limits }),
    problem('timeout'),
  )
  await hangs.nth('SENTINEL')
  await passing(timers, 1000)
  await connecting
  await hangs.left()
  t.equal(next.sockets.length, 0)
  while (timers.armed().length > 0) await settled()
})

t.test('no error tells a secret, a name, a value or a host, and nothing is written to standard error', async (t) => {
  const canaries = [
    'user-canary',
    'password-canary',
    'key-canary',
    'value-canary',
    'lua-canary',
    'stream-canary',
    'host-canary',
  ]
  const written = [t.capture(console, 'error'), t.capture(console, 'warn'), t.capture(process.stderr, 'write')]
  const settings = { username: 'user-canary', password: new Secret('password-canary'), database: 3 }
  const errors: unknown[] = []
  const keep = (work: Promise<unknown>) =>
    work.then(
      () => t.fail('an error was expected'),
      (error) => errors.push(error),
    )
  /** A server repeats in its errors what it was told. */
  const echo =
    (word: string) =>
    ({ args }: Received) =>
      `-${word} ${args.join(' ').replaceAll(/\s/g, ' ')}\r\n`

  for (const name of ['AUTH', 'SELECT', 'CLIENT', 'INFO'])
    for (const word of ['ERR', 'NOAUTH', 'NOPERM', 'password-canary']) {
      const stub = await startRespStub(t, { answers: { [name]: echo(word) } })
      await keep(connect(t, [stub.host], settings))
      const hangsUp = await startRespStub(t, { answers: { [name]: hangUp } })
      await keep(connect(t, [hangsUp.host], settings))
    }
  await keep(connect(t, [{ host: 'host-canary.invalid', port: 1 }], settings))
  await keep(connect(t, [{ host: 'host-canary.invalid', port: 1 }], { ...settings, sentinelName: 'key-canary' }))
  const sentinel = await startRespStub(t, { answers: { SENTINEL: echo('ERR') } })
  await keep(connect(t, [sentinel.host], { ...settings, sentinelName: 'key-canary' }))
  await keep(connect(t, [{ host: 'host-canary.invalid', port: 1 }], { ...settings, tls: true, ca: 'value-canary' }))

  const lua: Script = { ...script, lua: 'lua-canary' }
  for (const answer of [echo('NOSCRIPT'), echo('ERR'), echo('OOM'), () => 'value-canary\r\n', () => null]) {
    const stub = await startRespStub(t, { answers: { EVALSHA: answer, EVAL: echo('ERR'), XREAD: answer } })
    const valkey = await connect(t, [stub.host], settings)
    await keep(valkey.run(lua, ['key-canary'], ['value-canary', Buffer.from('value-canary')]))
    const read = valkey.readEvents('stream-canary', '0', 1)
    await Promise.all([keep(read), stub.nth('XREAD').then(valkey.close, () => {})])
  }
  await settled()
  for (const error of errors) {
    const { stack = '', ...own } = error as Error
    const shown = inspect(error, { depth: 20, showHidden: true }) + stack + JSON.stringify(own)
    t.strictSame(
      canaries.filter((canary) => shown.includes(canary)),
      [],
    )
    t.equal((error as Error).cause, undefined)
  }
  for (const { calls } of written.map((capture) => ({ calls: capture() }))) t.strictSame(calls, [])
})
