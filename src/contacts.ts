import { createReadThrough, type ReadThrough } from './cache/read-through.ts'
import { createSetbacks } from './cache/setbacks.ts'
import type { Load } from './cache/single-flight.ts'
import { createStore, type Store } from './cache/store.ts'
import { createStretch } from './cache/stretch.ts'
import type { Config } from './config.ts'
import { createContactRef } from './presentation/contact.ts'
import { presentExecutionContact } from './presentation/execution-contact.ts'
import { lifetimeOf } from './presentation/lifetime.ts'
import { packContact } from './presentation/rendering.ts'
import { createRenderings, type Renderings } from './presentation/renderings.ts'
import type { HilosClient } from './upstream/hilos-client.ts'
import { UpstreamFailure } from './upstream/upstream-failure.ts'

export interface Seams {
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** From 0 to, and not, 1. */
  readonly random: () => number
}

export interface Contacts {
  /** Packed presentations by id. */
  readonly remembered: ReadThrough<Buffer>
  readonly renderings: Renderings
  /** What is remembered, for a look inside. */
  readonly store: Store<Buffer>
  /** Stops looking for what can be forgotten. */
  readonly close: () => void
}

/** Execution contacts, from Hilos through the presentation into the cache: only what the presentation names is stored. */
export function createContacts(config: Config, client: HilosClient, seams: Seams): Contacts {
  const { cache } = config
  const { now, random } = seams
  const store = createStore<Buffer>({
    maxBytes: cache.documentsMaxBytes,
    now,
    onForgotten: (id) => renderings.delete(id),
  })
  const absences = createStore<Buffer>({ maxBytes: cache.absencesMaxBytes, now })
  const renderings = createRenderings({
    maxBytes: cache.renderingsMaxBytes,
    isRemembered: (id, packed) => store.get(id)?.value === packed,
  })
  const remembered = createReadThrough({
    load: createLoad(config, client, seams, store),
    values: store,
    absences,
    setbacks: createSetbacks({
      // A longer memory of answers is wished for, not one of failures.
      atLeastMs: cache.setbackMs * Math.min(cache.lifetimeScale, 1),
      maxCount: cache.maxSetbacks,
      now,
      random,
    }),
    isTransient: (error) => error instanceof UpstreamFailure,
    slowMs: cache.slowMs,
    now,
  })
  const sweeping = setInterval(() => {
    store.sweep()
    absences.sweep()
  }, cache.sweepMs).unref()

  return { remembered, renderings, store, close: () => clearInterval(sweeping) }
}

/** How one contact comes from Hilos, and for how long it may be used. */
function createLoad(
  { cache, contact, hilos }: Config,
  client: HilosClient,
  { now, elapsed, random }: Seams,
  store: Store<Buffer>,
): Load<Buffer> {
  const stretch = createStretch({ maxLoadsPerSecond: hilos.maxCallsPerSecond, elapsed })
  const presentationOptions = { refOf: createContactRef(contact.refKey.reveal()), metaKeys: contact.metaKeys }

  return async (id, isAwaited) => {
    const document = await client.getExecutionContact(id, isAwaited)
    const presented = document && presentExecutionContact(document, presentationOptions)
    const packed = presented && packContact(presented)
    const before = store.get(id)
    // The same bytes are the same revision, and keep what was rendered of it.
    const value = packed && before?.value?.equals(packed) ? before.value : packed

    const fetchedAt = now()
    const options = { scale: cache.lifetimeScale, stretch: 1, random: random() }
    if (before) stretch.count(fetchedAt - before.fetchedAt, lifetimeOf(presented, fetchedAt, options).freshMs)
    const lifetime = lifetimeOf(presented, fetchedAt, { ...options, stretch: stretch.factor() })
    return { value, bytes: value?.length ?? 0, fetchedAt, ...lifetime }
  }
}
