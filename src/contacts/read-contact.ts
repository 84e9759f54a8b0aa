import { forbiddenProfile } from '../access/access-failure.ts'
import type { Caller } from '../access/caller.ts'
import { isWider } from '../access/profile.ts'
import { ageSeconds, type CacheUse, formatCacheStatus } from '../cache/cache-status.ts'
import { ageMs, type Entry } from '../cache/entry.ts'
import type { CacheAnswer, CacheRequest } from '../cache/read-through.ts'
import { retryAfterSeconds } from '../cache/retry-after.ts'
import type { Clock } from '../common/clock.ts'
import { Failure } from '../failures/failure.ts'
import type { RenderedViews } from '../presentation/views/rendered-views.ts'
import type { Representation, Variant } from '../presentation/views/view.ts'
import type { StoredContact } from './stored-contact.ts'
import type { VisibleContacts } from './visible-contacts.ts'

/** One caller's request for one contact. */
export interface ContactQuery extends Variant, CacheRequest {
  /** A UUID in lower case. */
  readonly id: string
  readonly caller: Caller
}

/**
 * What one caller gets of one contact; `retryAfter` is the value of `Retry-After`, in seconds. The representation is a promise
 * when it has to be compressed or is large: what the cache did is known before. It is null when the contact does not exist, or
 * the caller may not know that it does. Then `cache` is null for a caller limited to flows, because it would tell the two cases
 * apart.
 */
export type ContactReading =
  | ShownReading
  | { readonly representation: null; readonly retryAfter: number; readonly cache: CacheReport | null }

/** The reading of a contact that the caller may see. */
export interface ShownReading {
  readonly representation: Representation | Promise<Representation>
  readonly entry: Entry<StoredContact>
  /** What the record of disclosure calls the contact. */
  readonly pseudonym: string
  readonly retryAfter: number
  readonly cache: CacheReport
}

/** What the cache did, for the response and for the log. */
export interface CacheReport {
  /** The value of `Cache-Status`. */
  readonly status: string
  /** The value of `Age`, in seconds. */
  readonly age: number
  readonly use: CacheUse
}

/**
 * Reads one contact for one caller: rights, freshness, and the representation of the view. It returns a promise only when
 * it has to wait for Hilos. It throws, or rejects with, AccessFailure `forbidden` for a profile wider
 * than the caller's, Failure `not_cached`, or the failure of the load.
 */
export type ReadContact = (query: ContactQuery) => ContactReading | Promise<ContactReading>

export interface ReadContactOptions {
  readonly visible: VisibleContacts
  readonly views: RenderedViews
  readonly clock: Pick<Clock, 'now' | 'elapsed'>
}

export function createReadContact({ visible, views, clock }: ReadContactOptions): ReadContact {
  function readContact(query: ContactQuery): ReturnType<ReadContact> {
    const { id, caller, profile } = query
    if (isWider(profile, caller.profile)) throw forbiddenProfile(profile)
    const askedAt = clock.elapsed()
    const answer = visible.get(caller, id, query)
    // A stored contact is rendered without a turn of the event loop, unless it is large.
    if (!(answer instanceof Promise)) return render(query, answer, 0)
    return answer.then((loaded) => render(query, loaded, clock.elapsed() - askedAt))
  }

  function render(query: ContactQuery, answer: CacheAnswer<StoredContact> | null, waitedMs: number) {
    if (answer === null) throw new Failure('not_cached')
    const { entry, handling, error } = answer
    const now = clock.now()
    const cache = {
      status: formatCacheStatus(cacheName, answer, now),
      age: ageSeconds(entry, now),
      use: { ...handling, ageMs: ageMs(entry, now), waitedMs },
    }
    const retryAfter = retryAfterSeconds(answer, now, error instanceof Failure ? error.retryAfterSeconds : null)
    if (entry.value === null)
      return { representation: null, retryAfter, cache: query.caller.flows === null ? cache : null }
    const { content, pseudonym } = entry.value
    return { representation: views.get(query.id, content, query), entry, pseudonym, retryAfter, cache }
  }

  return readContact
}

/** The name of this cache in `Cache-Status`. */
export const cacheName = 'hilos-bff'
