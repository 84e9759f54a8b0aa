import { fileURLToPath } from 'node:url'
import type { StageTimes } from '../inside/stages.ts'
import { runProgram } from '../processes.ts'
import { cpuOf, sampleClosedLoop, tableOf, tooFewCalls, warmUp, warningsAbout } from '../sample.ts'
import type { Bench, Findings, Section, Table } from '../section.ts'
import { interleave, type StartedSubjects, withSubjects } from '../started-subjects.ts'
import { formatNumber, formatSpread, ratiosOf, spreadOf } from '../statistics.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { nginxFull, nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { varnish } from '../subjects/varnish.ts'

/** More documents than one measurement can request. */
const enough = 1_000_000
/** The number of concurrent calls of the service to Hilos: more requests would only wait. */
const connections = 16
const kinds = [httpProxy, service, nginxFull, nginxTrimmed, varnish]
const stagesProgram = fileURLToPath(new URL('../inside/stages.ts', import.meta.url))

/** Misses, and the stages of a miss. */
export const misses: Section = {
  name: 'misses',
  run: (bench) => withSubjects(kinds, bench, (started) => measure(bench, started)),
}

async function measure(bench: Bench, { subjects, missing }: StartedSubjects): Promise<Findings> {
  const cold = () => ({ from: bench.freshNumbers(enough), keys: enough, connections })
  // Code that runs only a thousand times a second is compiled later, and the heap still has to grow.
  for (let repetition = 0; repetition < 5; repetition += 1) await warmUp(bench, subjects, cold())
  const samples = await interleave(bench, subjects, (subject) => sampleClosedLoop(bench, subject, cold()))
  const stages = await timeStages(bench)
  const perMiss = spreadOf(cpuOf(samples, service.name)).median
  return {
    title: 'Misses',
    notes: [
      `Each request asks for a new document of 55 kB, ${connections} at a time. With two cores, the fake Hilos shares a core ` +
        'with the load and may limit the misses a second. CPU is the CPU time of the server only.',
      'The stages are measured in a separate process, for one document at a time. "The rest" is the remaining CPU time of ' +
        'the whole service: HTTP on both sides, the cache, the log and garbage collection.',
      ...missing,
      ...warningsAbout(
        samples,
        kinds.map(({ name }) => name),
      ),
      ...tooFewCalls(samples),
    ],
    tables: [tableOf(samples, 'misses', 'miss', httpProxy.name), stageTable(stages, perMiss)],
    goals: [
      {
        text: 'CPU of a miss of 55 kB, compared with @fastify/http-proxy',
        limit: 3.5,
        measured: ratiosOf(cpuOf(samples, service.name), cpuOf(samples, httpProxy.name)).median,
        unit: 'times',
        digits: 2,
      },
    ],
    data: { samples: Object.fromEntries(samples), stages },
  }
}

async function timeStages({ flags, cores }: Bench): Promise<StageTimes> {
  const args = [stagesProgram, String(flags.rounds)]
  return JSON.parse(await runProgram({ command: process.execPath, args, core: cores.server }))
}

function stageTable(times: StageTimes, perMiss: number): Table {
  const rows = Object.entries(times).map(([stage, values]) => ({ stage, spread: spreadOf(values) }))
  const known = rows.reduce((sum, { spread }) => sum + spread.median, 0)
  return {
    columns: ['Stage of a miss', 'µs', 'share of a miss'],
    rows: [
      ...rows.map(({ stage, spread }) => [stage, formatSpread(spread, 1), percent(spread.median, perMiss)]),
      ['the rest', formatNumber(perMiss - known, 1), percent(perMiss - known, perMiss)],
    ],
  }
}

const percent = (part: number, whole: number) => `${formatNumber((100 * part) / whole, 0)} %`
