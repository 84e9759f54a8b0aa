import type { Entry } from '../cache/entry.ts'
import type { Clock } from '../common/clock.ts'
import { packContact, unpackContact } from '../contacts/packed-contact.ts'
import { bytesOf, type StoredContact } from '../contacts/stored-contact.ts'
import type { Envelope } from './envelope.ts'
import type { Names } from './names.ts'
import type { SharedTierObserver } from './observer.ts'

export type SharedEntry = Entry<StoredContact>

/** An entry as the server has it. The lifetimes are in milliseconds; the kind is 1 for a contact, and 0 for an absence. */
export interface SealedEntry {
  /** `freshMs`, `staleWhileRevalidateMs`, `staleIfErrorMs`, the kind, and the name of the flow, as texts. */
  readonly parts: readonly string[]
  readonly bytes: Buffer
}

export interface SealedEntriesOptions {
  readonly envelope: Envelope
  /** Replicas that present documents differently do not use each other's entries. */
  readonly namespace: string
  /** What the record of disclosure calls a contact. */
  readonly pseudonymOf: (id: string) => string
  readonly names: Pick<Names, 'flow'>
  /** How far the time at which Hilos answered, by the clock of the replica that sealed it, may be from its age, in milliseconds. */
  readonly maxSkewMs: number
  readonly observer: Pick<SharedTierObserver, 'unopened'>
  readonly clock: Pick<Clock, 'now'>
}

export type SealedEntries = Readonly<ReturnType<typeof createSealedEntries>>

const timeBytes = 8

/** Seals the entries of the cache. What is sealed opens for no other contact, and with no other lifetimes or flow. */
export function createSealedEntries(options: SealedEntriesOptions) {
  const { envelope, namespace, pseudonymOf, names, maxSkewMs, observer, clock } = options
  const boundTo = (id: string, parts: readonly string[]) => [id, namespace, ...parts].join(' ')

  function seal(id: string, { value, ...entry }: SharedEntry): SealedEntry {
    const lifetimes = [entry.freshMs, entry.staleWhileRevalidateMs, entry.staleIfErrorMs]
    const [kind, flow] = value === null ? [0, ''] : [1, names.flow(value.flowId)]
    const parts = [...lifetimes, kind, flow].map(String)
    const generatedAt = Buffer.alloc(timeBytes)
    generatedAt.writeDoubleBE(entry.generatedAt)
    const plain = value === null ? generatedAt : Buffer.concat([generatedAt, packContact(value)])
    return { parts, bytes: envelope.seal(plain, boundTo(id, parts)) }
  }

  /**
   * Opens an entry. Null for what does not open, and for an old one that was put back.
   * @param age how long ago Hilos answered, in milliseconds
   * @param known the entry that this replica has. If both are of the same document, its contact is kept, and its rendered views.
   */
  function open(
    id: string,
    { parts, bytes }: SealedEntry,
    age: number,
    known: SharedEntry | undefined,
  ): SharedEntry | null {
    const plain = envelope.open(bytes, boundTo(id, parts))
    const generatedAt = clock.now() - age
    const [freshMs, staleWhileRevalidateMs, staleIfErrorMs, kind] = parts.map(Number) as [
      number,
      number,
      number,
      number,
    ]
    const lifetime = { freshMs, staleWhileRevalidateMs, staleIfErrorMs }
    if (plain !== null && Math.abs(plain.readDoubleBE(0) - generatedAt) <= maxSkewMs) {
      if (kind === 0) return { value: null, bytes: 0, generatedAt, ...lifetime }
      const names = { id, pseudonym: pseudonymOf(id) }
      const value = unpackContact(plain.subarray(timeBytes), names, known?.value)
      if (value !== null) return { value, bytes: bytesOf(value), generatedAt, ...lifetime }
    }
    observer.unopened()
    return null
  }

  return { seal, open }
}
