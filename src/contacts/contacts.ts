import { createLruStore } from '../cache/lru-store.ts'
import { createRecentFailures } from '../cache/recent-failures.ts'
import { createReloadLimit } from '../cache/reloads.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import { createRenderedViews, type RenderedViews } from '../presentation/views/rendered-views.ts'
import type { ReportDrift } from '../upstream/document/drift.ts'
import { UpstreamFailure } from '../upstream/failures.ts'
import type { HilosClient } from '../upstream/hilos-client.ts'
import { createDocuments } from './documents.ts'
import { lifetimeOf } from './lifetime.ts'
import { createLoadContact } from './load-contact.ts'
import { createReadContact } from './read-contact.ts'
import type { StoredContact } from './stored-contact.ts'
import { createVisibleContacts, type NegativeCache } from './visible-contacts.ts'

export type Contacts = Readonly<ReturnType<typeof createContacts>>

/** The execution contacts: from Hilos through the presentation into the cache, and from there to callers. */
export function createContacts(config: Config, client: HilosClient, drifted: ReportDrift, clock: Clock) {
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
  const visible = createVisibleContacts({
    values: store,
    unlimited,
    limited,
    load: createLoadContact({ config, client, present: documents.present, drifted, clock }),
    detailOf: (error) => (error instanceof UpstreamFailure ? (error.notAsked ?? 'origin-failed') : null),
    absenceLifetime: (ageMs) =>
      lifetimeOf(null, clock.now(), { ageMs, scale: cache.lifetimeScale, ttlFactor: 1, random: clock.random() }),
    slowMs: cache.slowMs,
    grantReload: createReloadLimit({ ...cache.reloads, clock }),
    notFoundStepMs: config.access.notFoundStepMs,
    clock,
  })
  const sweeping = setInterval(() => {
    for (const each of [store, unlimited.absences, limited.absences]) each.sweep()
  }, cache.sweepMs).unref()

  return {
    read: createReadContact({ visible, views, clock }),
    /** Removes all that is stored of one contact. */
    delete: visible.delete,
    clear: visible.clear,
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
    /** Stops the removal of expired entries, and the work on large documents. */
    close: () => {
      clearInterval(sweeping)
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
