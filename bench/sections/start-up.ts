import { cpuMicros } from '../cpu.ts'
import type { Bench, Findings, Section } from '../section.ts'
import { interleave } from '../started-subjects.ts'
import { formatSpread, ratiosOf, spreadOf } from '../statistics.ts'
import { ceiling } from '../subjects/ceiling.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { nginxFull, nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { varnish } from '../subjects/varnish.ts'

const kinds = [ceiling, service, httpProxy, nginxFull, nginxTrimmed, varnish]

/** The time from the start of a server to its first response. */
export const startUp: Section = { name: 'start-up', run: measure }

async function measure(bench: Bench): Promise<Findings> {
  const present = kinds.filter((kind) => kind.missing() === null)
  const starts = await interleave(bench, present, async (kind) => {
    const subject = await kind.start(bench)
    const cpuMs = cpuMicros(subject.pids) / 1000
    await subject.stop()
    return { startedInMs: subject.startedInMs, cpuMs }
  })
  const startedInMs = (name: string) => starts.get(name)?.map((start) => start.startedInMs) ?? []
  return {
    title: 'Start-up',
    notes: [
      'From the start of the process to its first response, with any status. Varnish compiles its configuration.',
      ...kinds.flatMap((kind) => (kind.missing() === null ? [] : `${kind.name}: skipped, ${kind.missing()}.`)),
    ],
    tables: [
      {
        columns: ['Serving', 'ms to the first response', 'CPU ms until then'],
        rows: [...starts].map(([name, turns]) => [
          name,
          formatSpread(spreadOf(turns.map(({ startedInMs }) => startedInMs)), 0),
          formatSpread(spreadOf(turns.map(({ cpuMs }) => cpuMs)), 0),
        ]),
      },
    ],
    goals: [
      {
        text: 'start-up, compared with @fastify/http-proxy',
        limit: 1.5,
        measured: ratiosOf(startedInMs(service.name), startedInMs(httpProxy.name)).median,
        unit: 'times',
        digits: 2,
      },
    ],
    data: Object.fromEntries(starts),
  }
}
