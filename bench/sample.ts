import { cpuMicros } from './cpu.ts'
import { disappointments, flatOut } from './load/load.ts'
import type { LoadResult, Plan } from './load/plan.ts'
import type { Bench, Table } from './section.ts'
import { formatSpread, ratiosOf, spreadOf } from './statistics.ts'
import { callerHeaders, type Subject } from './subjects/subject.ts'

/** What one turn of one subject showed. */
export interface Sample {
  readonly perSecond: number
  /** User and system time of the subject's processes, per request, in microseconds. */
  readonly cpuMicros: number
  /** Calls made to the bench's Hilos. */
  readonly calls: number
  readonly requests: number
  /** Answers that were errors, or never came. */
  readonly disappointments: number
}

/** Callers with a connection each. */
export const usualConnections = 32

/** Load on one subject: the hot document unless `changes` says otherwise. */
export function planFor({ origin }: Subject, changes: Partial<Plan> = {}): Plan {
  return { origin, from: 0, keys: 1, headers: callerHeaders, connections: usualConnections, ...changes }
}

/** As many answers as come within a turn, and what they cost. */
export function sampleFlatOut(bench: Bench, subject: Subject, changes: Partial<Plan> = {}): Promise<Sample> {
  const { flags, cores } = bench
  return sampleOf(bench, subject, () => flatOut(planFor(subject, changes), flags.seconds, cores.load))
}

/** Measures the subject while the load is on it. */
export async function sampleOf(bench: Bench, subject: Subject, load: () => Promise<LoadResult>): Promise<Sample> {
  const callsBefore = await bench.upstream.calls()
  const cpuBefore = cpuMicros(subject.pids)
  const result = await load()
  const cpu = cpuMicros(subject.pids) - cpuBefore
  return {
    perSecond: result.requests / result.seconds,
    cpuMicros: cpu / result.requests,
    calls: (await bench.upstream.calls()) - callsBefore,
    requests: result.requests,
    disappointments: disappointments(result),
  }
}

/** Lets compilers and caches settle, for a turn of 2 s that does not count. */
export async function warmUp(bench: Bench, subjects: readonly Subject[], changes: Partial<Plan> = {}): Promise<void> {
  for (const subject of subjects) await flatOut(planFor(subject, changes), 2, bench.cores.load)
}

/**
 * One row a subject.
 * @param many what was asked for, for example hits
 * @param one one of it
 * @param base the subject the others are compared with, round by round
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

/** Microseconds per request, a value a round. */
export function cpuOf(samples: ReadonlyMap<string, readonly Sample[]>, name: string): number[] {
  return samples.get(name)?.map((sample) => sample.cpuMicros) ?? []
}

/** What should not have happened, a sentence each. */
export function doubtsAbout(samples: ReadonlyMap<string, readonly Sample[]>, callsExpectedOf: readonly string[]) {
  return [...samples].flatMap(([name, turns]) => {
    const sum = (value: (sample: Sample) => number) => turns.reduce((total, turn) => total + value(turn), 0)
    const calls = sum((turn) => turn.calls)
    const failed = sum((turn) => turn.disappointments)
    return [
      ...(calls > 0 && !callsExpectedOf.includes(name) ? [`${name}: made ${calls} calls, so not all were hits.`] : []),
      ...(failed > 0 ? [`${name}: ${failed} answers were errors or never came.`] : []),
    ]
  })
}

const shortOf = (name: string) => name.split(/[:,]/)[0] ?? name
