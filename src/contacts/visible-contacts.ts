import { setTimeout as sleep } from 'node:timers/promises'
import { type Caller, mayKnowOf } from '../access/caller.ts'
import type { Entry, Lifetime } from '../cache/entry.ts'
import { type Answer, createReadThrough, type ReadThrough, type ReadThroughOptions } from '../cache/read-through.ts'
import { type Demand, noDemand } from '../cache/request-directives.ts'

/** What is remembered, as far as access is concerned. */
export interface OfFlow {
  /** Null where Hilos does not say which flow it is. */
  readonly flowId: string | null
}

export interface EntitledReads<V> {
  /**
   * What is under the key as far as the caller may know: like `ReadThrough.get`, but what lies outside their flows is
   * absent, and nothing tells it from what does not exist: not the answer, not its time, not what the next one says.
   */
  readonly get: (caller: Caller, key: string, demand?: Demand) => Answer<V> | null | Promise<Answer<V> | null>
  /** Forgets one key, for everybody. A load under way still answers those who wait for it, but is not remembered. */
  readonly delete: (key: string) => void
  /** Forgets everything, in the same way. */
  readonly clear: () => void
}

export interface EntitledReadsOptions<V> extends ReadThroughOptions<V> {
  /** For those who may know of every flow, and for what is known to be of the caller's. */
  readonly remembered: ReadThrough<V>
  /** Of an absence that is none but for this caller. */
  readonly absenceLifetime: () => Lifetime
  /** To a caller limited to flows, an absence that had to be asked for is told at a multiple of this after the question. */
  readonly gridMs: number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** Timers by default. */
  readonly pause?: (ms: number) => Promise<unknown>
}

/**
 * Reads for callers, some of whom may know of some flows only. What these do not already see is asked for, failed at and
 * found absent for them alone, and for others limited in the same way: what anybody else has asked, or has been told,
 * plays no part in it, because it would say that there is something to be told.
 * @param options `absences` and `setbacks` are those of callers limited to flows, `values` are everybody's
 */
export function createEntitledReads<V extends OfFlow>(options: EntitledReadsOptions<V>): EntitledReads<V> {
  const { remembered, values, load, absenceLifetime, gridMs, elapsed, pause = sleep } = options
  const asked = createReadThrough<V>({
    ...options,
    load: loadAsFarAsKnown,
    // What is found is everybody's, and read where it may be known.
    values: {
      ...values,
      set: (place, entry) => values.set(keyOf(place), entry),
      delete: () => {},
      entries: () => [],
    },
  })
  /** How often something was forgotten on request. */
  let purges = 0
  const scopeOf = createScopes()

  function get(caller: Caller, key: string, demand: Demand = noDemand): ReturnType<EntitledReads<V>['get']> {
    if (caller.flows === null) return remembered.get(key, demand)
    const known = values.get(key)?.value
    const isSeen = known ? mayKnowOf(caller.flows, known.flowId) : false
    return isSeen ? getSeen(caller, key, demand) : getUnseen(caller.flows, key, demand)
  }

  function getSeen(caller: Caller, key: string, demand: Demand) {
    const answer = remembered.get(key, demand)
    if (!(answer instanceof Promise)) return answer
    // It may have gone to another flow meanwhile.
    return answer.then((landed) =>
      landed.entry.value === null || mayKnowOf(caller.flows, landed.entry.value.flowId)
        ? landed
        : get(caller, key, demand),
    )
  }

  function getUnseen(flows: ReadonlySet<string>, key: string, demand: Demand) {
    const askedAt = elapsed()
    const answer = asked.get(`${key} ${scopeOf(flows)}`, demand)
    return answer instanceof Promise ? answer.then((landed) => onGrid(landed, askedAt)) : answer
  }

  async function loadAsFarAsKnown(place: string, isAwaited: () => boolean): Promise<Entry<V>> {
    const key = keyOf(place)
    const purgesBefore = purges
    const entry = await load(key, isAwaited)
    // Both kinds of absence take the same room.
    const nothing = { value: null, bytes: place.length, fetchedAt: entry.fetchedAt }
    if (entry.value === null) {
      values.delete(key)
      return { ...entry, ...nothing }
    }
    if (mayKnowOf(flowsOf(place), entry.value.flowId)) return entry
    if (purges === purgesBefore) values.set(key, entry)
    return { ...nothing, ...absenceLifetime() }
  }

  async function onGrid(landed: Answer<V>, askedAt: number): Promise<Answer<V>> {
    if (landed.entry.value === null) await pause(gridMs - ((elapsed() - askedAt) % gridMs))
    return landed
  }

  return {
    get,
    delete: (key) => {
      purges += 1
      remembered.delete(key)
      asked.deleteEach((place) => keyOf(place) === key)
    },
    clear: () => {
      purges += 1
      remembered.clear()
      asked.clear()
    },
  }
}

/** A place is a key, which has no space in it, and the flows for which it is asked, as JSON. */
const keyOf = (place: string) => place.slice(0, place.indexOf(' '))
const flowsOf = (place: string): ReadonlySet<string> => new Set(JSON.parse(place.slice(place.indexOf(' '))))

/** The flows as a text, the same for the same flows. */
function createScopes(): (flows: ReadonlySet<string>) => string {
  const scopes = new WeakMap<ReadonlySet<string>, string>()
  return (flows) => {
    const scope = scopes.get(flows) ?? JSON.stringify([...flows].sort())
    scopes.set(flows, scope)
    return scope
  }
}
