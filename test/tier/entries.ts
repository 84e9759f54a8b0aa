import { Secret } from '../../src/common/secret.ts'
import type { CacheKeys } from '../../src/config/cache-keys.ts'
import { paceOf } from '../../src/contacts/lifetime.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import type { SharedEntry } from '../../src/tier/sealed-entries.ts'
import { presented } from '../presentation/pipeline.ts'

export const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
export const flowId = 'b3ff7ee5-0c11-49e2-a0d6-7e316626f7b2'

const keyOf = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'))
export const cacheKeys: CacheKeys = { names: keyOf(1), seal: [{ id: 7, key: keyOf(2) }] }

/** What a replica stores of a document of this revision. */
export function contactOf(revision: string, flow: string | null = flowId): StoredContact {
  const json = { id, status: 'RUNNING', status_reason: revision, contact: {}, flow: flow && { id: flow } }
  const { contact, content } = presented(json, id)
  return { id, revision, pseudonym: 'mine', content, flowId: contact.flow.id, pace: paceOf(contact), drift: [] }
}

/** An entry that is fresh for five seconds, as it is stored. The value is a contact unless it is null. */
export function entryOf(value: StoredContact | null, generatedAt: number): SharedEntry {
  const windows = value ? [30_000, 600_000] : [0, 0]
  const [staleWhileRevalidateMs, staleIfErrorMs] = windows as [number, number]
  return { value, bytes: 0, generatedAt, freshMs: 5000, staleWhileRevalidateMs, staleIfErrorMs }
}
