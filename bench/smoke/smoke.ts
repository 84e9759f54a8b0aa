import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Progress } from '../progress.ts'
import { tableText } from '../report.ts'
import { formatNumber } from '../statistics.ts'
import { loadsOn, loadsOnCeilings, type SmokeLoad } from './loads.ts'
import { createMemoryHilos } from './memory-hilos.ts'
import { createMemoryService } from './memory-service.ts'

/** What a kind of request may cost, as committed. */
interface Bounds {
  /** The CPU time of each kind of request when the bounds were set, divided by that of the ceiling. */
  readonly timesCeiling: Readonly<Record<string, number>>
  /** How much more fails. */
  readonly marginPercent: number
  /** Why the margin is what it is. */
  readonly reason: string
}

/** The CPU time of each kind of request to one server, in microseconds. */
type Costs = ReadonlyMap<string, number>

const bounds: Bounds = JSON.parse(readFileSync(new URL('bounds.json', import.meta.url), 'utf8'))
const here = fileURLToPath(new URL('../..', import.meta.url))
/** Until code is compiled and documents are evicted. */
const warmRounds = 400
const leastRounds = 400
/** The end of the rounds, in seconds since the start of the process. */
const endSeconds = 55
/** The mean of so many of the cheapest batches counts: the others were disturbed by other work, or by a garbage collection. */
const undisturbed = 0.05
/** With less of a core than this, other work was running. */
const idleShare = 0.9

/**
 * Measures hits, 304s, refreshes and misses in this process, beside the ceiling, in many short interleaved batches.
 * @param against folders with other builds of the service to compare with
 * @returns whether all costs are within the bounds. With other builds they do not count, because two builds disturb each other.
 */
export async function smoke(against: readonly string[], scratch: string, { say, progress }: Progress) {
  const builds = [here, ...against.map((folder) => resolve(folder))]
  const hilos = await createMemoryHilos()
  const services = await Promise.all(builds.map((build) => createMemoryService(build, hilos.baseUrl, scratch)))
  const [own] = services
  if (own === undefined) throw new Error('there is no build')
  const servers = [await loadsOnCeilings(own, hilos)]
  for (const service of services) servers.push(await loadsOn(service, hilos))
  const began = { ms: performance.now(), cpu: process.cpuUsage() }
  const [ceilings = new Map(), ours = new Map(), ...others] = await costsOf(servers, progress)
  const { user, system } = process.cpuUsage(began.cpu)
  const shareOfCore = (user + system) / 1000 / (performance.now() - began.ms)

  say(tableText(rowsOf(ceilings, ours, others, against)))
  const judged = against.length === 0 ? Object.keys(bounds.timesCeiling) : []
  const exceeded = judged.flatMap((name) => excessOf(name, timesCeiling(ours, ceilings, name)))
  if (judged.length > 0) say(exceeded.length === 0 ? 'All are within the bounds.' : exceeded.join('\n'))
  if (shareOfCore < idleShare)
    say(
      `Other work was running: the process got ${formatNumber(shareOfCore * 100, 0)} % of a core, so do not trust the figures.`,
    )
  return exceeded.length === 0
}

/** Returns one sentence if this is more than the bounds permit. */
function excessOf(name: string, measured: number): string[] {
  const usual = bounds.timesCeiling[name] ?? Number.NaN
  if (measured <= usual * (1 + bounds.marginPercent / 100)) return []
  const percent = formatNumber((measured / usual - 1) * 100, 1)
  const times = `${formatNumber(measured, 2)} times its ceiling instead of ${usual}`
  return [`${name}: ${times}, which is ${percent} % more; bounds.json permits ${bounds.marginPercent} %.`]
}

async function costsOf(servers: readonly (readonly SmokeLoad[])[], progress: Progress['progress']): Promise<Costs[]> {
  const loads = servers.flat()
  const batches = new Map<SmokeLoad, number[]>(loads.map((load) => [load, []]))
  progress('smoke, warming up')
  for (let round = 0; round < warmRounds; round += 1) for (const load of loads) await load.measure()
  for (let round = 0; round < leastRounds || performance.now() < endSeconds * 1000; round += 1) {
    if (round % 100 === 0) progress(`smoke, round ${round} until ${endSeconds} s have passed`)
    // Each round begins with another load.
    const shift = round % loads.length
    for (const load of [...loads.slice(shift), ...loads.slice(0, shift)]) batches.get(load)?.push(await load.measure())
  }
  return servers.map((each) => new Map(each.map((load) => [load.name, cheapestOf(batches.get(load) ?? [])])))
}

function cheapestOf(micros: readonly number[]): number {
  const cheapest = [...micros].sort((a, b) => a - b).slice(0, Math.ceil(undisturbed * micros.length))
  return cheapest.reduce((sum, each) => sum + each, 0) / cheapest.length
}

/** The load on a ceiling that each kind of request is compared with. */
const ceilingOf: Readonly<Record<string, string>> = { hit: 'hit', 304: '304', refresh: 'read', miss: 'read' }

function timesCeiling(costs: Costs, ceilings: Costs, name: string): number {
  return costOf(costs, name) / costOf(ceilings, ceilingOf[name] ?? name)
}

function costOf(costs: Costs, name: string): number {
  return costs.get(name) ?? Number.NaN
}

function rowsOf(ceilings: Costs, ours: Costs, others: readonly Costs[], against: readonly string[]) {
  const number = (value: number) => formatNumber(value, 2)
  return {
    columns: [
      'Request',
      'CPU µs',
      'its ceiling µs',
      'times ceiling',
      'usual',
      ...against.flatMap((folder) => [folder, 'ours / it']),
    ],
    rows: [...ours.keys()].map((name) => [
      name,
      number(costOf(ours, name)),
      number(costOf(ceilings, ceilingOf[name] ?? name)),
      number(timesCeiling(ours, ceilings, name)),
      number(bounds.timesCeiling[name] ?? Number.NaN),
      ...others.flatMap((other) => [
        number(timesCeiling(other, ceilings, name)),
        number(costOf(ours, name) / costOf(other, name)),
      ]),
    ]),
  }
}
