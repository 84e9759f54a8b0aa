import type { Entry, News } from '../../src/cache/entry.ts'
import { createWatches, type WatchesOptions } from '../../src/watch/watches.ts'
import { createTimers, type TestTimers } from '../harness/timers.ts'

/** The value of an entry is its wished interval in milliseconds. */
export type Outcome = number | null | Error | 'refused' | 'rationed' | 'hangs'

export interface RigOptions extends Partial<WatchesOptions<number>> {
  /**
   * What a load brings, or that it is refused without news, or waits for a call in vain, or never ends. By default an answer that
   * wishes for 3 s.
   */
  readonly outcomeOf?: (key: string) => Outcome
  /** How long a load takes. */
  readonly loadMs?: (key: string) => number
  readonly timers?: TestTimers
}

/** An absence wishes for this. */
export const absenceMs = 10_000

/**
 * Watches on a clock that is moved by hand. By default the budget is 2.5 loads a second and two at once, a load takes 100 ms, and
 * a failure is followed by another try after 5 s.
 */
export function arrange(options: RigOptions = {}) {
  const { outcomeOf = () => 3000, loadMs = () => 100, timers: clock = createTimers(), ...others } = options
  /** Each load, with the seconds since the start. */
  const loads: { readonly key: string; readonly at: number }[] = []
  const timesOf = new Map<string, number[]>()
  const startedAt = clock.elapsed()
  const seconds = () => rounded((clock.elapsed() - startedAt) / 1000)

  const entryOf = (value: number | null, ageMs = 0): Entry<number> => ({
    value,
    bytes: 1,
    generatedAt: clock.now() - ageMs,
    freshMs: 1,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
  })

  const watches = createWatches<number>({
    wishedMs: ({ value }) => value ?? absenceMs,
    retryMs: 5000,
    maxLoadsPerSecond: 2.5,
    processes: () => 1,
    maxUnderWay: 2,
    refresh: (key) => {
      loads.push({ key, at: seconds() })
      timesOf.set(key, [...(timesOf.get(key) ?? []), seconds()])
      const outcome = outcomeOf(key)
      if (outcome === 'refused') return Promise.resolve(true)
      const { promise, resolve } = Promise.withResolvers<boolean>()
      if (outcome === 'hangs') return promise
      clock.schedule(() => {
        const error = outcome === 'rationed' ? new Error(outcome) : outcome
        watches.tell(key, error instanceof Error ? { error } : { entry: entryOf(error) })
        resolve(outcome !== 'rationed')
      }, loadMs(key))
      return promise
    },
    clock,
    ...others,
  })

  return {
    clock,
    watches,
    loads,
    entryOf,
    /** Watches a key whose entry has an age; by default it wishes for 3 s, and its answer has just come. */
    watch: (key: string, value: number | null = 3000, ageMs = 0, hear: (news: News<number>) => void = () => {}) =>
      watches.watch(key, entryOf(value, ageMs), hear),
    /** When each load of a key began, in seconds since the start. */
    asked: (key: string): readonly number[] => timesOf.get(key) ?? [],
    /** Each load as a text. */
    loadsAsText: () => loads.map(({ key, at }) => `${key} ${at}`),
  }
}

/** To whole milliseconds. */
const rounded = (seconds: number) => Math.round(seconds * 1000) / 1000

/** The longest and the mean time between neighbours, in seconds. */
export function intervalsOf(times: readonly number[]) {
  const all = times.slice(1).map((at, index) => at - (times[index] as number))
  return {
    longest: rounded(Math.max(...all)),
    mean: all.reduce((sum, each) => sum + each, 0) / all.length,
    count: all.length,
  }
}
