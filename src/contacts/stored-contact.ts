import type { ExecutionContact } from '../presentation/contact/execution-contact.ts'
import { packContact } from '../presentation/views/view.ts'

/** What is remembered of an execution contact. */
export interface RememberedContact {
  /** The widest view, unredacted. */
  readonly packed: Buffer
  /** The flow it runs through, so that nothing has to be unpacked to know who may know of it. */
  readonly flowId: string | null
}

/**
 * What to remember of a contact.
 * @param before what is remembered of it so far: the same bytes are the same revision, and keep what was rendered of it
 */
export function rememberContact(contact: ExecutionContact, before: RememberedContact | null): RememberedContact {
  const packed = packContact(contact)
  return before?.packed.equals(packed) ? before : { packed, flowId: contact.flow.id }
}
