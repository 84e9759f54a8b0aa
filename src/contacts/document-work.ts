import { Secret } from '../common/secret.ts'
import { createIdPseudonym } from '../presentation/contact/pseudonyms.ts'
import { createRender, type Render } from '../presentation/views/view.ts'
import { createPresentDocument, type PresentationSettings, type PresentDocument } from './present-document.ts'

/** The work that takes the longer the larger a document is. */
export interface DocumentWork {
  readonly present: PresentDocument
  readonly render: Render
}

/** Plain data, so that a thread can get it. */
export interface DocumentWorkSettings extends Omit<PresentationSettings, 'refKey'> {
  readonly refKey: string
  readonly idKey: string
}

export function createDocumentWork({ refKey, idKey, ...settings }: DocumentWorkSettings): DocumentWork {
  return {
    present: createPresentDocument({ ...settings, refKey: new Secret(refKey) }),
    render: createRender(createIdPseudonym(new Secret(idKey))),
  }
}
