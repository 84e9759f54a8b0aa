import { hash } from 'node:crypto'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import type { CacheKeys } from '../../src/config/cache-keys.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import type { SharedTierConfig } from '../../src/config/shared-tier.ts'
import type { Finding, Level } from '../../src/doctor/findings.ts'
import { sharedTierFindings } from '../../src/doctor/shared-tier-findings.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'
import { createEvents } from '../../src/tier/events.ts'
import type { Script } from '../../src/tier/shared-server.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { freePort } from '../harness/free-port.ts'
import { type Answer, bulk, info, list, type Received, startRespStub } from '../harness/resp-stub.ts'
import { serverAt } from '../harness/valkey.ts'

const canary = 'canary-5d1e'
const keysOf = (byte: number, id = 1): CacheKeys => {
  const key = new Secret(Buffer.alloc(32, byte).toString('base64'))
  return { names: key, seal: [{ id, key }] }
}
const keys = keysOf(7)

/** The time of the server, and of this machine unless a test says otherwise. */
const now = 1_700_000_000_000
const time = (ms = now) => list(bulk(String(Math.floor(ms / 1000))), bulk(String((ms % 1000) * 1000 + 999)))

const well: Readonly<Record<string, Answer>> = {
  CONFIG: list(bulk('save'), bulk('')),
  EVALSHA: ':1\r\n',
  HGETALL: list(),
  INFO: info({ maxmemory: '268435456', maxmemory_policy: 'allkeys-lru', aof_enabled: '0', rdb_saves: '0' }),
  TIME: time(),
  UNLINK: ':8\r\n',
  XREAD: '*-1\r\n',
  XREVRANGE: list(),
}

type Settings = Partial<SharedTierConfig['server']> & Pick<Partial<SharedTierConfig>, 'expectedReplicas'>

/** The findings about a server, which never tell a secret, nor where the server is. The clock of this machine stands still. */
async function findingsAt(
  { host, port }: { readonly host: string; readonly port: number },
  { expectedReplicas = 3, ...server }: Settings = {},
  clock: Partial<typeof systemClock> = {},
): Promise<readonly Finding[]> {
  const tier: SharedTierConfig = {
    ...sharedTierLimits,
    connectMs: 10_000,
    server: serverAt(port, { hosts: [{ host, port }], username: canary, password: new Secret(canary), ...server }),
    keyPrefix: 'hbff',
    cacheKeys: keys,
    cacheKeyFile: null,
    cacheKeyText: new Secret(canary),
    expectedReplicas,
  }
  const findings = await sharedTierFindings(tier, { ...systemClock, now: () => now, elapsed: () => 0, ...clock })
  t.notMatch(JSON.stringify(findings), new RegExp(`${canary}|127\\.0\\.0\\.1|${port}|${keys.names.reveal()}`))
  return findings
}

async function findingsOf(t: Test, answers: Readonly<Record<string, Answer>>, ...given: [Settings?, object?]) {
  const stub = await startRespStub(t, { answers: { ...well, ...answers } })
  const findings = await findingsAt(stub.host, ...given)
  await stub.left()
  return { stub, findings }
}

const levelsOf = (findings: readonly Finding[]) => findings.map(({ level, subject }) => `${level} ${subject}`)

t.test('a server that is well has a line about each matter', async (t) => {
  const { stub, findings } = await findingsOf(t, {})
  t.strictSame(findings, [
    {
      level: 'ok',
      subject: 'REDIS_URL',
      message: 'The server of the shared tier accepts us without TLS: it is a primary, and is redis 7.0.15.',
    },
    { level: 'ok', subject: 'shared tier', message: 'The server may use 256 MiB, with the policy allkeys-lru.' },
    { level: 'ok', subject: 'shared tier', message: 'The server writes nothing to its disk.' },
    {
      level: 'ok',
      subject: 'shared tier',
      message: 'The user may do all that is needed: every script was run, on keys that were removed again.',
    },
    { level: 'ok', subject: 'shared tier', message: 'A reply of the server takes 0.0 ms, the median of 10.' },
    { level: 'ok', subject: 'shared tier', message: 'The clock of the server is that of this machine, to a second.' },
    { level: 'ok', subject: 'REPLICAS_EXPECTED', message: '0 replicas are attached, and at most 3 expected.' },
    {
      level: 'note',
      subject: 'CACHE_KEY_FILE',
      message: 'No replica has shared anything in the last hour, which would show its keys.',
    },
  ])
  t.equal(stub.named('TIME').length, 10)
  t.equal(String((await stub.nth('HGETALL')).args), '{hbff}:m')
  t.equal(String((await stub.nth('XREVRANGE')).args), `{hbff}:ev,+,${now - 3_600_000}-0,COUNT,1000`)
})

t.test('every script is run, on keys with a random name, and all of them are removed', async (t) => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const files = globSync('src/tier/*-scripts.ts', { cwd: root })
  const modules = await Promise.all(files.map((file) => import(join(root, file)) as Promise<object>))
  const scripts = modules
    .flatMap((module) => Object.values(module))
    .filter((value): value is Script => 'lua' in Object(value))
  const prefixes = new Set<string>()
  for (const _ of [1, 2]) {
    const { stub } = await findingsOf(t, {})
    const run = stub.named('EVALSHA')
    t.strictSame(
      new Set(run.map(({ args: [sha] }) => String(sha))),
      new Set(scripts.map(({ lua }) => hash('sha1', lua))),
    )
    const used = run.flatMap(({ args: [, count, ...rest] }) => rest.slice(0, Number(count)).map(String))
    t.strictSame(new Set((await stub.nth('UNLINK')).args.map(String)), new Set(used))
    const own = new Set(used.map((key) => key.replace(/(?<=:doctor-\w+:).*/, '')))
    t.equal(own.size, 1)
    for (const prefix of own) t.match(prefix, /^\{hbff\}:doctor-[0-9a-f]{18}:$/)
    for (const prefix of own) prefixes.add(prefix)
    t.match(String((await stub.nth('XREAD')).args), new RegExp(`,${[...own][0]}ev,0-0$`))
  }
  t.equal(prefixes.size, 2)
})

const nth = (number: number, answer: string, otherwise: string) => {
  let count = 0
  return () => {
    count += 1
    return count === number ? answer : otherwise
  }
}
const denied = "-NOPERM User x has no permissions to run the 'x' command\r\n"
const noScript = "-ERR The user executing the script can't run this command or subcommand script: 1\r\n"

t.test('the first script that is denied is named, and the rest is not looked at', async (t) => {
  const rows: readonly (readonly [Readonly<Record<string, Answer>>, RegExp])[] = [
    [{ EVALSHA: denied }, /^The user .* for report: give it the rule in docs\/runbook\.md\.$/],
    [{ EVALSHA: nth(4, noScript, ':1\r\n') }, /^The user .* for put: /],
    [{ EVALSHA: nth(4, noScript, ':1\r\n'), UNLINK: denied }, /^The user .* for put: /],
    [{ EVALSHA: nth(5, '-ERR unknown command\r\n', ':1\r\n') }, /^The server cannot run look: use Valkey 7\.2 /],
    [{ EVALSHA: nth(4, '-OOM x\r\n', noScript) }, /^The user .* for report: /],
    [{ XREAD: denied }, /^The user .* for XREAD: /],
    [{ UNLINK: denied }, /^The user .* for sweep: /],
  ]
  for (const [answers, message] of rows) {
    const { stub, findings } = await findingsOf(t, answers)
    t.equal(findings.length, 4)
    t.match(findings.at(-1), { level: 'fail', subject: 'shared tier', message })
    t.equal(stub.named('UNLINK').length, 1, 'what there may be is removed')
  }
})

t.test('a server that is full stops no script', async (t) => {
  const { findings } = await findingsOf(t, { EVALSHA: nth(4, '-OOM x\r\n', ':1\r\n') })
  t.equal(findings.length, 9)
  t.match(findings[3], { level: 'warn', subject: 'shared tier', message: /^The server is full, so nothing new/ })
  t.match(findings[4], { level: 'ok', message: /^The user may do all/ })
})

const hangUp = ({ socket }: Received) => {
  socket.destroy()
  return null
}

t.test('a server that does not take us has one line, which says what to do', async (t) => {
  const rows: readonly (readonly [Readonly<Record<string, Answer>>, RegExp])[] = [
    [{ AUTH: `-WRONGPASS ${canary}\r\n` }, /^The server does not accept the user and the password/],
    [{ AUTH: '-DENIED x\r\n' }, /^Nothing listens where REDIS_URL says, or it speaks to its own machine only/],
    [{ CLIENT: denied }, /^The user in REDIS_URL may not do all that is needed for the sign-in: /],
    [{ INFO: info({ role: 'slave' }) }, /^The server is a replica of another one/],
    [{ INFO: info({ redis_version: '6.2.14' }) }, /^The server is too old: use Valkey 7\.2 or Redis 7\.0, or later\.$/],
    [{ INFO: info({ run_id: undefined }) }, /^The server does something unexpected \(other\): check the database/],
    [{ INFO: hangUp }, /^The server closed the connection: check whether it is Valkey or Redis/],
  ]
  for (const [answers, message] of rows)
    t.match((await findingsOf(t, answers)).findings, [{ level: 'fail', subject: 'REDIS_URL', message }])

  const refused = await findingsAt({ host: '127.0.0.1', port: await freePort() })
  t.match(refused, [{ level: 'fail', subject: 'REDIS_URL', message: /^Nothing listens where REDIS_URL says/ }])
  const silent = await findingsOf(
    t,
    { INFO: null },
    {},
    { schedule: (run: () => void) => systemClock.schedule(run, 50) },
  )
  t.match(silent.findings, [{ level: 'fail', subject: 'REDIS_URL', message: /^The server does not answer in time/ }])
})

t.test('with TLS', async (t) => {
  const cert = throwawayCertificates.rightHost
  const stub = await startRespStub(t, { answers: well, tls: { key: throwawayKey, cert } })
  t.match((await findingsAt(stub.host, { tls: true, ca: cert }))[0], { level: 'ok', message: /accepts us with TLS:/ })
  const untrusted = await findingsAt(stub.host, { tls: true })
  t.match(untrusted, [
    { level: 'fail', subject: 'REDIS_URL', message: /no certificate that is trusted.*REDIS_CA_FILE/ },
  ])
})

t.test('what goes wrong later ends the lines with a failure', async (t) => {
  for (const [answers, count, message] of [
    [{ TIME: hangUp }, 5, /^The server closed the connection/],
    [{ HGETALL: denied }, 7, /^The user in REDIS_URL may not do all/],
    [{ XREVRANGE: ':1\r\n' }, 8, /^The server does something unexpected \(other\)/],
  ] as const) {
    const { findings } = await findingsOf(t, answers)
    t.equal(findings.length, count)
    t.match(findings.at(-1), { level: 'fail', subject: 'shared tier', message })
  }
})

/** The only finding that differs from those of a server that is well. */
async function differing(t: Test, answers: Readonly<Record<string, Answer>>, ...given: [Settings?, object?]) {
  const [usual, { findings }] = [await findingsOf(t, {}), await findingsOf(t, answers, ...given)]
  const messages = usual.findings.map(({ message }) => message)
  const others = findings.filter(({ message }) => !messages.includes(message))
  t.equal(others.length, 1)
  t.equal(findings.length, messages.length)
  return others[0]
}

t.test('how much memory the server may use, and what goes first', async (t) => {
  const rows: readonly (readonly [string | undefined, string | undefined, Level, RegExp])[] = [
    ['0', 'allkeys-lru', 'warn', /has no bound: set its maxmemory\.$/],
    [undefined, undefined, 'note', /does not tell how much memory/],
    ['268435456', 'volatile-lru', 'ok', /^The server may use 256 MiB, with the policy volatile-lru\.$/],
    ['1073741824', 'noeviction', 'warn', /^The server may use 1024 MiB.*: nothing new is shared when it is full/],
    ['268435456', undefined, 'warn', /the leases of loads may go first/],
    ...['volatile-ttl', 'allkeys-random', 'volatile-random', 'allkeys-lfu', 'volatile-lfu'].map(
      (policy) =>
        ['268435456', policy, 'warn', /the leases of loads may go first, so set .* to allkeys-lru\.$/] as const,
    ),
  ]
  for (const [maxmemory, maxmemory_policy, level, message] of rows) {
    const INFO = info({ maxmemory, maxmemory_policy, aof_enabled: '0', rdb_saves: '0' })
    t.match(await differing(t, { INFO }), { level, subject: 'shared tier', message })
  }
})

t.test('whether the server writes to its disk', async (t) => {
  const memory = { maxmemory: '268435456', maxmemory_policy: 'allkeys-lru' }
  const written = { level: 'warn', message: /^The server writes to its disk/ }
  const untold = { level: 'note', message: /^The server has not written to its disk yet; / }
  for (const [changes, CONFIG, expected] of [
    [{}, list(bulk('save'), bulk('3600 1')), written],
    [{ aof_enabled: '1' }, well.CONFIG, written],
    [{ rdb_saves: '1' }, well.CONFIG, written],
    [{ rdb_saves: '1' }, denied, written],
    [{}, denied, untold],
    [{}, '-ERR unknown command\r\n', untold],
  ] as const)
    t.match(await differing(t, { INFO: info({ ...memory, ...changes }), ...(CONFIG && { CONFIG }) }), expected)
  const { findings } = await findingsOf(t, { INFO: info(memory), CONFIG: list() })
  t.match(findings[2], { level: 'ok', message: 'The server writes nothing to its disk.' })
})

t.test('the median of ten replies', async (t) => {
  for (const [times, level, message] of [
    [[900, 900, 900, 900, 0.2, 0.4, 0, 0, 0, 0], 'ok', /takes 0\.3 ms/],
    [[25, 25, 25, 25, 25, 25, 25, 25, 25, 25], 'ok', /takes 25\.0 ms/],
    [[1, 1, 1, 1, 25, 27, 27, 27, 27, 27], 'warn', /takes 26\.0 ms.*: bring it nearer.*for 100 ms at most\.$/],
  ] as const) {
    let asked = 0
    let elapsed = 0
    const clock = {
      elapsed: () => {
        asked += 1
        if (asked % 2 === 0) elapsed += times[asked / 2 - 1] ?? 0
        return elapsed
      },
    }
    t.match(await differing(t, {}, {}, clock), { level, subject: 'shared tier', message })
  }
})

t.test('the clock of the server is told if it is more than a second off', async (t) => {
  for (const ms of [-1000, 0, 1000])
    t.strictSame(levelsOf((await findingsOf(t, { TIME: time(now + ms) })).findings)[5], 'ok shared tier')
  for (const [ms, message] of [
    [-1001, /is 1 s behind that of this machine/],
    [1001, /is 1 s ahead of that of this machine/],
    [90_000, /is 90 s ahead of/],
  ] as const)
    t.match(await differing(t, { TIME: time(now + ms) }), { level: 'note', subject: 'shared tier', message })
})

t.test('replicas that have reported in the last three seconds are attached', async (t) => {
  const members = (...agoMs: number[]) =>
    list(...agoMs.flatMap((ms, index) => [bulk(`replica-${index}`), bulk(String(now - ms))]))
  for (const [HGETALL, expectedReplicas, level, message] of [
    [members(0), 1, 'ok', /^1 replica is attached, and at most 1 expected\.$/],
    [members(0, 3000, 3001, 60_000), 2, 'ok', /^2 replicas are attached, and at most 2 expected\.$/],
    [members(0, 0, 0), 2, 'warn', /^3 replicas are attached, and at most 2 expected: raise it/],
  ] as const)
    t.match(await differing(t, { HGETALL }, { expectedReplicas }), { level, subject: 'REPLICAS_EXPECTED', message })
})

t.test('what each replica has shared last shows whether its keys are ours', async (t) => {
  const eventOf = (by: string, byte: number, keyId?: number) => {
    const envelope = createEnvelope(() => keysOf(byte, keyId))
    return createEvents(by, envelope, { unopened: () => {} }).encode({
      kind: 'landed',
      id: canary,

      revision: '',
    })
  }
  const without = (by: string) => ['kind', 'joined', 'by', by]
  const all = { level: 'ok', message: 'These keys open what replicas have shared in the last hour (1 in all).' }
  /** The newest event is the first. */
  const rows: readonly (readonly [readonly string[][], Partial<Record<keyof Finding, unknown>>])[] = [
    [[eventOf('a', 7)], all],
    [[without('a'), eventOf('a', 7), eventOf('a', 8)], all],
    [[eventOf('a', 8)], { level: 'fail', message: /^What 1 of 1 replicas shared last does not open/ }],
    [[eventOf('a', 7, 2)], { level: 'fail', message: /^What 1 of 1 / }],
    [
      [eventOf('a', 7), eventOf('b', 8), without('c'), eventOf('a', 8), eventOf('b', 7)],
      { level: 'fail', message: /^What 1 of 2 replicas shared last does not open.* the same file\.$/ },
    ],
  ]
  for (const [events, expected] of rows) {
    const XREVRANGE = list(...events.map((fields, index) => list(bulk(`9-${9 - index}`), list(...fields.map(bulk)))))
    t.match(await differing(t, { XREVRANGE }), { subject: 'CACHE_KEY_FILE', ...expected })
  }
  const joined = list(list(bulk('9-9'), list(...without('a').map(bulk))))
  const { findings } = await findingsOf(t, { XREVRANGE: joined })
  t.match(findings.at(-1), { level: 'note', message: /^No replica has shared anything/ })
})
