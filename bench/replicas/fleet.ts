import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { freePort, type RunningProgram, startProgram } from '../processes.ts'
import type { Bench } from '../section.ts'
import { settingsFor } from '../subjects/service.ts'
import { untilAnswered } from '../until-answered.ts'
import { monotonicMs } from './monotonic.ts'
import type { StampingHilos } from './stamping-hilos.ts'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const attachedWithinMs = 10_000

/** As many callers as there are rounds, because each may wish for a reload only now and then. */
const callerKeys = Array.from({ length: 64 }, createKey)

/** The headers of a caller that may see everything, by its number. */
export function headersOf(caller: number): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${callerKeys[caller % callerKeys.length]}` }
}

/** What `/readyz` of a replica says. */
export interface Readiness {
  readonly atMs: number
  /** 0 if there is no response. */
  readonly status: number
  /** Whether the shared tier is attached; null without one. */
  readonly isAttached: boolean | null
  readonly replicas: number | null
}

export interface Replica {
  readonly pid: number
  /** From its start to its first response. */
  readonly startedInMs: number
  /** The pages of contacts. */
  readonly urlOf: (id: string) => string
  readonly origin: string
  readonly readiness: () => Promise<Readiness>
  readonly metrics: () => Promise<string>
  /** Deletes a contact from the cache, or all for null. Returns the status. */
  readonly purge: (id: string | null) => Promise<number>
  readonly log: () => string
  readonly signal: (name: NodeJS.Signals) => void
  readonly stop: () => Promise<void>
}

/** Three replicas of the service. */
export interface Fleet {
  readonly replicas: readonly Replica[]
  /** Starts a replica again that was killed. */
  readonly restart: (index: number) => Promise<void>
  /** Resolves when all are attached to the shared tier, if they have one. */
  readonly untilAttached: () => Promise<void>
  readonly stop: () => Promise<void>
}

export interface FleetOptions {
  readonly hilos: StampingHilos
  /** The URL of the shared tier; null if each replica is for itself. */
  readonly redisUrl: string | null
  /** Settings in addition; none by default. */
  readonly env?: Readonly<Record<string, string>>
  /** Callers in addition, as in the file of callers; none by default. */
  readonly callers?: readonly object[]
  /** Whether the tier is there at the start; true by default. */
  readonly isAwaited?: boolean
}

export const fleetSize = 3

export async function startFleet(bench: Bench, options: FleetOptions): Promise<Fleet> {
  const { hilos, redisUrl, env = {}, callers = [], isAwaited = true } = options
  const folder = mkdtempSync(join(bench.scratch, 'fleet-'))
  const callersFile = join(folder, 'callers.json')
  const entries = callerKeys.map((key, index) => ({ name: `bench-${index}`, keySha256: keyHash(key), profile: 'full' }))
  writeFileSync(callersFile, JSON.stringify({ callers: [...entries, ...callers] }), { mode: 0o600 })
  const settings = {
    ...settingsFor(hilos.baseUrl, hilos.token, callersFile),
    ...(redisUrl !== null && sharedTierSettings(folder, redisUrl)),
    ...env,
  }
  const start = async (index: number) => {
    const startOnce = () => startReplica(bench, settings, join(folder, `log-${index}`))
    // A port that was free a moment ago can be taken, and a busy machine can take too long.
    return startOnce().catch(startOnce)
  }
  const replicas: Replica[] = []
  const fleet: Fleet = {
    replicas,
    restart: async (index) => {
      await replicas[index]?.stop()
      replicas[index] = await start(index)
    },
    untilAttached: () => (redisUrl === null ? Promise.resolve() : untilAttached(replicas)),
    stop: async () => {
      await Promise.all(replicas.map((replica) => replica.stop()))
    },
  }
  try {
    for (let index = 0; index < fleetSize; index += 1) replicas.push(await start(index))
    if (isAwaited) await fleet.untilAttached()
  } catch (error) {
    await fleet.stop()
    throw error
  }
  return fleet
}

function sharedTierSettings(folder: string, redisUrl: string): Record<string, string> {
  const cacheKeyFile = join(folder, 'cache-keys.json')
  const key = () => randomBytes(32).toString('base64')
  writeFileSync(cacheKeyFile, JSON.stringify({ names: key(), seal: [{ id: 1, key: key() }] }), { mode: 0o600 })
  return { REDIS_URL: redisUrl, CACHE_KEY_FILE: cacheKeyFile, REPLICAS_EXPECTED: String(fleetSize) }
}

async function startReplica({ cores }: Bench, settings: Record<string, string>, logPath: string): Promise<Replica> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const stdout = openSync(logPath, 'a')
  const running: RunningProgram = startProgram({
    command: process.execPath,
    args: ['--report-exclude-env', '--disable-sigusr1', main],
    core: cores.server,
    env: { ...settings, PORT: String(port), ADMIN_PORT: String(adminPort) },
    stdout,
  })
  closeSync(stdout)
  const origin = `http://127.0.0.1:${port}`
  const admin = `http://127.0.0.1:${adminPort}`
  const log = () => readFileSync(logPath, 'utf8')
  const startedInMs = await untilAnswered(origin, running).catch(async (error: Error) => {
    await running.stop()
    throw new Error(`${error.message}${log().slice(-1000)}`)
  })
  return {
    pid: running.pid,
    startedInMs,
    origin,
    urlOf: (id) => `${origin}/execution-contacts/${id}`,
    readiness: () => readinessOf(admin),
    metrics: async () => (await fetch(`${admin}/metrics`)).text(),
    purge: async (id) => {
      const response = await fetch(`${admin}/cache${id === null ? '' : `/execution-contacts/${id}`}`, {
        method: 'DELETE',
      })
      await response.arrayBuffer()
      return response.status
    },
    log,
    signal: (name) => void process.kill(running.pid, name),
    stop: running.stop,
  }
}

async function readinessOf(admin: string): Promise<Readiness> {
  try {
    const response = await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(2000) })
    const { parts } = (await response.json()) as { parts: { sharedTier?: { ok: boolean; replicas: number } | null } }
    const { ok = null, replicas = null } = parts.sharedTier ?? {}
    return { atMs: monotonicMs(), status: response.status, isAttached: ok, replicas }
  } catch {
    return { atMs: monotonicMs(), status: 0, isAttached: null, replicas: null }
  }
}

async function untilAttached(replicas: readonly Replica[]): Promise<void> {
  const endsMs = monotonicMs() + attachedWithinMs
  for (;;) {
    const states = await Promise.all(replicas.map(({ readiness }) => readiness()))
    if (states.every(({ isAttached, replicas: seen }) => isAttached === true && seen === fleetSize)) return
    if (states.every(({ status, isAttached }) => status !== 0 && isAttached === null))
      throw new Error('this build knows no shared tier')
    if (monotonicMs() > endsMs) throw new Error(`not attached within ${attachedWithinMs} ms: ${JSON.stringify(states)}`)
    await sleep(50)
  }
}
