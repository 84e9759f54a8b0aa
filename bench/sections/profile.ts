import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CpuProfile, functionOf, moduleOf, type SelfTime, selfTimes } from '../cpu-profile.ts'
import type { Plan } from '../load/plan.ts'
import { sampleClosedLoop, warmUp } from '../sample.ts'
import type { Bench, Findings, Section, Table } from '../section.ts'
import { formatNumber } from '../statistics.ts'
import { startService } from '../subjects/service.ts'

const rows = 20
const warmMs = 2000
const enough = 1_000_000

/** CPU profiles of hits and misses. */
export const profile: Section = {
  name: 'profile',
  run: async (bench) => {
    const hit = await profileOf(bench, () => ({}))
    const miss = await profileOf(bench, () => ({ from: bench.freshNumbers(enough), keys: enough, connections: 16 }))
    return findingsOf(hit, miss)
  },
}

interface Profiled {
  /** The CPU time of one request while the profile was recorded, in microseconds. */
  readonly cpuMicros: number
  readonly modules: readonly SelfTime[]
  readonly functions: readonly SelfTime[]
}

async function profileOf(bench: Bench, load: () => Partial<Plan>): Promise<Profiled> {
  const folder = mkdtempSync(join(bench.scratch, 'profile-'))
  const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200']
  const { subject } = await startService({ name: 'hilos-bff', log: 'pipe', flags }, bench)
  await warmUp(bench, [subject], load())
  const { cpuMicros } = await sampleClosedLoop(bench, subject, load())
  await subject.stop()
  const [file] = readdirSync(folder)
  if (file === undefined) throw new Error('the service did not write a profile')
  const recorded: CpuProfile = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const skipMicros = (subject.startedInMs + warmMs) * 1000
  return {
    cpuMicros,
    modules: selfTimes(recorded, skipMicros, moduleOf),
    functions: selfTimes(recorded, skipMicros, functionOf),
  }
}

function findingsOf(hit: Profiled, miss: Profiled): Findings {
  const cost = ({ cpuMicros }: Profiled) => `${formatNumber(cpuMicros, 0)} µs of CPU`
  return {
    title: 'CPU profile',
    notes: [
      `As shipped, with --cpu-prof, which itself needs CPU time: ${cost(hit)} per hit and ${cost(miss)} per miss.`,
      'Self time on the main thread, without called functions. Native functions are system calls (`writev`) and the C++ ' +
        'code of Node.js. Code generated at run time is the router, the validators and the serializers. "(program)" is ' +
        'the rest of the process. Other threads, for example those that unzip, are not in the profile, but in the CPU per miss.',
    ],
    tables: [
      tableOf('Module, hits', hit.modules, hit.cpuMicros),
      tableOf('Function, hits', hit.functions, hit.cpuMicros),
      tableOf('Module, misses', miss.modules, miss.cpuMicros),
      tableOf('Function, misses', miss.functions, miss.cpuMicros),
    ],
    goals: [],
    data: { hit: largest(hit), miss: largest(miss) },
  }
}

const largest = ({ cpuMicros, modules, functions }: Profiled): Profiled => ({
  cpuMicros,
  modules: modules.slice(0, 2 * rows),
  functions: functions.slice(0, 2 * rows),
})

function tableOf(what: string, times: readonly SelfTime[], cpuMicros: number): Table {
  return {
    columns: [what, 'share', 'µs of the CPU time'],
    rows: times
      .slice(0, rows)
      .map(({ name, share }) => [name, `${formatNumber(share * 100, 1)} %`, formatNumber(share * cpuMicros, 1)]),
  }
}
