import type { Entry, News } from '../cache/entry.ts'
import type { Cancel, Clock } from '../common/clock.ts'
import { latenessOf, nextTurn } from './rounds.ts'

export interface WatchesOptions<V> {
  /** How long after an answer the key should be asked about again, in milliseconds, above 0. */
  readonly wishedMs: (entry: Entry<V>) => number
  /** A key whose last load failed is asked about again after this at the latest, in milliseconds. */
  readonly retryMs: number
  /** Joins or begins a load of the key that no caller awaits. It never rejects. What it brings is told by `tell`. */
  readonly refresh: (key: string) => Promise<unknown>
  /** The most loads a second for all watched keys together; 0 for no limit. */
  readonly maxLoadsPerSecond: number
  /** The most of these loads at once. */
  readonly maxUnderWay: number
  readonly clock: Pick<Clock, 'now' | 'elapsed' | 'schedule'>
}

export interface Watches<V> {
  /**
   * Hears of each load of the key from now on, by whatever request it was begun. Returns what ends that.
   * @param entry what is known of the key
   */
  readonly watch: (key: string, entry: Entry<V>, hear: (news: News<V>) => void) => () => void
  /** Tells those who watch a key what a load of it brought. */
  readonly tell: (key: string, news: News<V>) => void
  /** How many keys are watched, and how late the latest of them is (see `latenessOf`); 0 without any. */
  readonly status: () => { readonly keys: number; readonly lateness: number }
  /** Asks about no key any more. */
  readonly close: () => void
}

interface WatchedKey<V> {
  readonly key: string
  readonly listeners: Set<(news: News<V>) => void>
  wishedMs: number
  askedAt: number
  isUnderWay: boolean
}

/**
 * The keys that are watched. However many watch one, it is asked about once. All keys together stay within a budget: they take
 * turns, and all are late in the same proportion.
 */
export function createWatches<V>(options: WatchesOptions<V>): Watches<V> {
  const { wishedMs, retryMs, refresh, maxLoadsPerSecond, maxUnderWay, clock } = options
  const paceMs = maxLoadsPerSecond === 0 ? 0 : 1000 / maxLoadsPerSecond
  const watched = new Map<string, WatchedKey<V>>()
  let underWay = 0
  let pacedUntil = Number.NEGATIVE_INFINITY
  let cancelTurn: Cancel = () => {}

  function begin(key: string, entry: Entry<V>): WatchedKey<V> {
    const ageMs = Math.max(0, clock.now() - entry.generatedAt)
    const askedAt = clock.elapsed() - ageMs
    return { key, listeners: new Set(), wishedMs: wishedMs(entry), askedAt, isUnderWay: false }
  }

  /** Takes the turns that are due, and wakes up for the next one. */
  function takeTurns(): void {
    cancelTurn()
    while (underWay < maxUnderWay) {
      const now = clock.elapsed()
      const next = nextTurn(watched.values(), now)
      if (next === undefined) return
      const at = Math.max(next.at, pacedUntil)
      if (at > now) {
        cancelTurn = clock.schedule(takeTurns, at - now)
        return
      }
      pacedUntil = now + paceMs
      void ask(next.whose)
    }
  }

  async function ask(whose: WatchedKey<V>): Promise<void> {
    underWay += 1
    whose.isUnderWay = true
    await refresh(whose.key)
    underWay -= 1
    whose.isUnderWay = false
    whose.askedAt = clock.elapsed()
    takeTurns()
  }

  return {
    watch: (key, entry, hear) => {
      const whose = watched.get(key) ?? begin(key, entry)
      whose.listeners.add(hear)
      watched.set(key, whose)
      takeTurns()
      return () => {
        whose.listeners.delete(hear)
        if (whose.listeners.size === 0 && watched.get(key) === whose) watched.delete(key)
      }
    },
    tell: (key, news) => {
      const whose = watched.get(key)
      if (whose === undefined) return
      const { askedAt, wishedMs: usualMs } = 'entry' in news ? begin(key, news.entry) : whose
      whose.askedAt = askedAt
      whose.wishedMs = 'entry' in news ? usualMs : Math.min(usualMs, retryMs)
      for (const hear of [...whose.listeners]) hear(news)
    },
    status: () => {
      const now = clock.elapsed()
      return {
        keys: watched.size,
        lateness: Math.max(0, ...Array.from(watched.values(), (each) => latenessOf(each, now))),
      }
    },
    close: () => {
      watched.clear()
      cancelTurn()
    },
  }
}
