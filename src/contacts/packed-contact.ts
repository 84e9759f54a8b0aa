import { hash } from 'node:crypto'
import { sharedSchemas, TranscriptSchema } from '../presentation/contact/execution-contact.ts'
import type { StoredContact } from './stored-contact.ts'

/** Differs between versions that store contacts in different forms. */
export const packedForm = hash('sha256', JSON.stringify([1, TranscriptSchema, sharedSchemas]))

/** What is packed has the form: length of the header (4 bytes), header as JSON, the serialized contact. */
const lengthBytes = 4

/** Packs a contact into bytes, from which another process can unpack it. */
export function packContact({ pseudonym: _own, content, ...contact }: StoredContact): Buffer {
  const header = Buffer.from(JSON.stringify({ ...contact, identity: content.identity }))
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32BE(header.length)
  return Buffer.concat([length, header, content.serialized])
}

/**
 * Unpacks a contact. Null for what is not one of this id.
 * @param names what is the reader's own
 */
export function unpackContact(
  bytes: Buffer,
  { id, pseudonym }: Pick<StoredContact, 'id' | 'pseudonym'>,
): StoredContact | null {
  const start = lengthBytes + bytes.readUInt32BE(0)
  const { identity, ...contact } = JSON.parse(bytes.subarray(lengthBytes, start).toString())
  if (contact.id !== id) return null
  return { ...contact, pseudonym, content: { identity, serialized: bytes.subarray(start) } }
}
