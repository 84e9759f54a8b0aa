import type { Entry, News } from '../cache/entry.ts'
import type { Cancel, Clock } from '../common/clock.ts'
import { dueTime, latenessOf, nextTurn, type Turn } from './rounds.ts'

export interface WatchesOptions<V> {
  /** How long after an answer the key should be asked about again, in milliseconds, above 0. */
  readonly wishedMs: (entry: Entry<V>) => number
  /** A key whose last load failed is asked about again after this at the latest, in milliseconds. */
  readonly retryMs: number
  /**
   * Joins or begins a load of the key that no caller awaits. It never rejects. What it brings is told by `tell`. It resolves to
   * false if the origin was not asked for lack of calls: then the key is as late as before.
   */
  readonly refresh: (key: string) => Promise<boolean>
  /** The most loads a second for all watched keys together; 0 for no limit. */
  readonly maxLoadsPerSecond: number
  /** How many processes share these loads, at least 1. What one of them loads, `tell` tells all. */
  readonly processes: () => number
  /** The most of these loads at once. */
  readonly maxUnderWay: number
  readonly clock: Pick<Clock, 'now' | 'elapsed' | 'schedule'>
}

export interface Watches<V> {
  /**
   * Hears of each load of the key from now on, by whatever request it was begun. Returns what ends that. An error that `hear`
   * throws is an uncaught error of the process: it concerns neither the other listeners nor the request that began the load.
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

interface WatchedKey<V> extends Turn {
  readonly key: string
  readonly listeners: Set<{ readonly hear: (news: News<V>) => void }>
  wishedMs: number
  askedAt: number
  dueAt: number
  /** Whether its last load failed. */
  hasFailed: boolean
}

/** A load that took long to fail keeps a place from others: it is repeated after this many times as long. */
const failureFactor = 4

/**
 * The keys that are watched. However many watch one, it is asked about once. All keys together stay within a budget: they take
 * turns, and all are late in the same proportion.
 */
export function createWatches<V>(options: WatchesOptions<V>): Watches<V> {
  const { wishedMs, retryMs, refresh, maxLoadsPerSecond, processes, maxUnderWay, clock } = options
  const turnMs = () => (maxLoadsPerSecond === 0 ? 0 : (1000 * processes()) / maxLoadsPerSecond)
  const watched = new Map<string, WatchedKey<V>>()
  /** The keys that are being asked about, also those that are not watched any more. */
  const underWay = new Set<string>()
  let pacedUntil = Number.NEGATIVE_INFINITY
  let cancelTurn: Cancel = () => {}
  let isClosed = false

  function begin(key: string, entry: Entry<V>): WatchedKey<V> {
    const whose = {
      key,
      listeners: new Set<never>(),
      wishedMs: wishedMs(entry),
      askedAt: 0,
      dueAt: 0,
      hasFailed: false,
    }
    // However old the entry is, the key is due at once and no later than that. Otherwise, after an outage of the origin, many
    // that begin to be watched would go before all others.
    const ageMs = Math.min(Math.max(0, clock.now() - entry.generatedAt), whose.wishedMs)
    watched.set(key, whose)
    markAsked(whose, clock.elapsed() - ageMs)
    return whose
  }

  function markAsked(whose: WatchedKey<V>, askedAt: number): void {
    const othersDueAt = Array.from(watched.values(), (each) => (each === whose ? Number.NEGATIVE_INFINITY : each.dueAt))
    whose.askedAt = askedAt
    whose.dueAt = dueTime(askedAt + whose.wishedMs, othersDueAt, turnMs(), clock.elapsed())
  }

  /** Takes the turns that are due, and wakes up for the next one. */
  function takeTurns(): void {
    cancelTurn()
    while (!isClosed && underWay.size < maxUnderWay) {
      const now = clock.elapsed()
      const next = nextTurn(watched.values(), ({ key }) => !underWay.has(key), now)
      if (next === undefined) return
      const at = Math.max(next.dueAt, pacedUntil)
      if (at > now) {
        cancelTurn = clock.schedule(takeTurns, at - now)
        return
      }
      pacedUntil = now + turnMs()
      void ask(next.key)
    }
  }

  async function ask(key: string): Promise<void> {
    underWay.add(key)
    const begunAt = clock.elapsed()
    const isAsked = await refresh(key)
    underWay.delete(key)
    const whose = watched.get(key)
    if (whose) endTurn(whose, isAsked, clock.elapsed() - begunAt)
    takeTurns()
  }

  function endTurn(whose: WatchedKey<V>, isAsked: boolean, tookMs: number): void {
    const now = clock.elapsed()
    const againMs = Math.min(whose.wishedMs, retryMs)
    if (whose.hasFailed && isAsked) whose.wishedMs = Math.max(againMs, failureFactor * tookMs)
    if (isAsked) markAsked(whose, now)
    else whose.dueAt = now + againMs
  }

  return {
    watch: (key, entry, hear) => {
      const whose = watched.get(key) ?? begin(key, entry)
      const listener = { hear }
      whose.listeners.add(listener)
      takeTurns()
      return () => {
        whose.listeners.delete(listener)
        if (whose.listeners.size === 0 && watched.get(key) === whose) watched.delete(key)
        takeTurns()
      }
    },
    tell: (key, news) => {
      const whose = watched.get(key)
      if (whose === undefined) return
      whose.hasFailed = 'error' in news
      if ('entry' in news) {
        whose.wishedMs = wishedMs(news.entry)
        markAsked(whose, clock.elapsed())
      } else {
        // The failure of another request's load takes no turn from this one, and makes it no later in proportion.
        whose.dueAt = Math.min(whose.dueAt, clock.elapsed() + retryMs)
      }
      takeTurns()
      for (const listener of [...whose.listeners]) {
        if (!whose.listeners.has(listener)) continue
        try {
          listener.hear(news)
        } catch (error) {
          clock.schedule(() => {
            throw error
          }, 0)
        }
      }
    },
    status: () => {
      const now = clock.elapsed()
      return {
        keys: watched.size,
        lateness: Math.max(0, ...Array.from(watched.values(), (each) => latenessOf(each, now))),
      }
    },
    close: () => {
      isClosed = true
      cancelTurn()
    },
  }
}
