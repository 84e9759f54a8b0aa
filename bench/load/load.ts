import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runProgram } from '../processes.ts'
import { benchId } from '../upstream/document.ts'
import type { GeneratorPlan, GeneratorResult, LoadResult, Plan } from './plan.ts'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** Whether wrk is installed. It sends requests much faster than our own generator. */
export const hasWrk = spawnSync('wrk', ['-v']).error === undefined

/** Each connection sends its next request as soon as it has a response. */
export function runClosedLoop(plan: Plan, seconds: number, core: number | null): Promise<LoadResult> {
  if (hasWrk) return runWrk(plan, seconds, core)
  return generate({ ...plan, pace: { kind: 'closed-loop', seconds } }, core)
}

/** Runs our own generator. */
export async function generate(plan: GeneratorPlan, core: number | null): Promise<GeneratorResult> {
  const output = await runProgram({
    command: process.execPath,
    args: [pathOf('generator.ts'), JSON.stringify(plan)],
    core,
  })
  return JSON.parse(output)
}

async function runWrk(plan: Plan, seconds: number, core: number | null): Promise<LoadResult> {
  const { origin, from, keys, headers, connections } = plan
  const headerFlags = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', ...headerFlags]
  const args =
    keys === 1
      ? [...options, `${origin}/execution-contacts/${benchId(from)}`]
      : [...options, '-s', pathOf('keys.lua'), origin, '--', String(from), String(keys)]
  return readWrk(await runProgram({ command: 'wrk', args, core }))
}

/** wrk does not count statuses. A response that is neither 2xx nor 3xx counts as 400. */
function readWrk(output: string): LoadResult {
  const [, requests = 'NaN', time = 'NaN', unit = 's'] = /(\d+) requests in ([\d.]+)([sm])/.exec(output) ?? []
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? []
  const lost = errors.reduce((sum, count) => sum + Number(count), 0)
  return {
    requests: Number(requests),
    seconds: Number(time) * (unit === 'm' ? 60 : 1),
    statuses: {
      ok: Number(requests) - refused,
      ...(refused > 0 && { 400: refused }),
      ...(lost > 0 && { none: lost }),
    },
  }
}

/** How many requests got an error or no response. */
export function failedRequests({ statuses }: LoadResult): number {
  return Object.entries(statuses)
    .filter(([status]) => status === 'none' || Number(status) >= 400)
    .reduce((sum, [, count]) => sum + count, 0)
}
