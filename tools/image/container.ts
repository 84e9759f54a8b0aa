import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { getuid } from 'node:process'
import type { Readable } from 'node:stream'
import type { ImageConfig } from './stage-plan.ts'

/** An image without an engine: its files and its configuration. */
export interface Image {
  /** The folder with its files. */
  readonly root: string
  readonly config: ImageConfig
  /** The folder with Node.js, which the base image has in its PATH. */
  readonly bin: string
}

export interface ExitedProcess {
  readonly status: number | null
  readonly ms: number
  readonly output: string
}

export interface RunningService {
  /** The time from the start of the process to its log line `serving`. */
  readonly startedAfterMs: number
  readonly origin: string
  readonly stop: () => Promise<ExitedProcess>
}

type Environment = Readonly<Record<string, string>>

/** Only root can start a process as another user. */
export const mayChangeUser = getuid?.() === 0

export function userOf({ user }: ImageConfig): { uid: number; gid: number } {
  const [, uid = '', gid = ''] = /^([1-9]\d*):([1-9]\d*)$/.exec(user) ?? []
  if (uid === '') throw new Error(`USER ${user}: it must be the number of a user and the number of a group`)
  return { uid: Number(uid), gid: Number(gid) }
}

/** Starts a command as an engine does: as the user of the image, in its folder, and with no other environment than its own. */
function start(
  image: Image,
  command: readonly string[],
  settings: Environment,
): ChildProcessByStdio<null, Readable, Readable> {
  const [file = '', ...args] = command
  return spawn(file, args, {
    cwd: join(image.root, image.config.folder),
    env: { PATH: image.bin, ...image.config.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(mayChangeUser && userOf(image.config)),
  })
}

function outputOf(child: ChildProcessByStdio<null, Readable, Readable>): () => string {
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
    })
  return () => output
}

export async function run(image: Image, command: readonly string[], settings: Environment): Promise<ExitedProcess> {
  const startedAt = performance.now()
  const child = start(image, command, settings)
  const output = outputOf(child)
  const [status] = await once(child, 'close')
  return { status, ms: performance.now() - startedAt, output: output() }
}

/**
 * Starts the command of the image, and waits until it serves.
 * @throws Error if it ends before
 */
export async function serve(image: Image, settings: Environment): Promise<RunningService> {
  const startedAt = performance.now()
  const child = start(image, image.config.command ?? [], settings)
  const output = outputOf(child)
  const ended = once(child, 'close').then(([status]) => status as number | null)
  const originOf = () => /"origin":"(.*?)","msg":"serving"/.exec(output())?.[1]
  while (originOf() === undefined)
    if (await Promise.race([once(child.stdout, 'data').then(() => false), ended.then(() => true)]))
      throw new Error(`the process ended before it served:\n${output()}`)
  const startedAfterMs = performance.now() - startedAt
  const stop = async () => {
    const signalledAt = performance.now()
    child.kill(image.config.stopSignal as NodeJS.Signals)
    const killTimer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const status = await ended
    clearTimeout(killTimer)
    return { status, ms: performance.now() - signalledAt, output: output() }
  }
  return { startedAfterMs, origin: originOf() ?? '', stop }
}
