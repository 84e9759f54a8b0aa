import { cpuOf, doubtsAbout, type Sample, sampleFlatOut, tableOf, warmUp } from '../sample.ts'
import type { Bench, Findings, Section, Table } from '../section.ts'
import { type Cast, interleave, withCast } from '../started-subjects.ts'
import { formatSpread, spreadOf } from '../statistics.ts'
import { service, serviceWith } from '../subjects/service.ts'

const quiet = { LOG_LEVEL: 'warn' }
const silent = { LOG_LEVEL: 'silent', DISCLOSURE_LOG_LEVEL: 'silent' }
const rarely = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' }

const disclosuresOnly = serviceWith({ name: 'LOG_LEVEL=warn', log: 'pipe', env: quiet })
const neither = serviceWith({
  name: 'LOG_LEVEL=warn, DISCLOSURE_LOG_LEVEL=silent',
  log: 'pipe',
  env: { ...quiet, DISCLOSURE_LOG_LEVEL: 'silent' },
})
const noLog = serviceWith({ name: 'no log: both silent', log: 'pipe', env: silent })
const intoFile = serviceWith({ name: 'as shipped, into a file', log: 'file' })
const traced = serviceWith({ name: 'as shipped, every request traced', log: 'pipe', traced: true })
const tracedRarely = serviceWith({ name: 'as shipped, one in 100 traced', log: 'pipe', traced: true, env: rarely })

/** What it costs to write down who asked and what they were shown, and to make a span of it. */
export const log: Section = {
  name: 'log',
  run: (bench) =>
    withCast([service, intoFile, disclosuresOnly, neither, noLog, traced, tracedRarely], bench, (cast) =>
      measure(bench, cast),
    ),
}

async function measure(bench: Bench, { subjects, missing }: Cast): Promise<Findings> {
  await warmUp(bench, subjects)
  const samples = await interleave(subjects, bench.flags.rounds, (subject) => sampleFlatOut(bench, subject))
  return {
    title: 'What the log costs',
    notes: [
      'Everybody asks for the same document. As shipped, a hit leaves two lines, that of the request and that of the ' +
        'record of disclosure, in batches down a pipe that somebody else empties.',
      'Spans are sent to a collector that throws them away; at this load most are dropped before, as the SDK does ' +
        'with what its queue cannot hold.',
      ...missing,
      ...doubtsAbout(samples, []),
    ],
    tables: [tableOf(samples, 'hits', 'hit', noLog.name), differences(samples)],
    goals: [],
    data: Object.fromEntries(samples),
  }
}

/** One row for each thing that can be left out. */
function differences(samples: ReadonlyMap<string, readonly Sample[]>): Table {
  const rows = [
    ['the line of a request', service.name, disclosuresOnly.name],
    ['the line of the record of disclosure', disclosuresOnly.name, neither.name],
    ['both, into a pipe', service.name, noLog.name],
    ['both, into a file', intoFile.name, noLog.name],
    ['a span of each request', traced.name, service.name],
    ['a span of one request in 100', tracedRarely.name, service.name],
  ] as const
  return {
    columns: ['What', 'CPU µs per hit'],
    rows: rows.map(([what, having, lacking]) => {
      const without = cpuOf(samples, lacking)
      // Round by round, so that what disturbed a whole round cancels out.
      const more = cpuOf(samples, having).map((cpu, round) => cpu - (without[round] ?? Number.NaN))
      return [what, formatSpread(spreadOf(more), 1)]
    }),
  }
}
