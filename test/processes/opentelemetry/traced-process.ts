import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { documentIds } from '../../../sandbox/documents.ts'
import { createSandbox } from '../../../sandbox/hilos.ts'
import { createKey } from '../../../src/access/keys.ts'
import { startProcess } from '../../harness/process.ts'
import { callersJson } from '../../harness/service.ts'

const preload = fileURLToPath(new URL('../../../deploy/opentelemetry/register.ts', import.meta.url))
/** What makes a process trace itself. */
export const tracing = ['--import', preload]
export const token = 'token-canary-4b2f'
export const id = documentIds.deliveryConfirmation
export const path = `/execution-contacts/${id}`

export const traceId = '0af7651916cd43dd8448eb211c80319c'
export const parentSpanId = 'b7ad6b7169203331'
export const traceparent = `00-${traceId}-${parentSpanId}-01`
/** What a caller who is part of a trace sends along. */
export const traced = { traceparent, tracestate: 'vendor=state-canary', baggage: 'who=baggage-canary' }

/** The service as a process of its own in front of a sandbox, traced unless told otherwise. */
export async function startTraced(t: Test, settings: Record<string, string>, nodeOptions: readonly string[] = tracing) {
  const sandbox = createSandbox({ token })
  t.teardown(sandbox.close)
  const key = createKey()
  const callersFile = join(t.testdir(), 'callers.json')
  writeFileSync(callersFile, callersJson([{ name: 'support-web', profile: 'full' }], new Map([['support-web', key]])))
  const running = startProcess(
    t,
    'src/main.ts',
    {
      HILOS_TOKEN: token,
      HILOS_BASE_URL: await sandbox.listen(),
      HILOS_MAX_RPS: '0',
      CALLERS_FILE: callersFile,
      PORT: '0',
      ADMIN_PORT: '0',
      ...settings,
    },
    nodeOptions,
  )
  const [, origin = ''] = await running.says(/"origin":"(.*?)","msg":"serving"/)
  const authorization = `Bearer ${key}`
  return {
    ...running,
    origin,
    key,
    sandbox,
    get: async (target: string, headers: Record<string, string> = {}, signal: AbortSignal | null = null) => {
      const reply = await fetch(`${origin}${target}`, { headers: { authorization, ...headers }, signal })
      await reply.text()
      return reply.status
    },
    /** What Hilos got, names and values. */
    hilosGot: () => sandbox.requests.map(({ rawHeaders }) => rawHeaders.join()).join('\n'),
    /** Ends it, which sends what is left. @returns its exit status */
    stop: async () => {
      running.child.kill('SIGTERM')
      return await running.ended
    },
    lines: (): Record<string, unknown>[] =>
      running
        .stdout()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  }
}
