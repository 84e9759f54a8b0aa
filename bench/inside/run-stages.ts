import { gunzipSync } from 'node:zlib'
import { createContactRef } from '../../src/presentation/contact/contact.ts'
import { presentExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { renderView, serializeContact } from '../../src/presentation/views/view.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'

/** The stages of a miss, from the bytes of Hilos to the bytes of the service, in their order. */
export const stages = ['unzip', 'parse', 'read', 'present', 'serialize', 'render'] as const
export type Stage = (typeof stages)[number]

const options = { refOf: createContactRef('bench contact ref key'), metaKeys: [] }
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
  const presented = presentExecutionContact(document, options)
  onStage('present')
  const serialized = serializeContact(presented)
  onStage('serialize')
  const { body } = renderView(serialized, 'timeline', 'full')
  onStage('render')
  return body
}
