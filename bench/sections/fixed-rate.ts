import { generate } from '../load/load.ts'
import type { GeneratorResult } from '../load/plan.ts'
import { planFor, warmUp } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { formatSpread, spreadOf } from '../statistics.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { varnish } from '../subjects/varnish.ts'

const perSecond = 2000
const keys = 1000
const connections = 64

/** Latencies when requests come at a fixed rate (open loop). */
export const fixedRate: Section = {
  name: 'rate',
  run: (bench) => withSubjects([ceiling, service, nginxTrimmed, varnish], bench, (started) => measure(bench, started)),
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  const from = bench.freshNumbers(keys)
  const plan = (subject: Subject) => ({ ...planFor(subject), from, keys, connections })
  for (const subject of subjects) {
    const fill = { kind: 'count', requests: keys } as const
    await generate({ ...plan(subject), connections: 16, pace: fill }, bench.cores.load)
  }
  await warmUp(bench, subjects, { from, keys })
  const results = await interleave(bench, subjects, (subject) => {
    const pace = { kind: 'rate', perSecond, seconds: bench.flags.seconds } as const
    return generate({ ...plan(subject), pace }, bench.cores.load)
  })
  const spread = (name: string, value: (result: GeneratorResult) => number) =>
    spreadOf(results.get(name)?.map(value) ?? [])
  const column = (name: string, digits: number, value: (result: GeneratorResult) => number) =>
    formatSpread(spread(name, value), digits)
  return {
    title: `Latency at ${perSecond.toLocaleString('en-US')} hits a second`,
    notes: [
      `Milliseconds from the moment when a request was due, with ${connections} connections and ${keys} documents. This is an ` +
        'open loop: the time that a request waits for a connection counts. The ceiling shows the latency of the generator.',
      ...missing,
    ],
    tables: [
      {
        columns: ['Serving', 'p50 ms', 'p99 ms', 'p99.9 ms', 'longest ms', 'not 200'],
        rows: subjects.map(({ name }) => [
          name,
          column(name, 2, ({ latencyMs }) => latencyMs.p50),
          column(name, 2, ({ latencyMs }) => latencyMs.p99),
          column(name, 2, ({ latencyMs }) => latencyMs.p999),
          column(name, 1, ({ latencyMs }) => latencyMs.max),
          column(name, 0, ({ requests, statuses }) => requests - (statuses['200'] ?? 0)),
        ]),
      },
    ],
    goals: [
      {
        text: `p99 of hits at ${perSecond.toLocaleString('en-US')} a second`,
        limit: 10,
        measured: spread(service.name, ({ latencyMs }) => latencyMs.p99).median,
        unit: 'ms',
        digits: 2,
      },
    ],
    data: Object.fromEntries(results),
  }
}
