import { cpuOf, type Sample, sampleClosedLoop, tableOf, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Goal, Section } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
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
  serviceWith({ name: 'hilos-bff, no log', log: 'silent' }),
  nginxFull,
  nginxFullLogged,
  nginxTrimmed,
  nginxTrimmedLogged,
  varnish,
  varnishLogged,
  httpProxy,
]

/** Hits on one document, with and without logs. */
export const hits: Section = {
  name: 'hits',
  run: (bench) => withSubjects(kinds, bench, (started) => measure(bench, started)),
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  await warmUp(bench, subjects)
  const samples = await interleave(bench, subjects, (subject) => sampleClosedLoop(bench, subject))
  return {
    title: 'Hits on one document',
    notes: [
      'All callers ask for the same document, each as fast as it gets responses. "As shipped" writes its log to a pipe ' +
        'that another process reads, as in a container. The CPU time of that process does not count.',
      'nginx writes one line for each request to its log, without a buffer. The CPU time of varnishncsa counts for Varnish.',
      ...missing,
      ...warningsAbout(samples, [httpProxy.name]),
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
    { text: 'CPU of a hit as shipped, compared with the ceiling', limit: 1.7, measured: overCeiling, ...times },
    {
      text: 'stricter: CPU of a hit as shipped, compared with the ceiling',
      limit: 1.5,
      measured: overCeiling,
      ...times,
    },
    {
      text: 'CPU of a hit as shipped, compared with Varnish serving the full document',
      limit: 1.5,
      measured: overVarnish,
      ...times,
    },
  ]
}
