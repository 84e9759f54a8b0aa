import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { request } from 'undici'
import { createSandbox, type Sandbox } from '../../sandbox/hilos.ts'
import { createKey } from '../../src/access/keys.ts'
import { createService, type Service } from '../../src/app.ts'
import { systemClock } from '../../src/common/clock.ts'
import { loadConfig } from '../../src/config/config.ts'
import { logLimits } from '../../src/config/limits.ts'
import { readSettingsFiles } from '../../src/config/settings.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { newCacheKeys } from '../../src/setup/keygen.ts'
import { createLogOutput } from '../../src/telemetry/log-output.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { type ArrangedCaller, callersJson, contactRefKey, sandboxToken } from './service.ts'
import type { TestServer } from './valkey.ts'

/** One of several services that share a tier. Its clock is that of the machine, as is the clock of the server. */
export interface Replica {
  readonly service: Service
  readonly origin: string
  /** The origin of the operators' listener. */
  readonly operators: string
  readonly logLines: () => Record<string, unknown>[]
  /** Makes a request, and returns its status, body and headers. */
  readonly get: (path: string, headers?: Record<string, string>, method?: string) => Promise<ReplicaReply>
}

export interface ReplicaReply {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The value of `Cache-Status` without the name of the cache and the `ttl`. */
  readonly cache: string
}

export interface Replicas {
  readonly sandbox: Sandbox
  readonly replicas: readonly Replica[]
  /** Starts one more. */
  readonly add: () => Promise<Replica>
  /** The credential of a caller of the arrangement. */
  readonly as: (name: string) => { readonly authorization: string }
  /** How many calls Hilos has got. */
  readonly calls: () => number
}

export interface ReplicasOptions {
  readonly count?: number
  readonly env?: Readonly<Record<string, string>>
  readonly callers?: readonly ArrangedCaller[]
}

/** Starts several services on one server and one sandbox, until the test ends. Without limits, unless the settings set them. */
export async function startReplicas(t: Test, server: TestServer, options: ReplicasOptions = {}): Promise<Replicas> {
  const { count = 3, env = {}, callers } = options
  const keys = new Map(callers?.map(({ name }) => [name, createKey()]))
  const folder = t.testdir({ 'cache-keys.json': newCacheKeys() })
  const callersFile = join(folder, 'callers.json')
  if (callers) writeFileSync(callersFile, callersJson(callers, keys))
  const sandbox = createSandbox({ token: sandboxToken })
  const settings = {
    HILOS_TOKEN: sandboxToken,
    HILOS_BASE_URL: await sandbox.listen(),
    ...(callers ? { CALLERS_FILE: callersFile } : { DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }),
    CONTACT_REF_KEY: contactRefKey,
    HILOS_MAX_RPS: '0',
    CALLER_MAX_RPS: '0',
    REDIS_URL: `redis://127.0.0.1:${server.port}`,
    CACHE_KEY_FILE: join(folder, 'cache-keys.json'),
    REPLICAS_EXPECTED: String(count),
    ...env,
  }
  const started: Replica[] = []
  t.teardown(async () => {
    for (const { service } of started) await service.close()
    await sandbox.close()
  })

  async function add(): Promise<Replica> {
    const usual = loadConfig(settings, 0, await readSettingsFiles(settings))
    const config = {
      ...usual,
      callers: { host: '127.0.0.1', port: 0 },
      operators: { host: '127.0.0.1', port: 0, allowedHosts: [], deletionToken: null },
      access: { ...usual.access, notFoundStepMs: 50 },
      hilos: { ...usual.hilos, connectTimeoutMs: 30_000 },
      shedding: { ...usual.shedding, maxEventLoopDelayMs: 0 },
    }
    const lines: string[] = []
    const logger = createLogger('info', { write: (line) => void lines.push(line) })
    const logState = { ...createLogOutput(logLimits), isFull: () => false }
    const service = await createService(config, logger, systemClock, createLifecycle(), logState)
    const { origin, operators } = await service.listen()
    const get = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
      const listener = path.startsWith('/execution-contacts') ? origin : String(operators)
      const response = await request(`${listener}${path}`, { method: method as 'GET', headers })
      const cache = String(response.headers['cache-status']).replace(/^hilos-bff; |ttl=[-\d]+(; )?/g, '')
      return {
        status: response.statusCode,
        text: await response.body.text(),
        headers: response.headers,
        cache: cache.replace(/; $/, ''),
      }
    }
    const logLines = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    const replica = { service, origin, operators: String(operators), logLines, get }
    started.push(replica)
    return replica
  }

  for (let index = 0; index < count; index += 1) await add()
  const as = (name: string) => ({ authorization: `Bearer ${keys.get(name)}` })
  return { sandbox, replicas: started, add, as, calls: () => sandbox.requests.length }
}
