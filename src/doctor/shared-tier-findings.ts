import { type Clock, systemClock } from '../common/clock.ts'
import type { SharedTierConfig } from '../config/shared-tier.ts'
import { createEnvelope } from '../tier/envelope.ts'
import { createEvents } from '../tier/events.ts'
import { absentMs } from '../tier/replica-scripts.ts'
import { askingMs } from '../tier/script-parts.ts'
import { problemOf, type Reply, type ServerProblem } from '../tier/shared-server.ts'
import { connectValkey, infoOf, rangeOf, type StreamEntry, type Valkey } from '../tier/valkey.ts'
import { type Finding, fail, note, ok, warn } from './findings.ts'
import { probeScripts } from './script-probes.ts'

const subject = 'shared tier'
const pings = 10
const largestSkewMs = 1000
const hourMs = 60 * 60_000
/** Of the last hour. */
const mostEvents = 1000

/** What the server of the shared tier is, and whether it does all that is needed. What replicas share is not changed. */
export async function sharedTierFindings(tier: SharedTierConfig, clock: Clock = systemClock): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    const valkey = await connectValkey({ server: tier.server, clock, limits: tier })
    try {
      for await (const finding of check(valkey, tier, clock)) findings.push(finding)
    } finally {
      valkey.close()
    }
  } catch (error) {
    // Whatever else it is may quote secrets.
    findings.push(fail(findings.length === 0 ? 'REDIS_URL' : subject, problemSentence(problemOf(error))))
  }
  return findings
}

async function* check(valkey: Valkey, tier: SharedTierConfig, clock: Clock): AsyncGenerator<Finding> {
  const key = (name: string) => `{${tier.keyPrefix}}:${name}`
  const way = tier.server.tls ? 'with TLS' : 'without TLS'
  yield ok('REDIS_URL', `The server of the shared tier accepts us ${way}: it is a primary, and is ${valkey.kind}.`)
  const info = infoOf(await valkey.ask('INFO'))
  yield memoryFinding(info)
  // Many a user may not ask this, and need not.
  yield diskFinding(info, await valkey.ask('CONFIG', 'GET', 'save').catch(() => null))

  const { failed, isFull } = await probeScripts(valkey, tier.keyPrefix, tier.connectMs)
  if (isFull) yield warn(subject, 'The server is full, so nothing new is shared: raise its maxmemory.')
  if (failed !== null) return yield fail(subject, problemSentence(failed.problem, failed.name))
  yield ok(subject, 'The user may do all that is needed: every script was run, on keys that were removed again.')

  const { medianMs, now } = await ping(valkey, clock)
  yield pingFinding(medianMs)
  yield clockFinding(now - clock.now())
  yield replicasFinding((await valkey.ask('HGETALL', key('m'))) as readonly Buffer[], now, tier.expectedReplicas)
  const range = [key('ev'), '+', `${now - hourMs}-0`, 'COUNT', mostEvents]
  yield keysFinding(rangeOf(await valkey.ask('XREVRANGE', ...range)), tier)
}

/** The median time of a reply, and what the clock of the server says now, both in milliseconds. */
async function ping({ ask }: Valkey, clock: Clock) {
  const times: number[] = []
  let now = 0
  for (let count = 0; count < pings; count += 1) {
    const askedAt = clock.elapsed()
    const [seconds, microseconds] = (await ask('TIME')) as readonly [Buffer, Buffer]
    times.push(clock.elapsed() - askedAt)
    now = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
  }
  const [lower = 0, upper = 0] = times.sort((one, other) => one - other).slice(pings / 2 - 1)
  return { medianMs: (lower + upper) / 2, now }
}

function pingFinding(medianMs: number): Finding {
  const sentence = `A reply of the server takes ${medianMs.toFixed(1)} ms, the median of ${pings}`
  return medianMs > askingMs / 4
    ? warn(
        subject,
        `${sentence}: bring it nearer, since each request to Hilos waits for it, for ${askingMs} ms at most.`,
      )
    : ok(subject, `${sentence}.`)
}

function memoryFinding(info: ReadonlyMap<string, string>): Finding {
  const [bytes, policy = ''] = [info.get('maxmemory'), info.get('maxmemory_policy')]
  if (bytes === undefined) return note(subject, 'The server does not tell how much memory it may use.')
  if (bytes === '0') return warn(subject, 'The memory of the server has no bound: set its maxmemory.')
  const sentence = `The server may use ${Math.round(Number(bytes) / 1024 ** 2)} MiB, with the policy ${policy}`
  const cure = 'set its maxmemory-policy to allkeys-lru'
  if (policy === 'noeviction') return warn(subject, `${sentence}: nothing new is shared when it is full, so ${cure}.`)
  return policy === 'allkeys-lru' || policy === 'volatile-lru'
    ? ok(subject, `${sentence}.`)
    : warn(subject, `${sentence}: when it is full, the leases of loads may go first, so ${cure}.`)
}

/** @param save the reply about the times of snapshots, null if it is refused */
function diskFinding(info: ReadonlyMap<string, string>, save: Reply): Finding {
  const points = save === null ? null : String((save as readonly Buffer[])[1] ?? '')
  if (info.get('aof_enabled') === '1' || Number(info.get('rdb_saves') ?? 0) > 0 || points)
    return warn(
      subject,
      'The server writes to its disk, where sealed personal data then lie: set its save to "" and appendonly to no.',
    )
  return points === null
    ? note(subject, 'The server has not written to its disk yet; whether it ever does, it does not tell this user.')
    : ok(subject, 'The server writes nothing to its disk.')
}

function clockFinding(aheadMs: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  return Math.abs(aheadMs) <= largestSkewMs
    ? ok(subject, 'The clock of the server is that of this machine, to a second.')
    : note(
        subject,
        `The clock of the server is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine.`,
      )
}

/** @param reports for each replica its name, and when it last reported */
function replicasFinding(reports: readonly Buffer[], now: number, expected: number): Finding {
  const present = reports.filter((time, index) => index % 2 === 1 && now - Number(time) <= absentMs).length
  const sentence = `${present} ${present === 1 ? 'replica is' : 'replicas are'} attached, and at most ${expected} expected`
  return present > expected
    ? warn('REPLICAS_EXPECTED', `${sentence}: raise it, or they call Hilos too often while the server is away.`)
    : ok('REPLICAS_EXPECTED', `${sentence}.`)
}

/** @param entries the events, the newest first. For each replica, its newest one with the id of a contact counts. */
function keysFinding(entries: readonly StreamEntry[], { cacheKeys }: SharedTierConfig): Finding {
  const last = new Map<string | undefined, StreamEntry>()
  for (const entry of entries.toReversed()) if (entry.fields.has('id')) last.set(entry.fields.get('by'), entry)
  const envelope = createEnvelope(() => cacheKeys)
  const { decode } = createEvents('', envelope, { unopened: () => {} })
  // That is what an event means whose contact is not known.
  const unopened = [...last.values()].filter((entry) => decode(entry)?.kind === 'cleared').length
  const keys = 'CACHE_KEY_FILE'
  if (last.size === 0) return note(keys, 'No replica has shared anything in the last hour, which would show its keys.')
  return unopened === 0
    ? ok(keys, `These keys open what replicas have shared in the last hour (${last.size} in all).`)
    : fail(
        keys,
        `What ${unopened} of ${last.size} replicas shared last does not open with these keys: give all replicas the same file.`,
      )
}

/** Says what to do. The words of the problem are the only ones that are known here. */
function problemSentence(problem: ServerProblem, what = 'the sign-in'): string {
  switch (problem) {
    case 'timeout':
      return 'The server does not answer in time: check that it runs and is not stuck, REDIS_URL, and the firewall or the network policy in between.'
    case 'refused':
      return 'Nothing listens where REDIS_URL says, or it speaks to its own machine only: correct the host or the port, start the server, or give it a password.'
    case 'closed':
      return 'The server closed the connection: check whether it is Valkey or Redis, and speaks TLS (rediss in REDIS_URL).'
    case 'tls':
      return 'The server has no certificate that is trusted, or does not speak TLS: name its authority in REDIS_CA_FILE, or correct the scheme or the host in REDIS_URL.'
    case 'auth':
      return 'The server does not accept the user and the password in REDIS_URL: correct them, or the users of the server.'
    case 'denied':
      return `The user in REDIS_URL may not do all that is needed for ${what}: give it the rule in docs/runbook.md.`
    case 'script':
      return `The server cannot run ${what}: use Valkey 7.2 or Redis 7.0, or later.`
    case 'too-old':
      return 'The server is too old: use Valkey 7.2 or Redis 7.0, or later.'
    case 'not-primary':
      return 'The server is a replica of another one, or is still loading: name the primary in REDIS_URL, or sentinels that know it.'
    default:
      return `The server does something unexpected (${problem}): check the database or the name of the primary in REDIS_URL, and that only one server answers there.`
  }
}
