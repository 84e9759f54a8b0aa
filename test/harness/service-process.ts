import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { createSandbox, type Sandbox, type SandboxOptions } from '../../sandbox/hilos.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { type ProcessOptions, type RunningProcess, startProcess } from './process.ts'

export const hilosToken = 'token-canary'
export const slowId = '00000000-0000-4000-8000-0000000051ee'

export interface ServiceProcess extends RunningProcess {
  readonly sandbox: Sandbox
  /** The origin of the callers' listener. */
  readonly origin: string
  /** The origin of the operators' listener; empty when it is off. */
  readonly operators: string
  /** Resolves when Hilos has received this many requests; 1 by default. */
  readonly arrived: (count?: number) => Promise<void>
  /** Lets Hilos send the slow contact. */
  readonly release: () => void
}

/** Starts a sandbox that sends its slow contact only after `release`, until the test ends. */
export async function startSandbox(t: Test, options: Partial<SandboxOptions> = {}) {
  const sandbox = createSandbox({ token: hilosToken, ...options })
  const gate = Promise.withResolvers<void>()
  sandbox.documents.set(slowId, async () => {
    await gate.promise
    return executionContact(slowId)
  })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  return { sandbox, baseUrl, release: gate.resolve }
}

/** The settings of a service in front of that sandbox, without an operators' listener. */
export function settingsFor(baseUrl: string): Record<string, string> {
  return {
    HILOS_TOKEN: hilosToken,
    HILOS_BASE_URL: baseUrl,
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    PORT: '0',
    ADMIN_PORT: '0',
  }
}

/** Starts the service as a process in front of such a sandbox. Resolves when it serves. */
export async function startServiceProcess(
  t: Test,
  settings: Record<string, string> = {},
  options: ProcessOptions = {},
  sandboxOptions: Partial<SandboxOptions> = {},
): Promise<ServiceProcess> {
  const { sandbox, baseUrl, release } = await startSandbox(t, sandboxOptions)
  const running = startProcess(t, 'src/main.ts', { ...settingsFor(baseUrl), ...settings }, options)
  const origins = await originsOf(running)
  const arrived = async (count = 1) => {
    while (sandbox.requests.length < count) await sleep(5)
  }
  return { ...running, ...origins, sandbox, arrived, release }
}

/** The origins of both listeners. Resolves when the service serves. */
export async function originsOf({ says }: RunningProcess): Promise<{ origin: string; operators: string }> {
  const [, operators = '', origin = ''] = await says(/"operators":(?:null|"(.*?)"),"origin":"(.*?)","msg":"serving"/)
  return { origin, operators }
}
