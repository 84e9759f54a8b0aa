import { AccessFailure } from '../access/access-failure.ts'
import { combinedUse, formatHandling } from '../cache/cache-status.ts'
import { type Clock, sleep } from '../common/clock.ts'
import { Failure } from '../failures/failure.ts'
import type { Representation } from '../presentation/views/view.ts'
import { isRation } from '../upstream/failures.ts'
import { type CacheReport, type ContactQuery, cacheName, type ReadContact } from './read-contact.ts'

/** One caller's request for several contacts. */
export interface ContactsQuery extends Omit<ContactQuery, 'id' | 'coding' | 'urgency'> {
  /** UUIDs in lower case. One that is repeated is read once. */
  readonly ids: readonly string[]
}

/** What one caller gets of one of several contacts. `cache` and `retryAfter` are those of a reading, if there is one. */
export type ContactItem = { readonly id: string; readonly retryAfter: number | null } & (
  | { readonly representation: Representation; readonly pseudonym: string; readonly cache: CacheReport }
  | { readonly failure: Failure; readonly cache: CacheReport | null }
)

/**
 * Reads several contacts, each as a request for it alone is read, all at the same time. The items are in the order of the ids.
 * It takes no longer than one call to Hilos may: what has no answer by then fails, and its load goes on.
 * @param isGone whether the caller has disconnected
 * @throws AccessFailure, because the rights of the caller concern all
 */
export type ReadContacts = (query: ContactsQuery, isGone: () => boolean) => Promise<readonly ContactItem[]>

export interface ReadContactsOptions {
  readonly read: ReadContact
  /** The deadline of a call to Hilos, in milliseconds. */
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'schedule'>
}

export function createReadContacts({ read, timeoutMs, clock }: ReadContactsOptions): ReadContacts {
  async function itemOf(id: string, query: ContactsQuery): Promise<ContactItem> {
    try {
      const reading = await read({ ...query, id, coding: 'identity', urgency: 1 })
      const { retryAfter } = reading
      if (reading.representation === null)
        return { id, failure: new Failure('execution_contact_not_found'), cache: reading.cache, retryAfter }
      const { pseudonym, cache } = reading
      return { id, representation: await reading.representation, pseudonym, cache, retryAfter }
    } catch (error) {
      if (error instanceof AccessFailure) throw error
      return failed(id, error instanceof Failure ? error : new Failure('internal_error', { cause: error as Error }))
    }
  }

  return async (query, isGone) => {
    const items = new Map<string, ContactItem>()
    let isOver = false

    /** The queue of calls has places for half of a batch. The others are read again until there is a place for them. */
    async function readOne(id: string): Promise<void> {
      for (;;) {
        const item = await itemOf(id, query)
        items.set(id, item)
        if (!('failure' in item && isRation(item.failure))) return
        await sleep(clock, againMs)
        if (isOver || isGone()) return
      }
    }

    const { promise: deadline, resolve } = Promise.withResolvers<void>()
    const cancel = clock.schedule(resolve, timeoutMs)
    try {
      await Promise.race([deadline, Promise.all(Array.from(new Set(query.ids), readOne))])
    } finally {
      isOver = true
      cancel()
    }
    const late = () => new Failure('upstream_timeout', { facts: { reason: 'in a batch', timeoutMs } })
    return query.ids.map((id) => items.get(id) ?? failed(id, late()))
  }
}

/** Less than the queue of calls takes to come to the end of a caller's places. */
const againMs = 250

/** Whether an item says what there is, and not that it could not be found out. */
export function isAnswer(item: ContactItem): boolean {
  return !('failure' in item) || item.failure.code === 'execution_contact_not_found'
}

/** What the cache did for all of them, at worst; null when it must stay hidden for each, or has failed for one. */
export function combinedReport(items: readonly ContactItem[]): Pick<CacheReport, 'status' | 'use'> | null {
  if (!items.every(isAnswer)) return null
  const use = combinedUse(items.flatMap(({ cache }) => cache?.use ?? []))
  return use && { status: formatHandling(cacheName, use), use }
}

function failed(id: string, failure: Failure): ContactItem {
  return { id, failure, cache: null, retryAfter: failure.retryAfterSeconds }
}
