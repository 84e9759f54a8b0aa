import type { Progress } from '../progress.ts'
import type { SmokeLoad } from './loads.ts'

/** Until code is compiled and documents are evicted. */
const warmRounds = 400
const leastRounds = 400
/** The mean of so many of the cheapest batches counts: the others were disturbed by other work, or by a garbage collection. */
const undisturbed = 0.05

export interface Rounds {
  /** Measures all loads in turn until this time, in seconds since the start of the process, but not too few times. */
  readonly runUntil: (seconds: number) => Promise<void>
  /** Returns the CPU time of a request in microseconds, over all rounds so far. */
  readonly microsOf: (load: SmokeLoad) => number
  /** Which share of a core this process got. Less than almost all means that other work was running. */
  readonly shareOfCore: () => number
}

/** Warms the loads up. */
export async function createRounds(loads: readonly SmokeLoad[], progress: Progress['progress']): Promise<Rounds> {
  const batches = new Map<SmokeLoad, number[]>(loads.map((load) => [load, []]))
  progress('smoke, warming up')
  for (let round = 0; round < warmRounds; round += 1) for (const load of loads) await load.measure()
  const began = { ms: performance.now(), cpu: process.cpuUsage() }
  return {
    runUntil: async (seconds) => {
      for (let round = 0; round < leastRounds || performance.now() < seconds * 1000; round += 1) {
        if (round % 100 === 0) progress(`smoke, round ${round} until ${seconds} s have passed`)
        // Each round begins with another load.
        const shift = round % loads.length
        for (const load of [...loads.slice(shift), ...loads.slice(0, shift)])
          batches.get(load)?.push(await load.measure())
      }
    },
    microsOf: (load) => meanOfCheapest(batches.get(load) ?? []),
    shareOfCore: () => {
      const { user, system } = process.cpuUsage(began.cpu)
      return (user + system) / 1000 / (performance.now() - began.ms)
    },
  }
}

function meanOfCheapest(micros: readonly number[]): number {
  const cheapest = [...micros].sort((a, b) => a - b).slice(0, Math.ceil(undisturbed * micros.length))
  return cheapest.reduce((sum, each) => sum + each, 0) / cheapest.length
}
