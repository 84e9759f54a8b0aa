import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { request } from 'undici'
import { createSandbox, type Sandbox } from '../../sandbox/hilos.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import type { Profile } from '../../src/access/profile.ts'
import { createService, type Service } from '../../src/app.ts'
import type { Entry } from '../../src/cache/entry.ts'
import type { Store } from '../../src/cache/store.ts'
import { type Config, loadConfig } from '../../src/config/config.ts'
import { logLimits } from '../../src/config/limits.ts'
import { readSettingsFiles } from '../../src/config/settings.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import { createLifecycle, type Lifecycle } from '../../src/lifecycle/lifecycle.ts'
import { createLogOutput } from '../../src/telemetry/log-output.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createClock, type TestClock } from './clock.ts'

/** It has the form of the keys of Django REST Framework. */
export const sandboxToken = 'c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c'
export const contactRefKey = 'sandbox contact ref key'

export interface RunningService {
  /** The origin of the callers' listener. */
  readonly origin: string
  readonly sandbox: Sandbox
  readonly hilosPort: number
  readonly service: Service
  readonly lifecycle: Lifecycle
  readonly clock: TestClock
  readonly store: Store<StoredContact>
  /** Everything logged so far, at level trace. */
  readonly log: () => string
  /** The log as objects. */
  readonly logLines: () => Record<string, unknown>[]
  readonly get: (path: string, headers?: Record<string, string | string[]>, method?: string) => Promise<Reply>
  /** The credential of a caller of the arrangement. */
  readonly as: (name: string) => { readonly authorization: string }
  /** The path of the callers file; empty without callers. */
  readonly callersFile: string
}

/** An entry of the callers file, without its key. */
export interface ArrangedCaller {
  readonly name: string
  readonly profile: Profile
  readonly flows?: readonly string[]
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body, without a type. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions are the check
  readonly json: () => any
}

export interface Arrangement {
  /** Further settings. The base URL is that of the sandbox. */
  readonly env?: Readonly<Record<string, string>>
  /** The known callers. Without them, anonymous callers are allowed. */
  readonly callers?: readonly ArrangedCaller[]
  readonly clock?: TestClock
  /** The step of padded not-found responses; 1 ms by default. */
  readonly notFoundStepMs?: number
  /** Limits of the HTTP servers that differ from the defaults. */
  readonly limits?: Partial<Config['limits']>
  /** Limits of load shedding that differ from the defaults. */
  readonly shedding?: Partial<Config['shedding']>
  /** Limits of streams and held requests that differ from the defaults. */
  readonly streams?: Partial<Config['streams']>
  /** Whether the log can take no further record of a disclosure; by default it always can. */
  readonly isLogFull?: () => boolean
  /** A text that every fault of the sandbox includes. */
  readonly faultText?: string
  /** The token that the service sends and the sandbox accepts. */
  readonly token?: string
}

/** Starts the real service and the real sandbox, each on a free port of loopback, until the test ends. */
export async function startService(t: Test, arrangement: Arrangement = {}): Promise<RunningService> {
  const { env, callers, clock = createClock(), faultText = 'made-up trouble', token = sandboxToken } = arrangement
  const { notFoundStepMs = 1, limits, shedding, streams, isLogFull = () => false } = arrangement
  const keys = new Map(callers?.map(({ name }) => [name, createKey()]))
  const callersFile = callers ? join(t.testdir(), 'callers.json') : ''
  if (callers) writeFileSync(callersFile, callersJson(callers, keys))
  const sandbox = createSandbox({ token, now: clock.now, faultText })
  const baseUrl = await sandbox.listen()
  const settings = {
    HILOS_TOKEN: token,
    HILOS_BASE_URL: baseUrl,
    ...(callers ? { CALLERS_FILE: callersFile } : { DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }),
    CONTACT_REF_KEY: contactRefKey,
    LOG_LEVEL: 'trace',
    // The clock stands still unless a test moves it, so the rate limiter would never allow more calls.
    HILOS_MAX_RPS: '0',
    // Tests send more requests than people do. Tests of the limit set it.
    CALLER_MAX_RPS: '0',
    ...env,
  }
  const usual = loadConfig(settings, 0, await readSettingsFiles(settings))
  const config = {
    ...usual,
    access: { ...usual.access, notFoundStepMs },
    // However busy the machine is, a test sheds no request and has time to connect, unless it says otherwise.
    hilos: { ...usual.hilos, connectTimeoutMs: 30_000 },
    limits: { ...usual.limits, ...limits },
    shedding: { ...usual.shedding, maxEventLoopDelayMs: 0, ...shedding },
    streams: { ...usual.streams, ...streams },
  }
  const lines: string[] = []
  const logger = createLogger(config.logLevel, { write: (line) => void lines.push(line) })
  const lifecycle = createLifecycle()
  const logState = { ...createLogOutput(logLimits), isFull: isLogFull }
  const service = await createService(config, logger, clock, lifecycle, logState)
  const origin = await service.callers.listen({ host: '127.0.0.1', port: 0 })
  lifecycle.serve()
  t.teardown(async () => {
    await service.close()
    await sandbox.close()
  })

  return {
    origin,
    sandbox,
    hilosPort: Number(new URL(baseUrl).port),
    service,
    lifecycle,
    clock,
    store: service.store,
    as: (name) => ({ authorization: `Bearer ${keys.get(name)}` }),
    callersFile,
    log: () => lines.join(''),
    logLines: () => lines.map((line) => JSON.parse(line)),
    get: async (path, headers = {}, method = 'GET') => {
      // fetch would add headers, for example `Cache-Control: no-cache` to a request with If-None-Match.
      const response = await request(`${origin}${path}`, { method: method as 'GET', headers })
      const text = await response.body.text()
      const received = new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
      return { status: response.statusCode, headers: received, text, json: () => JSON.parse(text) }
    },
  }
}

/** The text of a callers file. */
export function callersJson(callers: readonly ArrangedCaller[], keys: ReadonlyMap<string, string>): string {
  return JSON.stringify({
    callers: callers.map((caller) => ({ ...caller, keySha256: keyHash(keys.get(caller.name) ?? '') })),
  })
}

/** The stored contacts as text. */
export function textOf(entries: Iterable<readonly [string, Entry<StoredContact>]>): string {
  return [...entries]
    .map(([key, { value, ...rest }]) => {
      const { content, ...facts } = value ?? {}
      return `${key} ${content?.serialized} ${JSON.stringify({ ...facts, ...rest })}`
    })
    .join('\n')
}

/** Waits for something that happens after a response, such as a refresh in the background. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
