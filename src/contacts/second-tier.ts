import type { Entry } from '../cache/entry.ts'
import type { Demand } from '../cache/in-flight-loads.ts'
import type { StoredContact } from './stored-contact.ts'

/** What a replica wants to know of a contact. */
export interface SharedQuery {
  /** A UUID in lower case. */
  readonly id: string
  /** The flows that the readers may see; null for all. The absences and failures of other readers play no part for these. */
  readonly flows: ReadonlySet<string> | null
  /** The entry that this replica has; undefined if it has none, or if the readers may not know of it. */
  readonly known: Entry<StoredContact> | undefined
}

/** What Hilos said of a contact. */
export interface LoadedContact {
  /** For the readers: an absence if they may not see the contact. */
  readonly entry: Entry<StoredContact>
  /** Whether it does not exist, so that no reader may get what is stored of it. */
  readonly isGone: boolean
}

/** What other replicas know of contacts, and what they are asking Hilos about. */
export interface SecondTier {
  /**
   * Loads a contact: takes what the tier has if it is fresh enough, waits for the replica that is loading it, or else loads it
   * here and shares what that brings.
   * @param loadHere is given the demand, to which it reports
   * @throws the failure of `loadHere`, or that of the load of another replica
   */
  readonly load: (
    query: SharedQuery,
    demand: Demand<StoredContact>,
    loadHere: (demand: Demand<StoredContact>) => Promise<LoadedContact>,
  ) => Promise<Entry<StoredContact>>
  /** Reads what the tier has that is newer than what is known. Null for nothing, and while it is away. It never rejects. */
  readonly look: (id: string, known: Entry<StoredContact>) => Promise<Entry<StoredContact> | null>
  /**
   * Makes all other replicas forget a contact, or all contacts for null. It resolves when they have.
   * @param purge a word that says nothing about the contact, for the logs of all replicas
   * @throws Failure `shared_tier_unavailable` when it cannot be sure of that
   */
  readonly forget: (id: string | null, purge: string) => Promise<void>
  /** How many replicas share the ration of calls; at least 1. */
  readonly replicas: () => number
  /** Hears what other replicas did. There is one listener. */
  readonly listen: (listener: SecondTierListener) => void
}

export interface SecondTierListener {
  /**
   * Another replica has loaded the contact.
   * @param isSame whether that was of the same document as this one
   * @param isGone whether it does not exist
   */
  readonly changed: (id: string, isSame: (contact: StoredContact) => boolean, isGone: boolean) => void
  /** The contact does not exist, or did not when a replica last heard of it. It is forgotten for those who may know of it. */
  readonly gone: (id: string) => void
  /** An operator wants the contact to be forgotten. */
  readonly forgotten: (id: string) => void
  readonly cleared: () => void
}

/** The second tier of a service that has one replica: there are no others. */
export const noSecondTier: SecondTier = {
  load: async (_query, demand, loadHere) => (await loadHere(demand)).entry,
  look: async () => null,
  forget: async () => {},
  replicas: () => 1,
  listen: () => {},
}
