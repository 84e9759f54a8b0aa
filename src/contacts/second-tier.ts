import type { Entry } from '../cache/entry.ts'
import type { Demand } from '../cache/in-flight-loads.ts'
import type { StoredContact } from './stored-contact.ts'

/** What other replicas know of contacts, and what they are asking Hilos about. */
export interface SecondTier {
  /**
   * Loads a contact: takes what the tier has if it is fresh enough, waits for the replica that is loading it, or else loads it
   * here and shares what it brought.
   * @param flows those that the readers may see; null for all. Other readers' absences and failures play no part for them.
   * @param known the entry that the load refreshes; undefined if there is none, or if the readers may not know of it
   * @throws the failure of `loadHere`, or that of another replica's load
   */
  readonly load: (
    id: string,
    flows: ReadonlySet<string> | null,
    known: Entry<StoredContact> | undefined,
    demand: Demand,
    loadHere: () => Promise<Entry<StoredContact>>,
  ) => Promise<Entry<StoredContact>>
  /** Reads what the tier has that is newer than what is known. Null for nothing, and while it is away. It never rejects. */
  readonly look: (id: string, known: Entry<StoredContact> | undefined) => Promise<Entry<StoredContact> | null>
  /**
   * Makes all replicas forget a contact, or all contacts for null. It resolves when they have.
   * @throws Failure `shared_tier_unavailable` when it cannot be sure of that
   */
  readonly forget: (id: string | null) => Promise<void>
  /** How many replicas share the ration of calls; at least 1. */
  readonly replicas: () => number
  /** Hears what other replicas did. */
  readonly listen: (listener: SecondTierListener) => void
}

export interface SecondTierListener {
  /** Another replica has loaded the contact. The revision names the document that Hilos sent. */
  readonly changed: (id: string, revision: string) => void
  readonly forgotten: (id: string) => void
  readonly cleared: () => void
}

/** The second tier of a service with one replica: there are no others. */
export const noSecondTier: SecondTier = {
  load: (_id, _flows, _known, _demand, loadHere) => loadHere(),
  look: () => Promise.resolve(null),
  forget: () => Promise.resolve(),
  replicas: () => 1,
  listen: () => {},
}
