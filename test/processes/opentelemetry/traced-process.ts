import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { documentIds } from '../../../sandbox/documents.ts'
import { createKey } from '../../../src/access/keys.ts'
import { encoded } from '../../harness/issuer.ts'
import type { ProcessOptions } from '../../harness/process.ts'
import { callersJson } from '../../harness/service.ts'
import { startServiceProcess } from '../../harness/service-process.ts'

/** The option of Node.js that enables tracing. */
export const tracing = [
  '--import',
  fileURLToPath(new URL('../../../deploy/opentelemetry/register.ts', import.meta.url)),
]
export const id = documentIds.deliveryConfirmation
export const path = `/execution-contacts/${id}`
export const parentSpanId = 'b7ad6b7169203331'

/** A new trace, and the headers of a caller that is part of it. */
export function createTrace() {
  const traceId = randomBytes(16).toString('hex')
  const traceparent = `00-${traceId}-${parentSpanId}-01`
  return { traceId, headers: { traceparent, tracestate: 'vendor=state-canary', baggage: 'who=baggage-canary' } }
}

/** An access token that has the right form and no valid signature. */
export const forgedToken = (claims: object, secret: string) =>
  [{ alg: 'RS256', kid: `kid-${secret}`, typ: 'at+jwt' }, { ...claims, exp: 4e9 }, `signature-${secret}`]
    .map(encoded)
    .join('.')

/** Starts the service as a process in front of a sandbox, with tracing and coverage by default. */
export async function startTraced(t: Test, settings: Record<string, string>, options: ProcessOptions = {}) {
  const key = createKey()
  const callersFile = join(t.testdir(), 'callers.json')
  writeFileSync(callersFile, callersJson([{ name: 'support-web', profile: 'full' }], new Map([['support-web', key]])))
  const callers = { DANGEROUSLY_ALLOW_ANONYMOUS: '', CALLERS_FILE: callersFile }
  const all = { ...callers, HILOS_MAX_RPS: '0', ...settings }
  const service = await startServiceProcess(t, all, { nodeOptions: tracing, isCovered: true, ...options })
  const { origin, sandbox, child, ended } = service
  return {
    ...service,
    key,
    get: async (target: string, headers: Record<string, string> = {}, signal: AbortSignal | null = null) => {
      const authorization = `Bearer ${key}`
      const reply = await fetch(`${origin}${target}`, { headers: { authorization, ...headers }, signal })
      await reply.text()
      return reply.status
    },
    /** The headers that Hilos received, names and values. */
    hilosReceived: () => sandbox.requests.map(({ rawHeaders }) => rawHeaders.join()).join('\n'),
    /** Ends the process, which exports the remaining spans. Returns the exit status. */
    stop: async () => {
      child.kill('SIGTERM')
      return await ended
    },
  }
}
