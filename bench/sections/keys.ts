import { generate } from '../load/load.ts'
import { doubtsAbout, planFor, sampleFlatOut, tableOf, warmUp } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { type Cast, interleave, withCast } from '../started-subjects.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { nginxFull, nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { varnish } from '../subjects/varnish.ts'

const keys = 10_000

/** Ten thousand documents, one after the other. */
export const manyKeys: Section = {
  name: 'keys',
  run: (bench) => withCast([ceiling, service, nginxFull, nginxTrimmed, varnish], bench, (cast) => measure(bench, cast)),
}

async function measure(bench: Bench, { subjects, missing }: Cast): Promise<Findings> {
  const from = bench.freshNumbers(keys)
  for (const subject of subjects) {
    bench.say(`  filling ${subject.name}`)
    const plan = { ...planFor(subject), from, keys, connections: 16 }
    await generate({ ...plan, pace: { kind: 'count', requests: keys } }, bench.cores.load)
  }
  await warmUp(bench, subjects, { from, keys })
  const samples = await interleave(subjects, bench.flags.rounds, (subject) =>
    sampleFlatOut(bench, subject, { from, keys }),
  )
  return {
    title: `Hits on ${keys.toLocaleString('en-US')} documents`,
    notes: [
      'Each request asks for the next document, around and around. The ceiling has only one answer to give.',
      ...missing,
      ...doubtsAbout(samples, []),
    ],
    tables: [tableOf(samples, 'hits', 'hit', ceiling.name)],
    goals: [],
    data: Object.fromEntries(samples),
  }
}
