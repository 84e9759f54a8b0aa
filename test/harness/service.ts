import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { request } from 'undici'
import { createSandbox, type Sandbox } from '../../sandbox/hilos.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import type { Profile } from '../../src/access/profile.ts'
import { createService, type Service } from '../../src/app.ts'
import type { Entry } from '../../src/cache/entry.ts'
import type { Store } from '../../src/cache/lru-store.ts'
import { type Config, loadConfig } from '../../src/config/config.ts'
import type { RememberedContact } from '../../src/contacts/stored-contact.ts'
import { createLifecycle, type Lifecycle } from '../../src/lifecycle/lifecycle.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createClock, type TestClock } from './clock.ts'

/** Of the form that Django REST Framework gives its keys. */
export const sandboxToken = 'c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c'
export const contactRefKey = 'sandbox contact ref key'

export interface RunningService {
  /** Origin of the callers' listener. */
  readonly origin: string
  readonly sandbox: Sandbox
  readonly hilosPort: number
  readonly service: Service
  readonly lifecycle: Lifecycle
  readonly clock: TestClock
  readonly store: Store<RememberedContact>
  /** Everything logged so far, at level trace. */
  readonly log: () => string
  /** The log as objects. */
  readonly logLines: () => Record<string, unknown>[]
  readonly get: (path: string, headers?: Record<string, string | string[]>, method?: string) => Promise<Reply>
  /** What a caller of the arrangement sends to be known. */
  readonly as: (name: string) => { readonly authorization: string }
  /** Where the callers' file is, when there are callers. */
  readonly callersFile: string
}

/** A caller, as the callers' file has them but for the key. */
export interface ArrangedCaller {
  readonly name: string
  readonly profile: Profile
  readonly flows?: readonly string[]
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body; tests look into it freely. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions are the check
  readonly json: () => any
}

export interface Arrangement {
  /** On top of what points the service at the sandbox. */
  readonly env?: Readonly<Record<string, string>>
  /** Who may call; anybody, unless given. */
  readonly callers?: readonly ArrangedCaller[]
  readonly clock?: TestClock
  /** Holds back what must not be told too soon; not at all, unless given. */
  readonly pause?: (ms: number) => Promise<unknown>
  /** Milliseconds of a clock that is never set back; the test's clock, unless given. */
  readonly elapsed?: () => number
  /** When requests are shed, on top of the usual. */
  readonly shedding?: Partial<Config['shedding']>
  /** Put into every text a fault answers with. */
  readonly faultText?: string
  /** The key the service has and the sandbox accepts. */
  readonly token?: string
}

/** The real service and the real sandbox, each on a free port of loopback, until the test ends. */
export async function startService(t: Test, arrangement: Arrangement = {}): Promise<RunningService> {
  const { env, callers, clock = createClock(), faultText = 'made-up trouble', token = sandboxToken } = arrangement
  const { pause = async () => {}, elapsed = clock.now, shedding } = arrangement
  const keys = new Map(callers?.map(({ name }) => [name, createKey()]))
  const callersFile = callers ? join(t.testdir(), 'callers.json') : ''
  if (callers) writeFileSync(callersFile, callersJson(callers, keys))
  const sandbox = createSandbox({ token, now: clock.now, faultText })
  const baseUrl = await sandbox.listen()
  const usual = loadConfig({
    HILOS_TOKEN: token,
    HILOS_BASE_URL: baseUrl,
    ...(callers ? { CALLERS_FILE: callersFile } : { DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }),
    CONTACT_REF_KEY: contactRefKey,
    LOG_LEVEL: 'trace',
    // The clock stands still unless a test moves it, and with it the governor's tokens.
    HILOS_MAX_RPS: '0',
    // Tests ask more often than people do; those of the limit set it.
    CALLER_MAX_RPS: '0',
    ...env,
  })
  const config = { ...usual, shedding: { ...usual.shedding, ...shedding } }
  const lines: string[] = []
  const logger = createLogger(config.logLevel, { write: (line) => void lines.push(line) })
  const lifecycle = createLifecycle()
  const seams = { now: clock.now, elapsed, random: () => 0.5, pause }
  const service = await createService(config, logger, seams, lifecycle)
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
      // Not fetch: that adds headers of its own, `Cache-Control: no-cache` among them where there is an If-None-Match.
      const response = await request(`${origin}${path}`, { method: method as 'GET', headers })
      const text = await response.body.text()
      const received = new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
      return { status: response.statusCode, headers: received, text, json: () => JSON.parse(text) }
    },
  }
}

/** The text of a callers' file. */
export function callersJson(callers: readonly ArrangedCaller[], keys: ReadonlyMap<string, string>): string {
  return JSON.stringify({
    callers: callers.map((caller) => ({ ...caller, keySha256: keyHash(keys.get(caller.name) ?? '') })),
  })
}

/** What is remembered, as text. */
export function textOf(entries: Iterable<readonly [string, Entry<RememberedContact>]>): string {
  return [...entries]
    .map(([key, { value, ...rest }]) => `${key} ${value?.packed} ${value?.flowId} ${JSON.stringify(rest)}`)
    .join('\n')
}

/** Waits for something that happens behind an answer, such as a refresh. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
