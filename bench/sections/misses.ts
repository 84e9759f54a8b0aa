import { fileURLToPath } from 'node:url'
import type { StageTimes } from '../inside/stages.ts'
import { runProgram } from '../processes.ts'
import { cpuOf, doubtsAbout, type Sample, sampleFlatOut, tableOf, warmUp } from '../sample.ts'
import type { Bench, Findings, Section, Table } from '../section.ts'
import { type Cast, interleave, withCast } from '../started-subjects.ts'
import { formatNumber, formatSpread, spreadOf } from '../statistics.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { nginxFull, nginxTrimmed } from '../subjects/nginx.ts'
import { service } from '../subjects/service.ts'
import { varnish } from '../subjects/varnish.ts'

/** More than anybody can ask for in one turn. */
const enough = 1_000_000
/** As many as the service calls Hilos with at once: more would only queue. */
const connections = 16
const kinds = [httpProxy, service, nginxFull, nginxTrimmed, varnish]
const stagesProgram = fileURLToPath(new URL('../inside/stages.ts', import.meta.url))

/** Documents nobody has asked for before, and what becomes of them inside. */
export const misses: Section = {
  name: 'misses',
  run: (bench) => withCast(kinds, bench, (cast) => measure(bench, cast)),
}

async function measure(bench: Bench, { subjects, missing }: Cast): Promise<Findings> {
  const cold = () => ({ from: bench.freshNumbers(enough), keys: enough, connections })
  // What runs a thousand times a second takes longer to be compiled, and the memory it needs is new at first.
  for (let turn = 0; turn < 5; turn += 1) await warmUp(bench, subjects, cold())
  const samples = await interleave(subjects, bench.flags.rounds, (subject) => sampleFlatOut(bench, subject, cold()))
  const stages = await timeStages(bench)
  const perMiss = spreadOf(cpuOf(samples, service.name)).median
  return {
    title: 'Misses',
    notes: [
      `Each request asks for a new document of 55 kB, ${connections} at a time. The bench's Hilos shares a core with the ` +
        'load where there are two, and may be what limits misses a second; CPU is the server’s own.',
      'Stages: one document after the other, in a process that does nothing else. "The rest" is what the whole service ' +
        'needs beyond them: HTTP on both sides, the cache, the log, collecting garbage.',
      ...missing,
      ...doubtsAbout(
        samples,
        kinds.map(({ name }) => name),
      ),
      ...tooFewCalls(samples),
    ],
    tables: [tableOf(samples, 'misses', 'miss', httpProxy.name), stageTable(stages, perMiss)],
    goals: [{ text: 'our CPU per miss of a 60 kB document', limit: 500, measured: perMiss, unit: 'µs', digits: 0 }],
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

/** Whoever answers more often than it asks has not missed. */
function tooFewCalls(samples: ReadonlyMap<string, readonly Sample[]>): string[] {
  const lazy = [...samples].filter(([, turns]) => turns.some(({ calls, requests }) => calls < requests * 0.99))
  return lazy.map(([name]) => `${name}: made fewer calls than it gave answers, so not all were misses.`)
}
