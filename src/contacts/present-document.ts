import type { Secret } from '../common/secret.ts'
import { presentExecutionContact } from '../presentation/contact/execution-contact.ts'
import { createContactRef } from '../presentation/contact/pseudonyms.ts'
import { identityOf } from '../presentation/redaction/identity.ts'
import { withoutUrlSecrets } from '../presentation/redaction/urls.ts'
import { type Content, serializeContact } from '../presentation/views/view.ts'
import { createDriftTally, type DriftCount } from '../upstream/document/drift.ts'
import { readBytes, type UnreadDocument } from '../upstream/document/read-document.ts'
import { type Pace, paceOf } from './lifetime.ts'

/** All that is kept of a document of Hilos. It is plain data, which threads can pass on. */
export interface PresentedDocument {
  readonly content: Content
  /** The flow of the run; null where Hilos does not name the flow. */
  readonly flowId: string | null
  readonly pace: Pace
  /** How the document deviates from the contract. */
  readonly drift: readonly DriftCount[]
}

/**
 * Makes of a document what is kept of it.
 * @throws Failure `upstream_invalid_response` or `upstream_too_large`
 */
export type PresentDocument = (document: UnreadDocument) => PresentedDocument

export interface PresentationSettings {
  /** The key of `contact.ref`. */
  readonly refKey: Secret
  /** The keys of `contact.meta` that are published. */
  readonly metaKeys: readonly string[]
  /** Most steps, messages and options in one document. */
  readonly maxElements: number
}

export function createPresentDocument({ refKey, metaKeys, maxElements }: PresentationSettings): PresentDocument {
  const options = { refOf: createContactRef(refKey), metaKeys }

  return (unread) => {
    const drift = createDriftTally()
    const document = readBytes(unread, maxElements, drift.report)
    const contact = withoutUrlSecrets(presentExecutionContact(document, options), document)
    return {
      content: { serialized: serializeContact(contact), identity: identityOf(document) },
      flowId: contact.flow.id,
      pace: paceOf(contact),
      drift: drift.counts(),
    }
  }
}
