import type { ExecutionContact } from '../presentation/contact/execution-contact.ts'
import { serializeContact } from '../presentation/views/view.ts'

/** An execution contact as the cache stores it. */
export interface StoredContact {
  /** A UUID in lower case. */
  readonly id: string
  /** The widest view, unredacted, as JSON. */
  readonly serialized: Buffer
  /** The flow of the run, so that access is decided without parsing; null where Hilos does not name the flow. */
  readonly flowId: string | null
}

/**
 * Serializes a contact for the cache.
 * @param previous the stored contact that it replaces. If both have the same bytes, `previous` is returned, so that its
 *   rendered views stay valid.
 */
export function toStoredContact(contact: ExecutionContact, previous: StoredContact | null): StoredContact {
  const serialized = serializeContact(contact)
  return previous?.serialized.equals(serialized) ? previous : { id: contact.id, serialized, flowId: contact.flow.id }
}
