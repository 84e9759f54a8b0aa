import { isDeepStrictEqual } from 'node:util'
import type { Content } from '../presentation/views/view.ts'
import type { PresentedDocument } from './present-document.ts'

/** An execution contact as the cache stores it. */
export interface StoredContact extends PresentedDocument {
  /** A UUID in lower case. */
  readonly id: string
  /** That of the document, as Hilos sent it. */
  readonly revision: string
  /** What the record of disclosure calls it. */
  readonly pseudonym: string
}

/**
 * Returns what the cache stores of a document.
 * @param previous what it replaces. If both have the same bytes and identity, the content of `previous` is kept, so that its
 *   rendered views stay valid.
 */
export function toStoredContact(
  names: Pick<StoredContact, 'id' | 'revision' | 'pseudonym'>,
  document: PresentedDocument,
  previous: StoredContact | null,
): StoredContact {
  const isSame = previous !== null && areSame(previous.content, document.content)
  return { ...names, ...document, content: isSame ? previous.content : document.content }
}

function areSame(one: Content, other: Content): boolean {
  return one.serialized.equals(other.serialized) && isDeepStrictEqual(one.identity, other.identity)
}

/** How many bytes a stored contact takes. */
export function bytesOf({ content, pace, drift }: StoredContact): number {
  const { numbers, addresses, lastNames } = content.identity
  const texts = [...numbers, ...addresses, ...lastNames, ...drift.map(({ path }) => path)]
  const textBytes = texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0)
  return content.serialized.length + textBytes + numberBytes * pace.deadlines.length
}

const numberBytes = 8
