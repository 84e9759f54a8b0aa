import type { Profile } from '../../src/access/profile.ts'
import { Secret } from '../../src/common/secret.ts'
import { presentExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { createContactRef, createIdPseudonym } from '../../src/presentation/contact/pseudonyms.ts'
import { type Identity, identityOf } from '../../src/presentation/redaction/identity.ts'
import { withoutUrlSecrets } from '../../src/presentation/redaction/urls.ts'
import { createRender, serializeContact, type View } from '../../src/presentation/views/view.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'

export const noIdentity: Identity = { numbers: [], addresses: [], lastNames: [], isComplete: true }

/** The keys of the service that the harness starts. */
const key = new Secret('sandbox contact ref key')

const refOf = createContactRef(key.derived('contact.ref'))

/** Renders as the service does. */
export const render = createRender(createIdPseudonym(key.derived('ids')))

/**
 * Presents parsed JSON as the service does, without the service.
 * @throws Failure for a document that cannot be read
 */
export function presented(json: unknown, id: string, metaKeys: readonly string[] = []) {
  const document = readDocument(json, id, () => {})
  const contact = withoutUrlSecrets(presentExecutionContact(document, { refOf, metaKeys }), document)
  return { contact, content: { serialized: serializeContact(contact), identity: identityOf(document) } }
}

/** The answer of the service to a document, without the service. */
export function answerTo(json: unknown, id: string, view: View, profile: Profile, metaKeys: readonly string[] = []) {
  return JSON.parse(render(presented(json, id, metaKeys).content, view, profile).body.toString())
}
