import { createStretch } from '../cache/adaptive-ttl.ts'
import type { Load } from '../cache/in-flight-loads.ts'
import { createStore, type Fullness, type Store } from '../cache/lru-store.ts'
import { createReadThrough, type ReadThrough } from '../cache/read-through.ts'
import { createSetbacks } from '../cache/recent-failures.ts'
import type { Config } from '../config/config.ts'
import { createContactRef } from '../presentation/contact/contact.ts'
import { presentExecutionContact } from '../presentation/contact/execution-contact.ts'
import { createRenderings, type Renderings } from '../presentation/views/rendered-views.ts'
import type { HilosClient } from '../upstream/hilos-client.ts'
import { UpstreamFailure } from '../upstream/upstream-failure.ts'
import { lifetimeOf } from './lifetime.ts'
import { type RememberedContact, rememberContact } from './stored-contact.ts'
import { createEntitledReads, type EntitledReads } from './visible-contacts.ts'

export interface Seams {
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** From 0 to, and not, 1. */
  readonly random: () => number
  /** Holds back an absence; timers by default. */
  readonly pause?: (ms: number) => Promise<unknown>
}

export interface Contacts {
  /** By id, as far as each caller may know of them; to be forgotten one by one or all at once. */
  readonly reads: EntitledReads<RememberedContact>
  /** The same by nobody's rights. */
  readonly remembered: ReadThrough<RememberedContact>
  readonly renderings: Renderings
  /** What is remembered, for a look inside. */
  readonly store: Store<RememberedContact>
  /** How full each of its memories is. */
  readonly fullness: () => CacheFullness
  /** Stops looking for what can be forgotten. */
  readonly close: () => void
}

/** The parts of the cache's budget, and what each is for. */
export interface CacheFullness {
  /** Presentations. */
  readonly contacts: Fullness
  /** Their representations, which can be made again. */
  readonly renderings: Fullness
  /** Ids of which Hilos said that there is nothing. */
  readonly absences: Fullness
  /** The same for callers limited to flows, and what is absent for these alone. */
  readonly ownAbsences: Fullness
}

/** Execution contacts, from Hilos through the presentation into the cache: only what the presentation names is stored. */
export function createContacts(config: Config, client: HilosClient, seams: Seams): Contacts {
  const { cache } = config
  const { now, elapsed, random, pause } = seams
  const store = createStore<RememberedContact>({
    maxBytes: cache.documentsMaxBytes,
    now,
    onForgotten: (id) => renderings.delete(id),
  })
  const absences = createStore<RememberedContact>({ maxBytes: cache.absencesMaxBytes, now })
  const ownAbsences = createStore<RememberedContact>({ maxBytes: cache.ownAbsencesMaxBytes, now })
  const renderings = createRenderings({
    maxBytes: cache.renderingsMaxBytes,
    isRemembered: (id, packed) => store.get(id)?.value?.packed === packed,
  })
  const newSetbacks = () =>
    createSetbacks({
      // A longer memory of answers is wished for, not one of failures.
      atLeastMs: cache.setbackMs * Math.min(cache.lifetimeScale, 1),
      maxCount: cache.maxSetbacks,
      now,
      random,
    })
  const common = {
    load: createLoad(config, client, seams, store),
    values: store,
    isTransient: (error: unknown) => error instanceof UpstreamFailure,
    slowMs: cache.slowMs,
    now,
  }
  const remembered = createReadThrough<RememberedContact>({ ...common, absences, setbacks: newSetbacks() })
  const reads = createEntitledReads<RememberedContact>({
    ...common,
    remembered,
    absences: ownAbsences,
    setbacks: newSetbacks(),
    absenceLifetime: () => lifetimeOf(null, now(), { scale: cache.lifetimeScale, stretch: 1, random: random() }),
    gridMs: config.access.concealmentGridMs,
    elapsed,
    ...(pause && { pause }),
  })
  const sweeping = setInterval(() => {
    for (const each of [store, absences, ownAbsences]) each.sweep()
  }, cache.sweepMs).unref()

  return {
    reads,
    remembered,
    renderings,
    store,
    fullness: () => ({
      contacts: store.fullness(),
      renderings: renderings.fullness(),
      absences: absences.fullness(),
      ownAbsences: ownAbsences.fullness(),
    }),
    close: () => clearInterval(sweeping),
  }
}

/** How one contact comes from Hilos, and for how long it may be used. */
function createLoad(
  { cache, contact, hilos }: Config,
  client: HilosClient,
  { now, elapsed, random }: Seams,
  store: Store<RememberedContact>,
): Load<RememberedContact> {
  const stretch = createStretch({ maxLoadsPerSecond: hilos.maxCallsPerSecond, elapsed })
  const presentationOptions = { refOf: createContactRef(contact.refKey.reveal()), metaKeys: contact.metaKeys }

  return async (id, isAwaited) => {
    const document = await client.getExecutionContact(id, isAwaited)
    const presented = document && presentExecutionContact(document, presentationOptions)
    const before = store.get(id)
    const value = presented && rememberContact(presented, before?.value ?? null)

    const fetchedAt = now()
    const options = { scale: cache.lifetimeScale, stretch: 1, random: random() }
    if (before) stretch.count(fetchedAt - before.fetchedAt, lifetimeOf(presented, fetchedAt, options).freshMs)
    const lifetime = lifetimeOf(presented, fetchedAt, { ...options, stretch: stretch.factor() })
    return { value, bytes: value?.packed.length ?? 0, fetchedAt, ...lifetime }
  }
}
