import type { Clock } from '../common/clock.ts'
import { decide, type FailureDetail, type ForwardReason } from './decision.ts'
import { type Entry, errorOnly, freshOnly, type News, usabilityOf } from './entry.ts'
import {
  createInFlightLoads,
  type InFlightLoad,
  type Load,
  type LoadResult,
  type SlowOrigin,
  type Urgency,
} from './in-flight-loads.ts'
import type { RecentFailures } from './recent-failures.ts'
import type { GrantReload } from './reloads.ts'
import type { RequestDirectives } from './request-directives.ts'
import type { Store } from './store.ts'

/** What the cache did for one request, in the terms of RFC 9211. */
export interface Handling {
  /** Why the origin was asked; null for a hit. */
  readonly fwd: ForwardReason | null
  /** Whether the answer of the origin was stored. */
  readonly stored: boolean
  /** Whether the request joined a load that another request had started, in this process or another one. */
  readonly collapsed: boolean
  /** Why the answer is a stale entry, or that another process had it; null for any other answer. */
  readonly detail: FailureDetail | 'revalidating' | 'origin-slow' | 'shared' | null
  /** Whether the request wished for a reload, which was not granted; the answer is the fresh entry. */
  readonly reloadDenied: boolean
}

export interface CacheAnswer<V> {
  readonly entry: Entry<V>
  readonly handling: Handling
  /** The error of the load that failed, for this request or a moment ago; undefined when none did. */
  readonly error?: unknown
}

/** What the cache has to know of a request. */
export interface CacheRequest {
  readonly directives: RequestDirectives
  /** The caller, for the fair shares of the loads and the limit of reloads. */
  readonly askedBy: string
  /** That of a load that the request waits for. */
  readonly urgency: Urgency
}

export interface ReadThrough<V> {
  /**
   * Returns the entry of the key, stored or loaded. It returns a promise only when the request has to wait, and null when
   * no stored entry is usable and the directives forbid a load. It throws, or rejects with, the error of the load, which
   * may be the error of a moment ago.
   */
  readonly get: (
    key: string,
    load: Load<V>,
    request: CacheRequest,
  ) => CacheAnswer<V> | null | Promise<CacheAnswer<V> | null>
  /**
   * Stores what another process has loaded, unless the key is deleted meanwhile.
   * @param read gets it; null for nothing newer than what is stored. It never rejects.
   * @param isAwaited whether requests wait for it, because what is stored is out of date. If nothing newer can be read, that is
   *   fresh no longer.
   */
  readonly adopt: (key: string, read: () => Promise<Entry<V> | null>, isAwaited: boolean) => void
  /**
   * Loads the key, however fresh its entry is, or joins the load in flight. It resolves when that has ended, to whether the
   * origin was asked or would not have it, and never rejects: no caller waits for it.
   */
  readonly refresh: (key: string, load: Load<V>, askedBy: string) => Promise<boolean>
  /** Removes all that is stored of a key. A load in flight still answers its callers, but its result is not stored. */
  readonly delete: (key: string) => void
  /** Does the same for each key that matches. */
  readonly deleteEach: (matches: (key: string) => boolean) => void
  /** Does the same for all keys. */
  readonly clear: () => void
}

export interface ReadThroughOptions<V> {
  readonly values: Store<V>
  /** Absences have a store of their own, so that a flood of unknown keys evicts no value. */
  readonly absences: Store<V>
  readonly failures: RecentFailures
  /** What a stale entry says that replaces this error. Null when none may replace it: such an error ends the stale windows. */
  readonly detailOf: (error: unknown) => FailureDetail | null
  /** How long a request waits for the origin while a stale entry could be served. */
  readonly slowMs: number
  readonly grantReload: GrantReload
  /** Called with what each load brought, once that is stored or remembered, unless the key was deleted meanwhile. */
  readonly onNews: (key: string, news: News<V>) => void
  readonly clock: Pick<Clock, 'now' | 'elapsed' | 'schedule'>
}

const hit: Handling = { fwd: null, stored: false, collapsed: false, detail: null, reloadDenied: false }

/**
 * A read-through cache. {@link decide} decides what to do about a request; this does it, with one load per key at a time. A
 * load that is due, or in flight, needs no grant. A caller who stops waiting does not abort the load.
 */
export function createReadThrough<V>(options: ReadThroughOptions<V>): ReadThrough<V> {
  const { values, absences, failures, detailOf, grantReload, onNews, clock } = options
  const loads = createInFlightLoads<V>({ ...options, store, onFailed: rememberFailure })
  /** What is being adopted. */
  const adoptions = new Map<string, { readonly isAwaited: boolean; readonly ended: Promise<void> }>()

  function get(key: string, load: Load<V>, request: CacheRequest): ReturnType<ReadThrough<V>['get']> {
    const { directives, askedBy } = request
    const adoption = adoptions.get(key)
    if (adoption?.isAwaited) return adoption.ended.then(() => get(key, load, request))
    const entry = values.get(key) ?? absences.get(key)
    const failure = failures.get(key)
    const lastFailure = failure && (detailOf(failure.error) === 'rationed' ? 'rationed' : 'failed')
    const decision = decide(entry, directives, lastFailure, clock.now())
    switch (decision.reply) {
      case 'entry':
        if (decision.detail === 'revalidating') revalidate(key, load, askedBy)
        return { entry: entry as Entry<V>, handling: { ...hit, detail: decision.detail }, error: failure?.error }
      case 'failure':
        throw failure?.error
      case 'nothing':
        return null
      case 'load': {
        const isDue = decision.fwd !== 'request' || loads.current(key) !== undefined
        if (isDue || grantReload(key, askedBy)) return wait(key, load, request, decision.fwd)
        return { entry: entry as Entry<V>, handling: { ...hit, reloadDenied: true } }
      }
    }
  }

  async function wait(
    key: string,
    load: Load<V>,
    request: CacheRequest,
    fwd: ForwardReason,
  ): Promise<CacheAnswer<V> | null> {
    const { askedBy, urgency } = request
    const { maxAgeMs } = request.directives
    const current = loads.current(key)
    const collapsed = current !== undefined
    const inFlight = current ?? loads.start(key, load, askedBy, maxAgeMs)
    inFlight.join(askedBy, urgency)

    if (maxAgeMs === Number.POSITIVE_INFINITY) {
      const first = await endOrDelay(key, inFlight)
      const error = first.outcome === 'failed' ? first.error : undefined
      const detail = first.outcome === 'slow' ? first.detail : first.outcome === 'failed' ? detailOf(error) : null
      const entry = detail === null ? undefined : values.get(key)
      if (isUsable(entry)) return { entry, handling: { ...hit, fwd, collapsed, detail }, error }
    }
    const result = await inFlight.result
    if (result.outcome === 'failed') throw result.error
    const { entry, stored, asked } = result
    if (asked !== 'not') {
      const isCollapsed = collapsed || asked === 'elsewhere'
      return { entry, handling: { ...hit, fwd, stored: stored && !isCollapsed, collapsed: isCollapsed } }
    }
    // The load was for a request that wished for less: what is known elsewhere may be too old for this one.
    if (collapsed && maxAgeMs !== Number.POSITIVE_INFINITY) return get(key, load, request)
    const isFresh = usabilityOf(entry, clock.now()) === 'fresh'
    if (!isFresh) revalidate(key, load, askedBy)
    return { entry, handling: { ...hit, detail: isFresh ? 'shared' : 'revalidating' } }
  }

  /** The end of the load or, while there is an entry that can stand in for its result, that it is slow. */
  async function endOrDelay(
    key: string,
    { result, offered, slow }: InFlightLoad<V>,
  ): Promise<LoadResult<V> | SlowOrigin> {
    const end = isUsable(values.get(key)) ? undefined : await Promise.race([result, offered])
    return end ?? Promise.race([result, slow()])
  }

  function revalidate(key: string, load: Load<V>, askedBy: string): void {
    if (loads.current(key) === undefined) loads.start(key, load, askedBy, Number.POSITIVE_INFINITY)
  }

  function adopt(key: string, read: () => Promise<Entry<V> | null>, isAwaited: boolean): void {
    const adoption = {
      isAwaited,
      ended: read().then((entry) => {
        // The key may have been deleted, or there is something newer to adopt.
        if (adoptions.get(key) !== adoption) return
        adoptions.delete(key)
        if (entry !== null) store(key, entry)
        else if (isAwaited) endFreshness(key)
      }),
    }
    adoptions.set(key, adoption)
  }

  /** There is something newer, which could not be read: what is stored replaces errors only. */
  function endFreshness(key: string): void {
    absences.delete(key)
    const known = values.get(key)
    if (known !== undefined) values.set(key, errorOnly(known, clock.now()))
  }

  function isUsable(entry: Entry<V> | undefined): entry is Entry<V> {
    return entry !== undefined && usabilityOf(entry, clock.now()) !== 'expired'
  }

  function store(key: string, entry: Entry<V>): boolean {
    const [target, other] = entry.value === null ? [absences, values] : [values, absences]
    other.delete(key)
    failures.delete(key)
    const stored = target.set(key, entry)
    onNews(key, { entry })
    return stored
  }

  function rememberFailure(key: string, error: unknown): void {
    failures.set(key, error)
    const entry = values.get(key)
    if (entry !== undefined && detailOf(error) === null) values.set(key, freshOnly(entry))
    onNews(key, { error })
  }

  function deleteOne(key: string): void {
    for (const part of [values, absences, failures, loads, adoptions]) part.delete(key)
  }

  function deleteEach(matches: (key: string) => boolean): void {
    const stored = [values, absences].flatMap((each) => Array.from(each.entries(), ([key]) => key))
    for (const key of [...stored, ...failures.keys(), ...loads.keys(), ...adoptions.keys()])
      if (matches(key)) deleteOne(key)
  }

  return {
    get,
    adopt,
    refresh: async (key, load, askedBy) => {
      const inFlight = loads.current(key) ?? loads.start(key, load, askedBy, 0)
      inFlight.join(askedBy)
      const result = await inFlight.result
      return result.outcome === 'loaded' || detailOf(result.error) !== 'rationed'
    },
    delete: deleteOne,
    deleteEach,
    clear: () => {
      for (const part of [values, absences, failures, loads, adoptions]) part.clear()
    },
  }
}
