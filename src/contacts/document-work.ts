import { Secret } from '../common/secret.ts'
import { createIdPseudonym } from '../presentation/contact/pseudonyms.ts'
import { createRender, type Render } from '../presentation/views/view.ts'
import { createPresentDocument, type PresentDocument } from './present-document.ts'

/** The work on one document, which takes the longer the larger it is. */
export interface DocumentWork {
  readonly present: PresentDocument
  readonly render: Render
}

/** Plain data, so that a thread can get it. */
export interface DocumentWorkSettings {
  readonly refKey: string
  readonly idKey: string
  readonly metaKeys: readonly string[]
  /** Most steps, messages and options in one document. */
  readonly maxElements: number
}

export function createDocumentWork({ refKey, idKey, ...settings }: DocumentWorkSettings): DocumentWork {
  return {
    present: createPresentDocument({ ...settings, refKey: new Secret(refKey) }),
    render: createRender(createIdPseudonym(new Secret(idKey))),
  }
}

/** A buffer of the same memory. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
