import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { getuid } from 'node:process'
import type { Readable } from 'node:stream'
import type { ImageConfig } from './stage-plan.ts'

/** What an engine would have of an image: its files, and what it says of itself. */
export interface Image {
  /** The folder that stands for its file system. */
  readonly root: string
  readonly config: ImageConfig
  /** The folder of its Node.js, as the base image would have it on the PATH. */
  readonly bin: string
}

export interface Ended {
  readonly status: number | null
  readonly ms: number
  readonly output: string
}

export interface RunningService {
  /** From the start of the process to its first word of serving. */
  readonly startedAfterMs: number
  readonly origin: string
  readonly stop: () => Promise<Ended>
}

type Environment = Readonly<Record<string, string>>

/** Only root may become somebody else. */
export const mayChangeUser = getuid?.() === 0

export function userOf({ user }: ImageConfig): { uid: number; gid: number } {
  const [, uid = '', gid = ''] = /^([1-9]\d*):([1-9]\d*)$/.exec(user) ?? []
  if (uid === '') throw new Error(`USER ${user}: is not a number with a group’s number`)
  return { uid: Number(uid), gid: Number(gid) }
}

/** Starts a command as an engine would: as the image's user, in its folder, with its environment and nothing else. */
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

/** Runs a command to its end. */
export async function run(image: Image, command: readonly string[], settings: Environment): Promise<Ended> {
  const begun = performance.now()
  const child = start(image, command, settings)
  const output = outputOf(child)
  const [status] = await once(child, 'close')
  return { status, ms: performance.now() - begun, output: output() }
}

/**
 * Starts what CMD names, and waits until it serves.
 * @throws when it ends instead
 */
export async function serve(image: Image, settings: Environment): Promise<RunningService> {
  const begun = performance.now()
  const child = start(image, image.config.command ?? [], settings)
  const output = outputOf(child)
  const ended = once(child, 'close').then(([status]) => status as number | null)
  const originOf = () => /"origin":"(.*?)","msg":"serving"/.exec(output())?.[1]
  while (originOf() === undefined)
    if (await Promise.race([once(child.stdout, 'data').then(() => false), ended.then(() => true)]))
      throw new Error(`it ended without serving:\n${output()}`)
  const startedAfterMs = performance.now() - begun
  const stop = async () => {
    const asked = performance.now()
    child.kill(image.config.stopSignal as NodeJS.Signals)
    const impatience = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const status = await ended
    clearTimeout(impatience)
    return { status, ms: performance.now() - asked, output: output() }
  }
  return { startedAfterMs, origin: originOf() ?? '', stop }
}
