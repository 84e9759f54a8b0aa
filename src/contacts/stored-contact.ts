import { isDeepStrictEqual } from 'node:util'
import type { ExecutionContact } from '../presentation/contact/execution-contact.ts'
import type { Identity } from '../presentation/redaction/identity.ts'
import { type Content, serializeContact } from '../presentation/views/view.ts'

/** An execution contact as the cache stores it. */
export interface StoredContact extends Content {
  /** A UUID in lower case. */
  readonly id: string
  /** The flow of the run, so that access is decided without parsing; null where Hilos does not name the flow. */
  readonly flowId: string | null
}

/**
 * Serializes a contact for the cache.
 * @param previous the stored contact that it replaces. If both have the same bytes and identity, `previous` is returned, so
 *   that its rendered views stay valid.
 */
export function toStoredContact(
  contact: ExecutionContact,
  identity: Identity,
  previous: StoredContact | null,
): StoredContact {
  const serialized = serializeContact(contact)
  const isSame = (other: StoredContact) =>
    other.serialized.equals(serialized) && isDeepStrictEqual(other.identity, identity)
  return previous !== null && isSame(previous)
    ? previous
    : { id: contact.id, serialized, identity, flowId: contact.flow.id }
}

/** How many bytes a stored contact takes. */
export function bytesOf({ serialized, identity }: StoredContact): number {
  const texts = [...identity.numbers, ...identity.addresses, ...identity.lastNames]
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), serialized.length)
}
