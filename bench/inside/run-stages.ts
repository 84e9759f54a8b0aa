import { gunzipSync } from 'node:zlib'
import { createContactRef } from '../../src/presentation/contact/contact.ts'
import { presentExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { packContact, renderView } from '../../src/presentation/views/view.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'

/** The stages a document goes through between Hilos's bytes and ours, in their order. */
export const stages = ['unzip', 'parse', 'read', 'present', 'pack', 'render'] as const
export type Stage = (typeof stages)[number]

const options = { refOf: createContactRef('bench contact ref key'), metaKeys: [] }
const ignoreDrift = () => {}

/**
 * Takes one document through all stages. The one place where the bench looks into `src`.
 * @param over told after each stage
 */
export function walk(gzip: Buffer, id: string, over: (stage: Stage) => void): Buffer {
  const text = gunzipSync(gzip).toString()
  over('unzip')
  const json: unknown = JSON.parse(text)
  over('parse')
  const document = readDocument(json, id, ignoreDrift)
  over('read')
  const presented = presentExecutionContact(document, options)
  over('present')
  const packed = packContact(presented)
  over('pack')
  const { body } = renderView(packed, 'timeline', 'full')
  over('render')
  return body
}
