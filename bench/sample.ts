import { cpuMicros } from './cpu.ts'
import { failedRequests, runClosedLoop } from './load/load.ts'
import type { LoadResult, Plan } from './load/plan.ts'
import type { Bench, Table } from './section.ts'
import { formatSpread, ratiosOf, spreadOf } from './statistics.ts'
import { callerHeaders, type Subject } from './subjects/subject.ts'

/** One measurement of one subject. */
export interface Sample {
  readonly perSecond: number
  /** The user and system CPU time of the subject's processes per request, in microseconds. */
  readonly cpuMicros: number
  /** The number of calls to the fake Hilos. */
  readonly calls: number
  readonly requests: number
  /** The number of requests that got an error or no response. */
  readonly failedRequests: number
}

/** The number of callers. Each has one connection. */
export const usualConnections = 32

/** The load on one subject. By default, all requests ask for document 0. */
export function planFor({ origin }: Subject, changes: Partial<Plan> = {}): Plan {
  return { origin, from: 0, keys: 1, headers: callerHeaders, connections: usualConnections, ...changes }
}

/** Measures a subject while each caller sends its next request as soon as it has a response. */
export function sampleClosedLoop(bench: Bench, subject: Subject, changes: Partial<Plan> = {}): Promise<Sample> {
  const { flags, cores } = bench
  return sampleOf(bench, subject, () => runClosedLoop(planFor(subject, changes), flags.seconds, cores.load))
}

/** Measures a subject while `load` runs. */
async function sampleOf(bench: Bench, subject: Subject, load: () => Promise<LoadResult>): Promise<Sample> {
  const callsBefore = await bench.upstream.calls()
  const cpuBefore = cpuMicros(subject.pids)
  const result = await load()
  const cpu = cpuMicros(subject.pids) - cpuBefore
  return {
    perSecond: result.requests / result.seconds,
    cpuMicros: cpu / result.requests,
    calls: (await bench.upstream.calls()) - callsBefore,
    requests: result.requests,
    failedRequests: failedRequests(result),
  }
}

/** Warms up compilers and caches with 2 s of load for each subject. */
export async function warmUp(bench: Bench, subjects: readonly Subject[], changes: Partial<Plan> = {}): Promise<void> {
  for (const subject of subjects) await runClosedLoop(planFor(subject, changes), 2, bench.cores.load)
}

/**
 * Returns a table with one row for each subject.
 * @param many the plural of the measured unit, for example `hits`
 * @param one its singular
 * @param base the name of the subject that the others are compared with in each round
 */
export function tableOf(
  samples: ReadonlyMap<string, readonly Sample[]>,
  many: string,
  one: string,
  base: string,
): Table {
  const baseCpu = cpuOf(samples, base)
  return {
    columns: ['Serving', `${many} a second`, `CPU µs per ${one}`, `times ${shortOf(base)}`],
    rows: [...samples].map(([name, turns]) => [
      name,
      formatSpread(spreadOf(turns.map(({ perSecond }) => perSecond)), 0),
      formatSpread(spreadOf(turns.map((turn) => turn.cpuMicros)), 1),
      formatSpread(ratiosOf(cpuOf(samples, name), baseCpu), 2),
    ]),
  }
}

/** Returns the CPU time per request in microseconds, one value for each round. */
export function cpuOf(samples: ReadonlyMap<string, readonly Sample[]>, name: string): number[] {
  return samples.get(name)?.map((sample) => sample.cpuMicros) ?? []
}

/** Returns one sentence for each unexpected result. */
export function warningsAbout(samples: ReadonlyMap<string, readonly Sample[]>, callsExpectedOf: readonly string[]) {
  return [...samples].flatMap(([name, turns]) => {
    const sum = (value: (sample: Sample) => number) => turns.reduce((total, turn) => total + value(turn), 0)
    const calls = sum((turn) => turn.calls)
    const failed = sum((turn) => turn.failedRequests)
    return [
      ...(calls > 0 && !callsExpectedOf.includes(name)
        ? [`${name}: made ${calls} calls, so some requests were not hits.`]
        : []),
      ...(failed > 0 ? [`${name}: ${failed} requests got an error or no response.`] : []),
    ]
  })
}

/** Returns one sentence for each subject that made fewer calls than it sent responses. */
export function tooFewCalls(samples: ReadonlyMap<string, readonly Sample[]>): string[] {
  const withHits = [...samples].filter(([, turns]) => turns.some(({ calls, requests }) => calls < requests * 0.99))
  return withHits.map(([name]) => `${name}: made fewer calls than it sent responses, so some requests were hits.`)
}

const shortOf = (name: string) => name.split(/[:,]/)[0] ?? name
