import type { Server } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../src/common/clock.ts'
import { settingsFor, writeCallers } from '../subjects/service.ts'

/** The service of one build, in this process and without a listener. */
export interface MemoryService {
  readonly server: Server
  /** Lets time pass for the service. */
  readonly advance: (ms: number) => void
}

/** So large that the documents of a few rounds fit, and so small that documents are evicted before the first round counts. */
const cacheBytes = 8 * 1024 ** 2

/**
 * Puts the service together as `serve.ts` does, with its log discarded.
 * @param build the folder of the repository with `dist/`
 */
export async function createMemoryService(build: string, baseUrl: string, scratch: string): Promise<MemoryService> {
  const load = async <Module>(path: string): Promise<Module> =>
    await import(pathToFileURL(join(build, 'dist', path)).href)
  const { createService } = await load<typeof import('../../src/app.ts')>('app.js')
  const { systemClock } = await load<typeof import('../../src/common/clock.ts')>('common/clock.js')
  const { loadConfig } = await load<typeof import('../../src/config/config.ts')>('config/config.js')
  const { logLimits } = await load<typeof import('../../src/config/limits.ts')>('config/limits.js')
  const { readSettingsFiles } = await load<typeof import('../../src/config/settings.ts')>('config/settings.js')
  const { createLifecycle } = await load<typeof import('../../src/lifecycle/lifecycle.ts')>('lifecycle/lifecycle.js')
  const { createLogOutput } = await load<typeof import('../../src/telemetry/log-output.ts')>('telemetry/log-output.js')
  const { createLogger } = await load<typeof import('../../src/telemetry/logger.ts')>('telemetry/logger.js')

  const env = {
    ...settingsFor(baseUrl, 'bench-token', writeCallers(scratch)),
    CACHE_LIFETIME_SCALE: '1',
    CACHE_MAX_BYTES: String(cacheBytes),
  }
  const config = loadConfig(env, 0, await readSettingsFiles(env))
  const output = createLogOutput(logLimits, { write: (bytes) => bytes.length })
  const logger = createLogger(config.logLevel, output)
  const lifecycle = createLifecycle()
  let passedMs = 0
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + passedMs,
    elapsed: () => systemClock.elapsed() + passedMs,
  }
  const { callers } = await createService(config, logger, clock, lifecycle, output)
  lifecycle.serve()
  return {
    server: callers.server,
    advance: (ms) => {
      passedMs += ms
    },
  }
}
