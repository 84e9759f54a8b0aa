import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { env, execPath } from 'node:process'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export interface RunningProcess {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Its standard output as the log it is. */
  readonly lines: () => Record<string, unknown>[]
  /** Its exit status, once it has ended. */
  readonly ended: Promise<number | null>
  /** The match, once standard output has it. Rejects when the process ends first. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
}

/**
 * Runs a script of this project with these settings and no others, until the test ends. The arguments are the script's.
 * @param stdoutFile an open file for its standard output, of which nothing is heard then
 */
export function startProcess(
  t: Test,
  script: string,
  settings: Record<string, string>,
  nodeOptions: readonly string[] = [],
  args: readonly string[] = [],
  stdoutFile?: number,
): RunningProcess {
  const path = fileURLToPath(new URL(`../../${script}`, import.meta.url))
  // Coverage of the child is taken through these; everything else of this environment stays here.
  const { NODE_OPTIONS = '', NODE_V8_COVERAGE = '', PATH = '' } = env
  const child = spawn(execPath, [...nodeOptions, path, ...args], {
    env: { NODE_OPTIONS, NODE_V8_COVERAGE, PATH, ...settings },
    stdio: ['pipe', stdoutFile ?? 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))

  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([status]) => status as number | null)

  async function says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(stdout)
      if (match) return match
      const over = await Promise.race([
        once(child.stdout as Readable, 'data').then(() => false),
        ended.then(() => true),
      ])
      if (over && !pattern.test(stdout)) throw new Error(`it ended without saying ${pattern}: ${stdout}${stderr}`)
    }
  }

  const lines = () =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  return { child, stdout: () => stdout, stderr: () => stderr, lines, ended, says }
}

/** Waits for something that happens in another process. */
export async function poll(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5)
}
