import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import { Redis } from 'ioredis'
import type { Clock } from '../common/clock.ts'
import type { SharedTierLimits } from '../config/limits.ts'
import type { SharedTierConfig } from '../config/shared-tier.ts'
import { type Argument, type Reply, type RunScript, type Script, SharedServerError } from './shared-server.ts'
import { firstWordOf, inOurWords } from './valkey-errors.ts'

/** Where the server is, and who signs in. */
export type ServerSettings = SharedTierConfig['server']
export type Host = ServerSettings['hosts'][number]

export interface ValkeyOptions {
  readonly server: ServerSettings
  readonly clock: Pick<Clock, 'schedule' | 'random'>
  readonly limits: Pick<SharedTierLimits, 'connectMs' | 'sentinelMs' | 'eventGraceMs' | 'maxInFlight' | 'maxEvents'>
}

/** An entry of a stream. */
export interface StreamEntry {
  readonly id: string
  readonly fields: ReadonlyMap<string, string>
}

/** Two connections to one server, which is a primary. They never come back once they are closed: connect anew. */
export interface Valkey {
  /** Changes when the server restarts, or another one takes over. */
  readonly runId: string
  /** Kind and version, for example `valkey 8.1.0`. */
  readonly kind: string
  /** A script whose reply is too late may still run. */
  readonly run: RunScript
  /**
   * Waits for entries on the second connection, where nothing else waits. Call it again only when it is over.
   * @param after the id of the last known entry
   * @param blockMs how long to wait for the first entry, at least 1
   * @returns the entries, the oldest first; none after `blockMs`
   * @throws SharedServerError
   */
  readonly readEvents: (stream: string, after: string, blockMs: number) => Promise<readonly StreamEntry[]>
  /**
   * Sends a command, and waits for its reply as long as connecting may take. Only the doctor needs it.
   * @throws SharedServerError
   */
  readonly ask: (command: string, ...args: (string | number)[]) => Promise<Reply>
  /** Called once when one of the connections is closed, by `close` too. At once if that has happened already. */
  readonly onClose: (hear: () => void) => void
  /** Drops both connections without waiting. What waits for a reply is `closed`. */
  readonly close: () => void
}

/** With `DEBUG` in its environment, the library would write each command to standard error, with the password and the values. */
const { disable: keepQuiet }: { disable: () => void } = createRequire(import.meta.resolve('ioredis'))('debug')

/** One connection. */
interface Line {
  readonly open: () => Promise<void>
  /**
   * Sends a command at once. There is no limit to how long its reply may take.
   * @throws an error of the library, which holds the arguments: it goes no further than to `inOurWords`
   */
  readonly send: (command: string, ...args: Argument[]) => Promise<Reply>
  readonly closed: Promise<void>
  readonly drop: () => void
}

/**
 * Connects to the server, within a time limit for the whole.
 * @throws SharedServerError
 */
export async function connectValkey({ server, clock, limits }: ValkeyOptions): Promise<Valkey> {
  keepQuiet()
  const lines: Line[] = []
  let isOver = false
  const lineTo = (host: Host): Line => {
    if (isOver) throw new SharedServerError('closed')
    const line = createLine(host, server)
    lines.push(line)
    return line
  }
  const dropAll = () => {
    isOver = true
    for (const line of lines) line.drop()
  }

  async function connect(): Promise<Valkey> {
    const primary = await findPrimary(server, lineTo, clock, limits)
    const [commands, events] = [lineTo(primary), lineTo(primary)]
    const [{ runId, kind }, other] = await Promise.all([signIn(commands, server), signIn(events, server)])
    // A name may stand for several servers.
    if (runId !== other.runId) throw new SharedServerError('other')
    const closed = Promise.race([commands.closed, events.closed]).then(dropAll)
    return {
      runId,
      kind,
      run: createRun(commands, clock, limits),
      readEvents: (stream, after, blockMs) => {
        const asked = ['COUNT', limits.maxEvents, 'BLOCK', blockMs, 'STREAMS', stream, after]
        const entries = inOurWords(events.send('XREAD', ...asked).then(entriesOf))
        return within(entries, blockMs + limits.eventGraceMs, clock)
      },
      ask: (command, ...args) => within(inOurWords(commands.send(command, ...args)), limits.connectMs, clock),
      onClose: (hear) => void closed.then(hear),
      close: dropAll,
    }
  }

  try {
    return await within(inOurWords(connect()), limits.connectMs, clock)
  } catch (error) {
    dropAll()
    throw error
  }
}

/** Where the primary is. The first sentinel is a random one: one that is behind, or hangs, does not stand in the way for ever. */
async function findPrimary(
  { hosts, sentinelName }: ServerSettings,
  lineTo: (host: Host) => Line,
  clock: ValkeyOptions['clock'],
  { sentinelMs }: ValkeyOptions['limits'],
): Promise<Host> {
  const first = Math.floor(clock.random() * hosts.length)
  let failure: unknown
  for (const host of [...hosts.slice(first), ...hosts.slice(0, first)]) {
    if (sentinelName === null) return host
    const sentinel = lineTo(host)
    try {
      const asked = sentinel.open().then(() => sentinel.send('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', sentinelName))
      const address = (await within(asked, sentinelMs, clock)) as readonly [Buffer, Buffer] | null
      // A sentinel that does not know the name says so with null.
      if (address !== null) return { host: String(address[0]), port: Number(address[1]) }
    } catch (error) {
      failure = error
    } finally {
      sentinel.drop()
    }
  }
  throw failure ?? new SharedServerError('other')
}

/** Opens a connection and finds out whether the server will do. */
async function signIn(line: Line, { username, password, database }: ServerSettings) {
  await line.open()
  if (password !== null) await line.send('AUTH', username ?? 'default', password.reveal())
  if (database !== 0) await line.send('SELECT', database)
  await line.send('CLIENT', 'SETNAME', 'hilos-bff')
  const info = infoOf(await line.send('INFO'))
  const [runId, redis, valkey] = [info.get('run_id'), info.get('redis_version'), info.get('valkey_version')]
  if (runId === undefined || redis === undefined) throw new SharedServerError('other')
  if (info.get('role') !== 'master' || info.get('loading') !== '0') throw new SharedServerError('not-primary')
  // Valkey has no version below 7.2, and says that it is compatible with Redis 7.2.
  if (Number.parseInt(redis, 10) < 7) throw new SharedServerError('too-old')
  return { runId, kind: valkey === undefined ? `redis ${redis}` : `valkey ${valkey}` }
}

/** The reply of INFO. */
export function infoOf(reply: Reply): ReadonlyMap<string, string> {
  const lines = String(reply).split('\r\n')
  return new Map(lines.map((text) => text.split(':', 2) as [string, string]))
}

/** Runs scripts by their hashes, and sends the script itself where the server does not know it. */
function createRun({ send }: Line, clock: ValkeyOptions['clock'], { maxInFlight }: ValkeyOptions['limits']): RunScript {
  const hashes = new WeakMap<Script, string>()
  let inFlight = 0

  async function evaluate(script: Script, args: readonly Argument[]): Promise<Reply> {
    const sha = hashes.get(script) ?? hash('sha1', script.lua)
    hashes.set(script, sha)
    try {
      return await send('EVALSHA', sha, ...args)
    } catch (error) {
      if (firstWordOf(error) !== 'NOSCRIPT') throw error
      return send('EVAL', script.lua, ...args)
    }
  }

  return async (script, keys, args) => {
    // What is too late stays in flight: the server owes its reply, and the library keeps its arguments.
    if (inFlight >= maxInFlight) throw new SharedServerError('busy')
    inFlight += 1
    const reply = evaluate(script, [keys.length, ...keys, ...args]).finally(() => {
      inFlight -= 1
    })
    return within(inOurWords(reply, 'script'), script.waitMs, clock)
  }
}

/** Only the socket and the protocol are left to the library. Errors of a sign-in it would write to standard error, or ignore. */
function createLine({ host, port }: Host, { tls, ca }: ServerSettings): Line {
  const servername = isIP(host) === 0 && { servername: host }
  const client = new Redis({
    host,
    port,
    ...(tls && { tls: { rejectUnauthorized: true, ...servername, ...(ca !== null && { ca }) } }),
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    disableClientInfo: true,
    retryStrategy: null,
    // What is dropped is not waited for.
    disconnectTimeout: 0,
    keepAlive: 5000,
  })
  const closed = Promise.withResolvers<void>()
  client.once('end', closed.resolve)
  // Without a listener, the library writes errors to standard error. The first one says more than that of `connect`. After a
  // reply that belongs to no command, it would go on with replies in the wrong order.
  let cause: unknown
  client.on('error', (error) => {
    cause ??= error
    client.disconnect()
  })
  return {
    open: () =>
      client.connect().catch((error) => {
        throw cause ?? error
      }),
    send: (command, ...args) => client.callBuffer(command, ...args) as Promise<Reply>,
    closed: closed.promise,
    drop: () => client.disconnect(),
  }
}

/** The reply of XREAD for one stream. */
function entriesOf(reply: Reply): StreamEntry[] {
  if (reply === null) return []
  const [[, entries]] = reply as [[Buffer, Reply]]
  return rangeOf(entries)
}

/** The reply of XRANGE and XREVRANGE. */
export function rangeOf(reply: Reply): StreamEntry[] {
  return (reply as [Buffer, Buffer[]][]).map(([id, texts]) => {
    const fields = new Map<string, string>()
    for (let index = 0; index < texts.length; index += 2) fields.set(String(texts[index]), String(texts[index + 1]))
    return { id: String(id), fields }
  })
}

/**
 * Rejects with `timeout` after `ms`. Timers run before sockets are read, so after a pause of this process all are due although
 * the replies are there: two turns of the event loop give them the time to be read.
 */
function within<T>(work: Promise<T>, ms: number, clock: ValkeyOptions['clock']): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new SharedServerError('timeout'))
    const cancel = clock.schedule(() => setImmediate(() => setImmediate(end)), ms)
    work.finally(cancel).then(resolve, reject)
  })
}
