import { cpuOf, doubtsAbout, type Sample, sampleFlatOut, tableOf, warmUp } from '../sample.ts'
import type { Bench, Findings, Goal, Section } from '../section.ts'
import { type Cast, interleave, withCast } from '../started-subjects.ts'
import { ratiosOf } from '../statistics.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { nginxFull, nginxFullLogged, nginxTrimmed, nginxTrimmedLogged } from '../subjects/nginx.ts'
import { service, serviceWith } from '../subjects/service.ts'
import type { SubjectKind } from '../subjects/subject.ts'
import { varnish, varnishLogged } from '../subjects/varnish.ts'

const kinds: readonly SubjectKind[] = [
  ceiling,
  service,
  serviceWith({ name: 'hilos-bff, log into a file', log: 'file' }),
  serviceWith({ name: 'hilos-bff, LOG_LEVEL=silent', log: 'silent' }),
  nginxFull,
  nginxFullLogged,
  nginxTrimmed,
  nginxTrimmedLogged,
  varnish,
  varnishLogged,
  httpProxy,
]

/** One document that everybody asks for, with and without logs. */
export const hits: Section = {
  name: 'hits',
  run: (bench) => withCast(kinds, bench, (cast) => measure(bench, cast)),
}

async function measure(bench: Bench, { subjects, missing }: Cast): Promise<Findings> {
  await warmUp(bench, subjects)
  const samples = await interleave(subjects, bench.flags.rounds, (subject) => sampleFlatOut(bench, subject))
  return {
    title: 'Hits on one document',
    notes: [
      'Everybody asks for the same document, as fast as answers come. "As shipped" writes its log down a pipe that ' +
        'somebody else empties, as in a container; emptying it is not counted.',
      'nginx writes its log without a buffer, a line a request; varnishncsa is counted with Varnish.',
      ...missing,
      ...doubtsAbout(samples, [httpProxy.name]),
    ],
    tables: [tableOf(samples, 'hits', 'hit', ceiling.name)],
    goals: goalsOf(samples),
    data: Object.fromEntries(samples),
  }
}

function goalsOf(samples: ReadonlyMap<string, readonly Sample[]>): Goal[] {
  const ours = cpuOf(samples, service.name)
  const overCeiling = ratiosOf(ours, cpuOf(samples, ceiling.name)).median
  const overVarnish = ratiosOf(ours, cpuOf(samples, varnish.name)).median
  const times = { unit: 'times', digits: 2 }
  return [
    { text: 'CPU of a hit as shipped, against the ceiling', limit: 2, measured: overCeiling, ...times },
    { text: 'stretch: CPU of a hit as shipped, against the ceiling', limit: 1.5, measured: overCeiling, ...times },
    {
      text: 'CPU of a hit as shipped, against Varnish serving the full document',
      limit: 1,
      measured: overVarnish,
      ...times,
    },
  ]
}
