import { gunzipSync } from 'node:zlib'
import { Secret } from '../../src/common/secret.ts'
import { presentExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { createContactRef, createIdPseudonym } from '../../src/presentation/contact/pseudonyms.ts'
import { identityOf } from '../../src/presentation/redaction/identity.ts'
import { withoutUrlSecrets } from '../../src/presentation/redaction/urls.ts'
import { createRender, serializeContact } from '../../src/presentation/views/view.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'

/** The stages of a miss, from the bytes of Hilos to the bytes of the service, in their order. */
export const stages = ['unzip', 'parse', 'read', 'present', 'serialize', 'render'] as const
export type Stage = (typeof stages)[number]

const key = new Secret('bench contact ref key')
const options = { refOf: createContactRef(key), metaKeys: [] }
const render = createRender(createIdPseudonym(key))
const ignoreDrift = () => {}

/**
 * Runs one document through all stages. This is the only file of the bench that measures code of `src` directly.
 * @param onStage called after each stage
 */
export function runStages(gzip: Buffer, id: string, onStage: (stage: Stage) => void): Buffer {
  const text = gunzipSync(gzip).toString()
  onStage('unzip')
  const json: unknown = JSON.parse(text)
  onStage('parse')
  const document = readDocument(json, id, ignoreDrift)
  onStage('read')
  const presented = withoutUrlSecrets(presentExecutionContact(document, options), document)
  const identity = identityOf(document)
  onStage('present')
  const serialized = serializeContact(presented)
  onStage('serialize')
  const { body } = render({ serialized, identity }, 'timeline', 'full')
  onStage('render')
  return body
}
