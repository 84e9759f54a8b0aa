import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { familyOf } from './cpu.ts'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** The core it is pinned to; null for none. */
  readonly core: number | null
  /** All it gets besides PATH. */
  readonly env?: Readonly<Record<string, string>>
  /** Open file that takes its standard output; thrown away by default. */
  readonly stdout?: number
  /** Open file it reads; nothing by default. */
  readonly stdin?: number
  /** Whether it is a Node.js program that exchanges messages with the bench. */
  readonly messages?: boolean
}

export interface Running {
  readonly pid: number
  readonly child: ChildProcess
  /** The end of what it wrote to standard error. */
  readonly complaints: () => string
  /** Ends it and its descendants, politely first. */
  readonly stop: () => Promise<void>
}

const alive = new Set<number>()
const patienceMs = 5000

/** However the bench ends, what it started ends too. */
process.on('exit', () => {
  for (const pid of familyOf([...alive])) signal(pid, 'SIGKILL')
})

/** Starts a program that runs until it is stopped. */
export function startProgram({ command, args, core, env = {}, stdout, stdin, messages }: Program): Running {
  const [file = command, ...rest] = pinned(command, args, core)
  const child = spawn(file, rest, {
    env: { PATH: process.env.PATH, ...env },
    stdio: [stdin ?? 'ignore', stdout ?? 'ignore', 'pipe', ...(messages ? ['ipc' as const] : [])],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} cannot be started`)
  let complaints = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk}`.slice(-2000)
  })
  child.on('error', () => {})
  alive.add(pid)
  const ended = once(child, 'exit').then(() => alive.delete(pid))
  return {
    pid,
    child,
    complaints: () => complaints,
    stop: async () => {
      const family = familyOf([pid])
      signal(pid, 'SIGTERM')
      await Promise.race([ended, sleep(patienceMs, undefined, { ref: false })])
      for (const member of family) if (member !== pid || alive.has(pid)) signal(member, 'SIGKILL')
      await ended
    },
  }
}

/**
 * Runs a program to its end.
 * @returns what it wrote to standard output
 * @throws Error when it ends with another status than 0
 */
export async function runProgram({ command, args, core }: Program): Promise<string> {
  const [file = command, ...rest] = pinned(command, args, core)
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const { pid } = child
  if (pid !== undefined) alive.add(pid)
  let output = ''
  let complaints = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk}`.slice(-2000)
  })
  const [status] = await once(child, 'close')
  if (pid !== undefined) alive.delete(pid)
  if (status !== 0) throw new Error(`${command} ${args.join(' ').slice(0, 200)} ended with ${status}: ${complaints}`)
  return output
}

/** A port of loopback that was free a moment ago. */
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
    // It has ended by itself.
  }
}
