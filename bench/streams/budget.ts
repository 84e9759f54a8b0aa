import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../section.ts'
import { callerHeaders } from '../subjects/subject.ts'
import { benchId, type Pace, pacedId } from '../upstream/document.ts'
import type { Arrival } from '../upstream/upstream.ts'
import { openReaders } from './event-reader.ts'
import { type LiveService, startLiveService } from './live-service.ts'

/** The runs of each pace, and how often one should be asked about. They are those of a row in docs/live.md. */
const watched: readonly { readonly pace: Pace; readonly runs: number; readonly wishedSeconds: number }[] = [
  { pace: 'moving', runs: 20, wishedSeconds: 3 },
  { pace: 'quiet', runs: 180, wishedSeconds: 20 },
  { pace: 'longQuiet', runs: 800, wishedSeconds: 60 },
]
export const watchedRuns = watched.reduce((sum, { runs }) => sum + runs, 0)
const wishedPerSecond = watched.reduce((sum, { runs, wishedSeconds }) => sum + runs / wishedSeconds, 0)
const coldPauseMs = 2000

export interface BudgetOptions {
  /** `HILOS_MAX_RPS`. */
  readonly callsPerSecond: number
  /** How long it is measured after all streams are open. */
  readonly seconds: number
}

/** The calls of one pace while all streams were open. */
export interface PaceCalls {
  readonly pace: Pace
  readonly runs: number
  readonly wishedSeconds: number
  readonly calls: number
  /** The runs that were not asked about. */
  readonly unasked: number
}

export interface Budget extends BudgetOptions {
  /** How long it took to open all streams. */
  readonly openingSeconds: number
  /**
   * The largest number of calls in any `windowMs`, from the first stream on. That is a second without the time by which the fake
   * Hilos may have noticed a call late.
   */
  readonly mostAtOnce: number
  readonly windowMs: number
  readonly paces: readonly PaceCalls[]
  /** By how much all runs should be late, in proportion. */
  readonly proportion: number
  /** The largest lateness of a run, in proportion, as the service says. */
  readonly lateness: number
  /** Requests for runs that were not in the cache: their statuses and how long they took. */
  readonly cold: readonly { readonly status: number; readonly ms: number }[]
}

/** Watches a thousand runs, and asks for another one every two seconds. */
export async function measureBudget(bench: Bench, options: BudgetOptions): Promise<Budget> {
  const { callsPerSecond, seconds } = options
  const service = await startLiveService(bench, {
    HILOS_MAX_RPS: String(callsPerSecond),
    CACHE_LIFETIME_SCALE: '1',
  })
  let [openedAt, openingSeconds, measuredSeconds] = [0, 0, 0]
  const latenesses: number[] = []
  const cold: Budget['cold'][number][] = []
  try {
    const { arrivals, lateMs } = await bench.upstream.recordDuring(async () => {
      bench.progress(`opening ${watchedRuns} streams at ${callsPerSecond} calls a second`)
      const began = Date.now()
      const { origin } = service
      const paths = shuffled(watched.flatMap(idsOf)).map((id) => `/execution-contacts/${id}/events?view=summary`)
      const readers = await openReaders({ origin, headers: callerHeaders }, paths, 4)
      openedAt = Date.now()
      openingSeconds = (openedAt - began) / 1000
      bench.progress(`watching for ${seconds} s at ${callsPerSecond} calls a second`)
      for (let passed = 0; passed < seconds * 1000; passed += coldPauseMs) {
        const paused = sleep(coldPauseMs)
        cold.push(await getCold(service, bench.freshNumbers(1)))
        latenesses.push(await service.metric('hilos_bff_watch_lateness_ratio'))
        await paused
      }
      measuredSeconds = (Date.now() - openedAt) / 1000
      for (const reader of readers) reader.close()
    })
    const windowMs = Math.max(0, 1000 - Math.ceil(lateMs))
    const since = arrivals.filter(({ at }) => at >= openedAt)
    return {
      callsPerSecond,
      seconds: measuredSeconds,
      openingSeconds,
      mostAtOnce: mostWithin(windowMs, arrivals),
      windowMs,
      paces: watched.map((each) => callsOf(each, since)),
      proportion: Math.max(1, wishedPerSecond / (callsPerSecond / 2)),
      lateness: Math.max(...latenesses),
      cold,
    }
  } finally {
    await service.stop()
  }
}

function idsOf({ pace, runs }: (typeof watched)[number]): string[] {
  return Array.from({ length: runs }, (_, number) => pacedId(pace, number))
}

function callsOf(each: (typeof watched)[number], arrivals: readonly Arrival[]): PaceCalls {
  const ids = new Set(idsOf(each))
  const asked = arrivals.filter(({ id }) => ids.has(id)).map(({ id }) => id)
  return { ...each, calls: asked.length, unasked: ids.size - new Set(asked).size }
}

/** Returns the largest number of calls within any time of this length. */
function mostWithin(ms: number, arrivals: readonly Arrival[]): number {
  const times = arrivals.map(({ at }) => at)
  const counts = times.map((from, index) => {
    const end = times.findIndex((at) => at >= from + ms)
    return (end < 0 ? times.length : end) - index
  })
  return Math.max(...counts)
}

async function getCold({ origin }: LiveService, number: number): Promise<Budget['cold'][number]> {
  const began = performance.now()
  const response = await fetch(`${origin}/execution-contacts/${benchId(number)}`, { headers: callerHeaders })
  await response.arrayBuffer()
  return { status: response.status, ms: performance.now() - began }
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value)
}
