import { hash } from 'node:crypto'
import { sharedSchemas, TranscriptSchema } from '../presentation/contact/execution-contact.ts'
import type { Identity } from '../presentation/redaction/identity.ts'
import { contactIn, ownBytes } from '../presentation/views/view.ts'
import type { DriftCount } from '../upstream/document/drift.ts'
import { paceOf } from './lifetime.ts'
import type { StoredContact } from './stored-contact.ts'

/** Differs between versions that store contacts in different forms. The number stands for all but the contact itself. */
export const packedForm = hash('sha256', JSON.stringify([1, TranscriptSchema, sharedSchemas]))

/** What is packed has the form: length of the header (4 bytes), header as JSON, the serialized contact. */
const lengthBytes = 4

/** What the serialized contact does not say. */
interface Header {
  readonly revision: string
  readonly identity: Identity
  readonly drift: readonly DriftCount[]
}

/** Packs a contact into bytes, from which another process can unpack it. */
export function packContact({ revision, content, drift }: StoredContact): Buffer {
  const header = Buffer.from(JSON.stringify({ revision, identity: content.identity, drift } satisfies Header))
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32BE(header.length)
  return Buffer.concat([length, header, content.serialized])
}

/**
 * Unpacks a contact. Null for what is not one of this id, as this version packs it: views are cut out of the bytes unread.
 * @param names what is the reader's own
 * @param known what the reader has of this contact. It is returned if it is of the same document: its rendered views stay valid.
 */
export function unpackContact(
  bytes: Buffer,
  names: Pick<StoredContact, 'id' | 'pseudonym'>,
  known: StoredContact | null = null,
): StoredContact | null {
  if (bytes.length < lengthBytes) return null
  const start = lengthBytes + bytes.readUInt32BE(0)
  const header = headerIn(bytes.subarray(lengthBytes, start))
  if (known !== null && header?.revision === known.revision) return known
  const serialized = ownBytes(bytes.subarray(start))
  const contact = contactIn(serialized)
  if (header === null || contact?.id !== names.id) return null
  const { revision, identity, drift } = header
  return {
    ...names,
    revision,
    content: { serialized, identity },
    flowId: contact.flow.id,
    pace: paceOf(contact),
    drift,
  }
}

function headerIn(bytes: Buffer): Header | null {
  try {
    const header: unknown = JSON.parse(bytes.toString())
    return isHeader(header) ? header : null
  } catch {
    return null
  }
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isList =
  (isItem: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(isItem)
/** Whether it is an object with these members. */
const isObject =
  (members: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(members).every(([name, check]) => check(Reflect.get(value, name)))

const hasForm = isObject({
  revision: isText,
  identity: isObject({
    numbers: isList(isText),
    addresses: isList(isText),
    lastNames: isList(isText),
    isComplete: (value) => typeof value === 'boolean',
  }),
  drift: isList(isObject({ kind: isText, path: isText, count: Number.isInteger })),
})
const isHeader = (value: unknown): value is Header => hasForm(value)
