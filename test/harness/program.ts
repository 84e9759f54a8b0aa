import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { dyingWithUs } from '../../sandbox/installed.ts'

export interface ProgramOptions {
  readonly args: readonly string[]
  /** A folder of its own, for all that it writes. */
  readonly home: string
}

/** Runs a program that is not ours, together with all processes that it starts, until the test ends. */
export function startProgram(t: Test, command: string, { args, home }: ProgramOptions) {
  const { PATH = '' } = env
  const [file = command, ...rest] = [...dyingWithUs('TERM'), command, ...args]
  const child: ChildProcess = spawn(file, rest, {
    env: { PATH, HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: home },
    // In a process group of its own, so that it can be ended as a whole.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk
  })
  let isRunning = true
  const over = () => {
    isRunning = false
  }
  /** It has also ended when it could not be started. */
  const ended = once(child, 'close').then(over, (error: Error) => {
    stderr += error.message
    over()
  })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await Promise.race([ended, sleep(5000, undefined, { ref: false })])
    killGroup(child)
    await ended
  })
  return {
    /** @throws Error if it has ended */
    checkRuns: () => {
      if (!isRunning) throw new Error(`${command} has ended: ${stderr}`)
    },
  }
}

/** Ends what is left of it. */
function killGroup({ pid }: ChildProcess): void {
  try {
    process.kill(-Number(pid), 'SIGKILL')
  } catch {
    // Nothing is left.
  }
}
