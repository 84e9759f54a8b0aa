import { cpuOf, type Sample, sampleClosedLoop, tableOf, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Section, Table } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { formatSpread, spreadOf } from '../statistics.ts'
import { service, serviceWith } from '../subjects/service.ts'

const silent = { LOG_LEVEL: 'silent', DISCLOSURE_LOG_LEVEL: 'silent' }
const rarely = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' }

const undisclosed = serviceWith({
  name: 'DISCLOSURE_LOG_LEVEL=silent',
  log: 'pipe',
  env: { DISCLOSURE_LOG_LEVEL: 'silent' },
})
const noLog = serviceWith({ name: 'no log: both silent', log: 'pipe', env: silent })
const intoFile = serviceWith({ name: 'as shipped, into a file', log: 'file' })
const traced = serviceWith({ name: 'as shipped, every request traced', log: 'pipe', traced: true })
const tracedRarely = serviceWith({ name: 'as shipped, one in 100 traced', log: 'pipe', traced: true, env: rarely })

/** The cost of the request log, the record of disclosure and traces. */
export const log: Section = {
  name: 'log',
  run: (bench) =>
    withSubjects([service, intoFile, undisclosed, noLog, traced, tracedRarely], bench, (started) =>
      measure(bench, started),
    ),
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  await warmUp(bench, subjects)
  const samples = await interleave(bench, subjects, (subject) => sampleClosedLoop(bench, subject))
  return {
    title: 'The cost of logs and traces',
    notes: [
      'All callers ask for the same document. As shipped, a hit writes a line about the request, with what was ' +
        'disclosed. Lines are written in batches to a pipe that another process reads.',
      'Spans are sent to a collector that discards them. At this load, the SDK drops most spans before that, because its ' +
        'queue is full.',
      ...missing,
      ...warningsAbout(samples, []),
    ],
    tables: [tableOf(samples, 'hits', 'hit', noLog.name), differences(samples)],
    goals: [],
    data: Object.fromEntries(samples),
  }
}

/** Returns the additional CPU time for each kind of log and for traces. */
function differences(samples: ReadonlyMap<string, readonly Sample[]>): Table {
  const rows = [
    ['the line of a request', undisclosed.name, noLog.name],
    ['what was disclosed', service.name, undisclosed.name],
    ['both, into a pipe', service.name, noLog.name],
    ['both, into a file', intoFile.name, noLog.name],
    ['a span of each request', traced.name, service.name],
    ['a span of one request in 100', tracedRarely.name, service.name],
  ] as const
  return {
    columns: ['Part', 'CPU µs per hit'],
    rows: rows.map(([part, nameWith, nameWithout]) => {
      const without = cpuOf(samples, nameWithout)
      // Values of the same round are subtracted, so that a disturbance of a whole round cancels out.
      const additional = cpuOf(samples, nameWith).map((cpu, round) => cpu - (without[round] ?? Number.NaN))
      return [part, formatSpread(spreadOf(additional), 1)]
    }),
  }
}
