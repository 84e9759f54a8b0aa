import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { withDescendants } from './cpu.ts'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** The core that it is pinned to; null if it is not pinned. */
  readonly core: number | null
  /** Its environment besides PATH; empty by default. */
  readonly env?: Readonly<Record<string, string>>
  /** The open file for its standard output, which is discarded by default. */
  readonly stdout?: number
  /** The open file that is its standard input; none by default. */
  readonly stdin?: number
  /** Whether it is a Node.js program that exchanges messages with the bench; false by default. */
  readonly messages?: boolean
}

export interface RunningProgram {
  readonly pid: number
  readonly child: ChildProcess
  /** The last 2000 characters of its standard error. */
  readonly stderrTail: () => string
  /** Ends it with SIGTERM, and after a timeout, it and its descendants with SIGKILL. */
  readonly stop: () => Promise<void>
}

const runningPids = new Set<number>()
const killAfterMs = 5000

/** No process outlives the bench. */
process.on('exit', () => {
  for (const pid of withDescendants([...runningPids])) signal(pid, 'SIGKILL')
})

/** Starts a program that runs until it is stopped. */
export function startProgram({ command, args, core, env = {}, stdout, stdin, messages }: Program): RunningProgram {
  const [file = command, ...rest] = pinned(command, args, core)
  const child = spawn(file, rest, {
    env: { PATH: process.env.PATH, ...env },
    stdio: [stdin ?? 'ignore', stdout ?? 'ignore', 'pipe', ...(messages ? ['ipc' as const] : [])],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} cannot be started`)
  let stderrTail = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderrTail = `${stderrTail}${chunk}`.slice(-2000)
  })
  child.on('error', () => {})
  runningPids.add(pid)
  const ended = once(child, 'exit').then(() => runningPids.delete(pid))
  return {
    pid,
    child,
    stderrTail: () => stderrTail,
    stop: async () => {
      const processes = withDescendants([pid])
      signal(pid, 'SIGTERM')
      await Promise.race([ended, sleep(killAfterMs, undefined, { ref: false })])
      for (const each of processes) if (each !== pid || runningPids.has(pid)) signal(each, 'SIGKILL')
      await ended
    },
  }
}

/**
 * Runs a program to its end, and returns its standard output.
 * @throws Error if its exit status is not 0
 */
export async function runProgram({ command, args, core }: Program): Promise<string> {
  const [file = command, ...rest] = pinned(command, args, core)
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const { pid } = child
  if (pid !== undefined) runningPids.add(pid)
  let output = ''
  let stderrTail = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderrTail = `${stderrTail}${chunk}`.slice(-2000)
  })
  const [status] = await once(child, 'close')
  if (pid !== undefined) runningPids.delete(pid)
  if (status !== 0) throw new Error(`${command} ${args.join(' ').slice(0, 200)} ended with ${status}: ${stderrTail}`)
  return output
}

/** Returns a port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

function pinned(command: string, args: readonly string[], core: number | null): string[] {
  return core === null ? [command, ...args] : ['taskset', '-c', String(core), command, ...args]
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // The process has already ended.
  }
}
