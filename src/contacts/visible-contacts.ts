import { type Caller, maySee } from '../access/caller.ts'
import type { Entry, Lifetime } from '../cache/entry.ts'
import type { Demand, Load } from '../cache/in-flight-loads.ts'
import {
  type CacheAnswer,
  type CacheRequest,
  createReadThrough,
  type ReadThroughOptions,
} from '../cache/read-through.ts'
import type { RecentFailures } from '../cache/recent-failures.ts'
import type { Store } from '../cache/store.ts'
import { type Clock, sleep } from '../common/clock.ts'
import type { LoadContact } from './load-contact.ts'
import type { LoadedContact, SecondTier } from './second-tier.ts'
import type { StoredContact } from './stored-contact.ts'

type ContactAnswer = CacheAnswer<StoredContact>

export interface VisibleContacts {
  /**
   * Returns a contact as far as the caller may see it. For a caller limited to flows, a run of another flow is absent, and
   * no property of the answers distinguishes it from a contact that does not exist: neither bytes, nor header fields, nor
   * time, nor later answers, also about other contacts. Returns and throws as `ReadThrough.get` does.
   */
  readonly get: (
    caller: Caller,
    id: string,
    request: CacheRequest,
  ) => ContactAnswer | null | Promise<ContactAnswer | null>
  /** Loads a contact that is watched, as `ReadThrough.refresh` does. */
  readonly refresh: (id: string) => Promise<boolean>
  /** Removes all that is stored of one contact, for all callers. A load in flight answers its callers and is not stored. */
  readonly delete: (id: string) => void
  /** Does the same for all contacts. */
  readonly clear: () => void
}

/** The absences and failures that one group of callers has met. */
export interface NegativeCache {
  readonly absences: Store<StoredContact>
  readonly failures: RecentFailures
}

export interface VisibleContactsOptions extends Omit<ReadThroughOptions<StoredContact>, keyof NegativeCache> {
  readonly load: LoadContact
  readonly secondTier: SecondTier
  /** Shared by the callers who may see every flow. */
  readonly unlimited: NegativeCache
  /** Of the callers limited to flows, by contact and flows. */
  readonly limited: NegativeCache
  /** How long a contact stays absent for a limited caller, from when that is known. */
  readonly absenceLifetime: () => Lifetime
  /** It is known to limited callers that a contact is absent a multiple of this, in milliseconds, after Hilos was asked. */
  readonly notFoundStepMs: number
  readonly clock: Pick<Clock, 'now' | 'elapsed' | 'schedule'>
}

/**
 * Reads contacts for callers. Some callers are limited to flows. All callers share the stored contacts. A limited caller
 * who cannot see a stored contact gets a load, a failure and an absence that only callers with the same flows share:
 * those of other callers would reveal that the contact exists. Such a load changes nothing that shows elsewhere: a contact
 * that its caller may not see is not stored, because it would evict others, is not used, and counts as no refresh.
 */
export function createVisibleContacts(options: VisibleContactsOptions): VisibleContacts {
  const { values, load, secondTier, absenceLifetime, notFoundStepMs, onNews, clock } = options
  const unlimited = createReadThrough<StoredContact>({ ...options, ...options.unlimited })
  // Its keys are a contact's id and the caller's flows. A contact that it loads is stored by its id, for all callers.
  const limited = createReadThrough<StoredContact>({
    ...options,
    ...options.limited,
    values: {
      ...values,
      get: () => undefined,
      set: (_key, entry) => entry.value !== null && values.set(entry.value.id, entry),
      delete: () => {},
      entries: () => [],
    },
    // Those who watch a contact may hear of it. They hear nothing of a load whose caller may not see the contact.
    onNews: (_key, news) => {
      if ('entry' in news && news.entry.value !== null) onNews(news.entry.value.id, news)
    },
  })
  const textOf = createFlowTexts()

  function get(caller: Caller, id: string, request: CacheRequest): ReturnType<VisibleContacts['get']> {
    if (caller.flows === null) return getStored(id, request)
    const stored = values.peek(id)?.value
    const isVisible = stored ? maySee(caller.flows, stored.flowId) : false
    return isVisible ? getVisible(caller, id, request) : getHidden(caller.flows, id, request)
  }

  function getStored(id: string, request: CacheRequest) {
    return unlimited.get(id, loadOf(id), request)
  }

  function loadOf(id: string): Load<StoredContact> {
    const known = () => values.peek(id)
    const loadHere = async (demand: Demand<StoredContact>) => {
      const entry = await load(id, demand, known())
      return { entry, isGone: entry.value === null }
    }
    return (demand) => secondTier.load({ id, flows: null, known: known() }, demand, loadHere)
  }

  function getVisible(caller: Caller, id: string, request: CacheRequest): ReturnType<VisibleContacts['get']> {
    const answer = getStored(id, request)
    if (!(answer instanceof Promise)) return answer
    // The run may have moved to another flow in the meantime, or may have been erased, which must look the same.
    return answer.then((loaded) => {
      const contact = loaded?.entry.value
      const isVisible = contact != null && maySee(caller.flows, contact.flowId)
      return isVisible ? loaded : getHidden(caller.flows as ReadonlySet<string>, id, request)
    })
  }

  function getHidden(flows: ReadonlySet<string>, id: string, request: CacheRequest) {
    const key = keyOf(id, textOf(flows))
    return limited.get(key, (demand) => loadFor(flows, id, key.length, demand), request)
  }

  async function loadFor(
    flows: ReadonlySet<string>,
    id: string,
    keyBytes: number,
    demand: Demand<StoredContact>,
  ): Promise<Entry<StoredContact>> {
    const stored = values.peek(id)
    const known = stored?.value && maySee(flows, stored.value.flowId) ? stored : undefined
    const loadHere = (demand: Demand<StoredContact>) => loadUnseen(id, flows, demand)
    const entry = await secondTier.load({ id, flows, known }, demand, loadHere)
    // The absence of a hidden contact takes as much memory as a real one.
    return entry.value === null ? { ...entry, bytes: keyBytes } : entry
  }

  /**
   * Loads a contact for callers who may not know of what is stored. The time from the request of Hilos on can tell what is hidden
   * from what does not exist, and that before it cannot. Until a multiple of a step has passed, the load is under way in either
   * case, here and for other replicas: no request, joined or repeated, and no age shows when Hilos answered.
   */
  async function loadUnseen(
    id: string,
    flows: ReadonlySet<string>,
    demand: Demand<StoredContact>,
  ): Promise<LoadedContact> {
    let askedAt = clock.elapsed()
    const markAsked = () => {
      askedAt = clock.elapsed()
      demand.markAsked()
    }
    const entry = await load(id, { ...demand, markAsked }, undefined)
    const isGone = entry.value === null
    if (isGone) {
      values.delete(id)
      onNews(id, { entry })
    } else if (maySee(flows, entry.value.flowId)) return { entry, isGone }
    await sleep(clock, notFoundStepMs - ((clock.elapsed() - askedAt) % notFoundStepMs))
    return { entry: { value: null, bytes: 0, generatedAt: clock.now(), ...absenceLifetime() }, isGone }
  }

  function deleteOne(id: string): void {
    unlimited.delete(id)
    limited.deleteEach((key) => key.startsWith(keyOf(id, '')))
  }

  function clear(): void {
    unlimited.clear()
    limited.clear()
  }

  /** Requests wait for what replaces a contact, so that no caller who asks two replicas in turn gets an older answer. */
  function adopt(id: string, isSame: (contact: StoredContact) => boolean, isGone: boolean): void {
    const known = values.peek(id) ?? options.unlimited.absences.peek(id)
    if (known === undefined) return
    const isAwaited = known.value === null || !isSame(known.value)
    const look = async () => {
      const entry = await secondTier.look(id, known)
      // What limited callers met stays as it is, as it would if the contact were hidden from them.
      if (entry === null && isGone) unlimited.delete(id)
      return entry
    }
    unlimited.adopt(id, look, isAwaited)
  }

  secondTier.listen({ changed: adopt, gone: unlimited.delete, forgotten: deleteOne, cleared: clear })

  return { get, refresh: (id) => unlimited.refresh(id, loadOf(id), watchers), delete: deleteOne, clear }
}

/** All who watch contacts are one caller in the queue of calls. */
const watchers = 'watchers'

const keyOf = (id: string, flows: string) => `${id} ${flows}`

/** Writes flows as a text that is the same for the same flows. */
function createFlowTexts(): (flows: ReadonlySet<string>) => string {
  const texts = new WeakMap<ReadonlySet<string>, string>()
  return (flows) => {
    const text = texts.get(flows) ?? JSON.stringify([...flows].sort())
    texts.set(flows, text)
    return text
  }
}
