import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { env, execPath } from 'node:process'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export interface RunningProcess {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** The log, which is its standard output. */
  readonly lines: () => Record<string, unknown>[]
  /** Resolves with the exit status when the process ends. */
  readonly ended: Promise<number | null>
  /** Resolves with the match as soon as standard output contains it. Rejects when the process ends first. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
}

export interface ProcessOptions {
  /** Options of Node.js. */
  readonly nodeOptions?: readonly string[]
  /** Arguments of the script. */
  readonly args?: readonly string[]
  /** An open file for its standard output, which the test cannot read then. */
  readonly stdoutFile?: number
  /**
   * Whether the lines that it runs count as covered; false by default. It costs half a second, so only a few processes do
   * it: those that together run every line that runs in no other place.
   */
  readonly isCovered?: boolean
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const compileCache = { NODE_COMPILE_CACHE: join(root, '.tap/compile-cache') }
const coverage = { NODE_V8_COVERAGE: join(root, '.tap/coverage') }

/** The option of Node.js that runs this code before the script. */
export const preload = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`]

/** Runs a script of this project with these settings and no others, until the test ends. */
export function startProcess(
  t: Test,
  script: string,
  settings: Record<string, string>,
  { nodeOptions = [], args = [], stdoutFile, isCovered = false }: ProcessOptions = {},
): RunningProcess {
  const { PATH = '', _TAPJS_PROCESSINFO_COVERAGE_: tapCovers } = env
  // tap would load itself into the process by NODE_OPTIONS, which takes a second.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', execPath, ...nodeOptions, join(root, script), ...args], {
    env: { PATH, ...(isCovered && tapCovers === '1' ? coverage : compileCache), ...settings },
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
      if (over && !pattern.test(stdout))
        throw new Error(`the process ended without saying ${pattern}: ${stdout}${stderr}`)
    }
  }

  const lines = () =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  return { child, stdout: () => stdout, stderr: () => stderr, lines, ended, says }
}

/** Waits until the condition holds, which another process has to bring about. */
export async function poll(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5)
}
