import { AsyncLocalStorage } from 'node:async_hooks'
import { createLruStore } from '../cache/lru-store.ts'
import { createRecentFailures } from '../cache/recent-failures.ts'
import { createReloadLimit } from '../cache/reloads.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import { createRenderedViews, type RenderedViews } from '../presentation/views/rendered-views.ts'
import type { ReportDrift } from '../upstream/document/drift.ts'
import type { HilosClient } from '../upstream/hilos-client.ts'
import { createWatches, type Watches } from '../watch/watches.ts'
import { createDocuments } from './documents.ts'
import { lifetimeOf, watchIntervalOf } from './lifetime.ts'
import { createLoadContact } from './load-contact.ts'
import { createReadContact } from './read-contact.ts'
import { createReadContacts } from './read-contacts.ts'
import { noSecondTier, type SecondTier } from './second-tier.ts'
import { staleWordOf } from './stale-word.ts'
import type { StoredContact } from './stored-contact.ts'
import { createVisibleContacts, type NegativeCache } from './visible-contacts.ts'
import { createRepresent } from './watched-contact.ts'

export type Contacts = Readonly<ReturnType<typeof createContacts>>

/**
 * The execution contacts: from Hilos through the presentation into the cache, and from there to callers.
 * @param secondTier what other replicas know
 */
export function createContacts(
  config: Config,
  client: HilosClient,
  drifted: ReportDrift,
  clock: Clock,
  secondTier: SecondTier = noSecondTier,
) {
  const { cache } = config
  const documents = createDocuments({ ...config.contact, timeoutMs: config.hilos.timeoutMs, clock })
  const store = createLruStore<StoredContact>({
    maxBytes: cache.documentsMaxBytes,
    clock,
    onStored: (id, { value }, previous) => {
      if (previous && previous.value?.content !== value?.content) views.delete(id)
    },
    onForgotten: (id) => views.delete(id),
  })
  const views: RenderedViews = createRenderedViews({
    maxBytes: cache.renderingsMaxBytes,
    isStored: (id, content) => store.get(id)?.value?.content === content,
    render: documents.render,
  })
  const unlimited = createNegativeCache(config, cache.absencesMaxBytes, clock)
  const limited = createNegativeCache(config, cache.ownAbsencesMaxBytes, clock)
  /** Calls a function as no part of the request, and of its trace, that began to watch or set a timer. */
  const outsideRequests = AsyncLocalStorage.snapshot()
  const watches: Watches<StoredContact> = createWatches<StoredContact>({
    ...config.watch,
    processes: secondTier.replicas,
    wishedMs: ({ value }) => watchIntervalOf(value?.pace ?? null, clock.now(), cache.lifetimeScale),
    refresh: (id) => outsideRequests(() => visible.refresh(id)),
    clock,
  })
  const visible = createVisibleContacts({
    values: store,
    unlimited,
    limited,
    load: createLoadContact({
      config,
      client,
      present: documents.present,
      drifted,
      replicas: secondTier.replicas,
      clock,
    }),
    secondTier,
    detailOf: staleWordOf,
    absenceLifetime: () =>
      lifetimeOf(null, clock.now(), { ageMs: 0, scale: cache.lifetimeScale, ttlFactor: 1, random: clock.random() }),
    slowMs: cache.slowMs,
    grantReload: createReloadLimit({ ...cache.reloads, clock }),
    notFoundStepMs: config.access.notFoundStepMs,
    onNews: watches.tell,
    clock,
  })
  const read = createReadContact({ visible, views, clock })
  const sweeping = setInterval(() => {
    for (const each of [store, unlimited.absences, limited.absences]) each.sweep()
  }, cache.sweepMs).unref()

  return {
    read,
    readSeveral: createReadContacts({ read, timeoutMs: config.hilos.timeoutMs, clock }),
    /** What a caller gets of a contact that it watches. */
    represent: createRepresent(views),
    /** Hears of each load of a contact. It is asked about regularly from now on. */
    watch: watches.watch,
    /** How many contacts are watched, and how late the latest of them is. */
    watchStatus: watches.status,
    /**
     * Removes all that is stored of one contact: at once here, and by the time it resolves in all replicas.
     * @param purge a word that the logs of all replicas have in common
     * @throws Failure `shared_tier_unavailable`
     */
    delete: async (id: string, purge: string) => {
      visible.delete(id)
      await secondTier.forget(id, purge)
    },
    /** Does the same for all contacts. */
    clear: async (purge: string) => {
      visible.clear()
      await secondTier.forget(null, purge)
    },
    /** How full each part of the cache is. */
    usage: () => ({
      /** Contacts, shared by all callers. */
      contacts: store.usage(),
      /** Their rendered views, which can be rendered again. */
      renderings: views.usage(),
      /** Ids that do not exist at Hilos. */
      absences: unlimited.absences.usage(),
      /** Ids that are absent for callers limited to flows. */
      ownAbsences: limited.absences.usage(),
    }),
    /** The stored contacts, for tests. */
    store,
    /** Stops the removal of expired entries, the turns of watched contacts, and the work on large documents. */
    close: () => {
      clearInterval(sweeping)
      watches.close()
      documents.close()
    },
  }
}

function createNegativeCache({ cache }: Config, maxBytes: number, clock: Clock): NegativeCache {
  return {
    absences: createLruStore<StoredContact>({ maxBytes, clock }),
    failures: createRecentFailures({
      // A scale above 1 lengthens the lifetime of answers, not that of errors.
      ttlMs: cache.failureTtlMs * Math.min(cache.lifetimeScale, 1),
      maxEntries: cache.maxRecentFailures,
      clock,
    }),
  }
}
