import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { createSandbox, type Sandbox } from '../../sandbox/hilos.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { type RunningProcess, startProcess } from './process.ts'

export const hilosToken = 'token-canary'
export const slowId = '00000000-0000-4000-8000-0000000051ee'

export interface ServiceProcess extends RunningProcess {
  readonly sandbox: Sandbox
  /** Of the callers' listener. */
  readonly origin: string
  /** Of the operators' listener; empty when that is off. */
  readonly operators: string
  /** Resolves when Hilos has had so many requests, one unless given. */
  readonly arrived: (count?: number) => Promise<void>
  /** Lets Hilos answer about the slow contact. */
  readonly release: () => void
}

/** A sandbox whose slow contact waits for `release`, until the test ends. */
export async function startSandbox(t: Test) {
  const sandbox = createSandbox({ token: hilosToken })
  const gate = Promise.withResolvers<void>()
  sandbox.documents.set(slowId, async () => {
    await gate.promise
    return executionContact(slowId)
  })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  return { sandbox, baseUrl, release: gate.resolve }
}

/** What a service in front of that sandbox is told; without an operators' listener. */
export function settingsFor(baseUrl: string): Record<string, string> {
  return {
    HILOS_TOKEN: hilosToken,
    HILOS_BASE_URL: baseUrl,
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    PORT: '0',
    ADMIN_PORT: '0',
  }
}

/** The service as a process of its own, in front of such a sandbox, once it serves. */
export async function startServiceProcess(
  t: Test,
  settings: Record<string, string> = {},
  nodeOptions: readonly string[] = [],
): Promise<ServiceProcess> {
  const { sandbox, baseUrl, release } = await startSandbox(t)
  const running = startProcess(t, 'src/main.ts', { ...settingsFor(baseUrl), ...settings }, nodeOptions)
  const origins = await originsOf(running)
  const arrived = async (count = 1) => {
    while (sandbox.requests.length < count) await sleep(5)
  }
  return { ...running, ...origins, sandbox, arrived, release }
}

/** Where a service listens, once it does. */
export async function originsOf({ says }: RunningProcess): Promise<{ origin: string; operators: string }> {
  const [, operators = '', origin = ''] = await says(/"operators":(?:null|"(.*?)"),"origin":"(.*?)","msg":"serving"/)
  return { origin, operators }
}
