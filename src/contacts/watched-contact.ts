import { forbiddenProfile } from '../access/access-failure.ts'
import { maySee } from '../access/caller.ts'
import { isWider } from '../access/profile.ts'
import type { Entry } from '../cache/entry.ts'
import { Failure } from '../failures/failure.ts'
import type { RenderedViews } from '../presentation/views/rendered-views.ts'
import type { Representation } from '../presentation/views/view.ts'
import type { Watches } from '../watch/watches.ts'
import { settledAt } from './lifetime.ts'
import type { ContactQuery } from './read-contact.ts'
import type { StoredContact } from './stored-contact.ts'

/** What is remembered of a contact while it is watched: not its content, of which the store has the only copy. */
export interface WatchedContact extends Pick<StoredContact, 'flowId'>, Pick<Entry<unknown>, 'generatedAt' | 'freshMs'> {
  /** When its run is settled, in milliseconds since 1970 UTC; infinity while the run goes on. */
  readonly settledAt: number
}

/** @param entry that of a contact, not of an absence */
export function watchedContactOf({ value, generatedAt, freshMs }: Entry<StoredContact>): WatchedContact {
  const { flowId, pace } = value as StoredContact
  return { flowId, generatedAt, freshMs, settledAt: settledAt(pace) }
}

/**
 * Whether a new answer is long due: watched contacts wait for their turn, because together they may take only half of the calls.
 * @param graceMs how much later it may be, in milliseconds, because a call may be under way
 */
export function isOverdue({ generatedAt, freshMs }: WatchedContact, now: number, graceMs: number): boolean {
  return freshMs > 0 && now - generatedAt >= 2 * freshMs + graceMs
}

/** Hears of each load of a contact, which is given by its id. */
export type WatchContact = Watches<StoredContact>['watch']

/**
 * Checks again whether a caller may see what it watches: its rights and the flow of the run can change.
 * @throws AccessFailure `forbidden`, or Failure `execution_contact_not_found`
 */
export function checkRights({ caller, profile }: ContactQuery, { flowId }: Pick<StoredContact, 'flowId'>): void {
  if (isWider(profile, caller.profile)) throw forbiddenProfile(profile)
  if (!maySee(caller.flows, flowId)) throw new Failure('execution_contact_not_found')
}

/**
 * Returns what a caller gets of a contact that has just been loaded, as a promise when it must be compressed or is large.
 * @throws as `checkRights` does, for an absence as well
 */
export type Represent = (query: ContactQuery, entry: Entry<StoredContact>) => Representation | Promise<Representation>

export function createRepresent(views: RenderedViews): Represent {
  return (query, { value }) => {
    if (value === null) throw new Failure('execution_contact_not_found')
    checkRights(query, value)
    return views.get(query.id, value.content, query)
  }
}
