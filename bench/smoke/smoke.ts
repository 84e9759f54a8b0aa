import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Progress } from '../progress.ts'
import { tableText } from '../report.ts'
import { formatNumber } from '../statistics.ts'
import { loadsOn, loadsOnCeilings, type SmokeLoad } from './loads.ts'
import { createMemoryHilos } from './memory-hilos.ts'
import { createMemoryService } from './memory-service.ts'
import { createRounds, type Rounds } from './rounds.ts'

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
/** The end of the rounds, in seconds since the start of the process. The later ones count only beyond a bound. */
const endSeconds = [55, 95, 135]
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
  const rounds = await createRounds(servers.flat(), progress)
  const judged = against.length === 0 ? Object.keys(bounds.timesCeiling) : []
  let exceeded: string[] = []
  for (const seconds of endSeconds) {
    await rounds.runUntil(seconds)
    const [ceilings = new Map(), ours = new Map(), ...others] = servers.map((loads) => costsOf(loads, rounds))
    say(tableText(rowsOf(ceilings, ours, others, against)))
    exceeded = judged.flatMap((name) => excessOf(name, timesCeiling(ours, ceilings, name)))
    for (const sentence of exceeded) say(sentence)
    const share = rounds.shareOfCore()
    if (share < idleShare) say(`Other work was running: this process got ${formatNumber(share * 100, 0)} % of a core.`)
    // Other work on the machine makes a ratio larger. More time has more batches that it does not disturb.
    if (exceeded.length === 0) break
  }
  if (judged.length > 0 && exceeded.length === 0) say('All are within the bounds.')
  return exceeded.length === 0
}

const costsOf = (loads: readonly SmokeLoad[], { microsOf }: Rounds): Costs =>
  new Map(loads.map((load) => [load.name, microsOf(load)]))

/** Returns one sentence if this is more than the bounds permit. */
function excessOf(name: string, measured: number): string[] {
  const usual = bounds.timesCeiling[name] ?? Number.NaN
  if (measured <= usual * (1 + bounds.marginPercent / 100)) return []
  const percent = formatNumber((measured / usual - 1) * 100, 1)
  const times = `${formatNumber(measured, 2)} times its ceiling instead of ${usual}`
  return [`${name}: ${times}, which is ${percent} % more; bounds.json permits ${bounds.marginPercent} %.`]
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
