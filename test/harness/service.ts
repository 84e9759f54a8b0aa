import type { Test } from 'tap'
import { createSandbox, type Sandbox } from '../../sandbox/hilos.ts'
import { createService, type Service } from '../../src/app.ts'
import type { Entry } from '../../src/cache/entry.ts'
import { createStore, type Store } from '../../src/cache/store.ts'
import { loadConfig } from '../../src/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createClock, type TestClock } from './clock.ts'

/** Of the form that Django REST Framework gives its keys. */
export const sandboxToken = 'c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c'
export const contactRefKey = 'sandbox contact ref key'

export interface RunningService {
  /** Origin of the callers' listener. */
  readonly origin: string
  readonly sandbox: Sandbox
  readonly service: Service
  readonly clock: TestClock
  readonly store: Store<Buffer>
  /** Everything logged so far, at level trace. */
  readonly log: () => string
  /** The log as objects. */
  readonly logLines: () => Record<string, unknown>[]
  readonly get: (path: string, headers?: Record<string, string>, method?: string) => Promise<Reply>
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
  readonly clock?: TestClock
  /** Put into every text a fault answers with. */
  readonly faultText?: string
  /** The key the service has and the sandbox accepts. */
  readonly token?: string
}

/** The real service and the real sandbox, each on a free port of loopback, until the test ends. */
export async function startService(
  t: Test,
  { env, clock = createClock(), faultText = 'made-up trouble', token = sandboxToken }: Arrangement = {},
): Promise<RunningService> {
  const sandbox = createSandbox({ token, now: clock.now, faultText })
  const config = loadConfig({
    HILOS_TOKEN: token,
    HILOS_BASE_URL: await sandbox.listen(),
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    CONTACT_REF_KEY: contactRefKey,
    LOG_LEVEL: 'trace',
    ...env,
  })
  const lines: string[] = []
  const logger = createLogger(config.logLevel, { write: (line) => void lines.push(line) })
  const store = createStore<Buffer>({ maxBytes: config.cache.documentsMaxBytes, now: clock.now })
  const service = await createService(config, logger, { now: clock.now, store })
  const origin = await service.callers.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await service.close()
    await sandbox.close()
  })

  return {
    origin,
    sandbox,
    service,
    clock,
    store,
    log: () => lines.join(''),
    logLines: () => lines.map((line) => JSON.parse(line)),
    get: async (path, headers = {}, method = 'GET') => {
      const response = await fetch(`${origin}${path}`, { method, headers, redirect: 'manual' })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
    },
  }
}

/** What is remembered, as text. */
export function textOf(entries: Iterable<readonly [string, Entry<Buffer>]>): string {
  return [...entries].map(([key, { value, ...rest }]) => `${key} ${value} ${JSON.stringify(rest)}`).join('\n')
}
