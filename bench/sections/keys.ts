import { generate } from '../load/load.ts'
import { planFor, sampleClosedLoop, tableOf, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { nginxFull, nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { varnish } from '../subjects/varnish.ts'

const keys = 10_000

/** Hits on many documents. */
export const manyKeys: Section = {
  name: 'keys',
  run: (bench) =>
    withSubjects([ceiling, service, nginxFull, nginxTrimmed, varnish], bench, (started) => measure(bench, started)),
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  const from = bench.freshNumbers(keys)
  for (const subject of subjects) {
    bench.progress(`filling ${subject.name}`)
    const plan = { ...planFor(subject), from, keys, connections: 16 }
    await generate({ ...plan, pace: { kind: 'count', requests: keys } }, bench.cores.load)
  }
  await warmUp(bench, subjects, { from, keys })
  const samples = await interleave(bench, subjects, (subject) => sampleClosedLoop(bench, subject, { from, keys }))
  return {
    title: `Hits on ${keys.toLocaleString('en-US')} documents`,
    notes: [
      'Requests ask for the documents in turn. The ceiling always sends the same response.',
      ...missing,
      ...warningsAbout(samples, []),
    ],
    tables: [tableOf(samples, 'hits', 'hit', ceiling.name)],
    goals: [],
    data: Object.fromEntries(samples),
  }
}
