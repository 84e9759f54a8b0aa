import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keyHash } from '../../src/access/keys.ts'
import { freePort, type RunningProgram, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'
import { callerKey, type Subject, type SubjectContext, type SubjectKind } from './subject.ts'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const tracing = fileURLToPath(new URL('../../deploy/opentelemetry/register.ts', import.meta.url))

/** The flags of the image. */
const shippedFlags = ['--report-exclude-env', '--disable-sigusr1']

export interface ServiceOptions {
  readonly name: string
  /** The target of the log: a pipe that another process reads, as in a container, a file, or none. */
  readonly log: 'pipe' | 'file' | 'silent'
  /** Settings in addition to `settingsFor`, or instead of them; none by default. */
  readonly env?: Readonly<Record<string, string>>
  /** Whether it sends spans to the fake Hilos, which discards them; false by default. */
  readonly traced?: boolean
  /** Additional flags for node; none by default. */
  readonly flags?: readonly string[]
  /** Whether it has a probe that exchanges messages with the bench; false by default. */
  readonly messages?: boolean
}

/** Our service as shipped: compiled, in production mode, with a log of all requests. */
export const service: SubjectKind = serviceWith({ name: 'hilos-bff, as shipped', log: 'pipe' })

export function serviceWith(options: ServiceOptions): SubjectKind {
  return {
    name: options.name,
    missing: () => (existsSync(main) ? null : 'dist/ is missing, run `npm run build`'),
    start: async (context) => (await startService(options, context)).subject,
  }
}

export async function startService(
  { name, log, env, traced = false, flags = [], messages = false }: ServiceOptions,
  { cores, upstream, scratch }: SubjectContext,
): Promise<{ readonly subject: Subject; readonly running: RunningProgram }> {
  const port = await freePort()
  const folder = mkdtempSync(join(scratch, 'service-'))
  const sink = openLog(log, folder, cores.load)
  const running = startProgram({
    command: process.execPath,
    args: [...shippedFlags, ...(traced ? ['--import', tracing] : []), ...flags, main],
    core: cores.server,
    env: {
      ...settingsFor(upstream.baseUrl, upstream.token, writeCallers(folder)),
      PORT: String(port),
      ADMIN_PORT: '0',
      ...(log === 'silent' && { LOG_LEVEL: 'silent', DISCLOSURE_LOG_LEVEL: 'silent' }),
      ...(traced && { OTEL_EXPORTER_OTLP_ENDPOINT: new URL(upstream.baseUrl).origin }),
      ...env,
    },
    stdout: sink.file,
    messages,
  })
  closeSync(sink.file)
  const origin = `http://127.0.0.1:${port}`
  const startedInMs = await untilAnswered(origin, running)
  const stop = async () => {
    await running.stop()
    await sink.reader?.stop()
  }
  return { subject: { name, origin, pids: [running.pid], startedInMs, stop }, running }
}

/** Usual settings, with a cache in which no entry expires or is evicted during a measurement. */
export function settingsFor(baseUrl: string, token: string, callersFile: string): Record<string, string> {
  return {
    NODE_ENV: 'production',
    HILOS_TOKEN: token,
    HILOS_BASE_URL: baseUrl,
    HILOS_MAX_RPS: '0',
    CALLERS_FILE: callersFile,
    // Requests are counted, but the limit is never reached.
    CALLER_MAX_RPS: '100000',
    CONTACT_REF_KEY: 'bench contact ref key',
    CACHE_LIFETIME_SCALE: '100',
    CACHE_MAX_BYTES: String(4 * 1024 ** 3),
  }
}

export function writeCallers(folder: string): string {
  const path = join(folder, 'callers.json')
  const caller = { name: 'bench', keySha256: keyHash(callerKey), profile: 'full' }
  writeFileSync(path, JSON.stringify({ callers: [caller] }))
  return path
}

interface Sink {
  readonly file: number
  readonly reader: RunningProgram | null
}

function openLog(log: ServiceOptions['log'], folder: string, core: number | null): Sink {
  if (log !== 'pipe') return { file: openSync(join(folder, 'log'), 'w'), reader: null }
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  // Opened for reading and writing, because opening a pipe only for writing waits for a reader.
  const file = openSync(path, 'r+')
  return { file, reader: startProgram({ command: 'cat', args: [], core, stdin: file }) }
}
