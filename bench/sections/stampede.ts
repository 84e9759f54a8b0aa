import { generate } from '../load/load.ts'
import type { GeneratorResult } from '../load/plan.ts'
import { planFor } from '../sample.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { formatSpread, spreadOf } from '../statistics.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { nginxFull, nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { varnish } from '../subjects/varnish.ts'
import { statusesIn } from './statuses.ts'

const callers = 1000
const delayMs = 500

/** A thousand callers who ask for the same uncached document at the same time. */
export const stampede: Section = {
  name: 'stampede',
  run: (bench) =>
    withSubjects([service, nginxFull, nginxTrimmed, varnish, httpProxy], bench, (started) => measure(bench, started)),
}

interface Stampede extends GeneratorResult {
  readonly calls: number
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  await bench.upstream.delay(delayMs)
  const stampedes = await interleave(bench, subjects, (subject) => requestAtOnce(bench, subject))
  await bench.upstream.delay(0)
  return {
    title: `${callers.toLocaleString('en-US')} callers of one cold document`,
    notes: [
      `All connections are open before the first request, and Hilos takes ${delayMs} ms. Seconds until the last response.`,
      ...missing,
    ],
    tables: [
      {
        columns: ['Serving', 'calls', 'answers', 'seconds'],
        rows: [...stampedes].map(([name, results]) => [
          name,
          formatSpread(spreadOf(results.map(({ calls }) => calls)), 0),
          statusesIn(results),
          formatSpread(spreadOf(results.map(({ seconds }) => seconds)), 2),
        ]),
      },
    ],
    goals: [
      {
        text: `calls for ${callers.toLocaleString('en-US')} cold callers`,
        limit: 1,
        measured: spreadOf(stampedes.get(service.name)?.map(({ calls }) => calls) ?? []).max,
        unit: 'calls',
        digits: 0,
      },
    ],
    data: Object.fromEntries(stampedes),
  }
}

async function requestAtOnce({ upstream, cores, freshNumbers }: Bench, subject: Subject): Promise<Stampede> {
  const before = await upstream.calls()
  const plan = { ...planFor(subject), from: freshNumbers(1), keys: 1, connections: callers }
  const result = await generate({ ...plan, pace: { kind: 'count', requests: callers } }, cores.load)
  return { ...result, calls: (await upstream.calls()) - before }
}
