import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import type { Content } from '../../src/presentation/views/view.ts'

/** A stored contact with this content. */
export function storedContact(id: string, content: Content, flowId: string | null): StoredContact {
  const pace = { status: 'RUNNING', endedAt: null, lastActivityAt: null, deadlines: [] } as const
  return { id, revision: '', pseudonym: 'p', content, flowId, pace, drift: [] }
}
