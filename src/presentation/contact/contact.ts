import { createHmac } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { flag, nullableText, shortenedName } from '../../common/schema.ts'
import type { HilosContact, HilosUser } from '../../upstream/document/hilos-document.ts'

export const ContactSchema = Type.Object(
  {
    ref: nullableText(
      'A pseudonym: the same for the same contact as long as the service keeps its key, and no way back.',
    ),
    id: nullableText('The id of the contact at Hilos; for the profile full only.'),
    name: nullableText(`First and last name. ${shortenedName}`),
    phone: nullableText(
      'In international form where Hilos has one. For the profile agent **** and the last four digits, or **** alone ' +
        'when there are fewer than eight; null for the profile viewer.',
    ),
    email: nullableText('E-mail address; for the profile full only.'),
    isDeleted: flag('The contact was erased at Hilos: everything but ref is null.'),
    masked: flag('The profile is agent or viewer, which do not see all; false for the profile full.'),
    meta: Type.Unsafe<Record<string, MetaValue>>({
      type: 'object',
      additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
      description:
        'The custom properties that the operators chose to publish, as far as they are simple values; empty unless ' +
        'the profile is full.',
    }),
  },
  { description: 'Who goes through the flow.' },
)

type MetaValue = string | number | boolean | null
export type Contact = Static<typeof ContactSchema>

export interface ContactOptions {
  /** Makes the pseudonym of a contact. */
  readonly refOf: ContactRef
  /** Keys of Hilos's `meta` that may leave. */
  readonly metaKeys: readonly string[]
}

export type ContactRef = (contactId: string) => string

const nobody: HilosContact = {
  id: null,
  first_name: null,
  last_name: null,
  email: null,
  phone: null,
  is_deleted: false,
  meta: null,
}

/** Who goes through the flow; of an erased contact nothing but the pseudonym. */
export function presentContact(contact: HilosContact | null, { refOf, metaKeys }: ContactOptions): Contact {
  const known = contact ?? nobody
  const { id, email, phone, meta } = known.is_deleted ? nobody : known
  return {
    ref: known.id === null ? null : refOf(known.id),
    id,
    name: known.is_deleted ? null : nameOf(known),
    phone,
    email,
    isDeleted: known.is_deleted,
    masked: false,
    meta: publishedMeta(meta, metaKeys),
  }
}

/** First and last name, as far as there are any. */
export function nameOf({ first_name, last_name }: HilosUser): string | null {
  return [first_name, last_name].filter(Boolean).join(' ') || null
}

function publishedMeta(meta: unknown, keys: readonly string[]): Record<string, MetaValue> {
  if (typeof meta !== 'object' || meta === null) return {}
  const published: [string, MetaValue][] = []
  // The reader leaves `meta` unread, so here is where a lone surrogate, which no UTF-8 can carry, becomes U+FFFD.
  for (const [key, value] of Object.entries(meta))
    if (keys.includes(key) && isSimple(value))
      published.push([key, typeof value === 'string' ? value.toWellFormed() : value])
  return Object.fromEntries(published)
}

function isSimple(value: unknown): value is MetaValue {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * Pseudonyms `ct_` + 8 characters of Crockford's base 32: the first 40 bits of an HMAC-SHA-256 of the contact's id.
 * @param key who has it can check a guessed id against a pseudonym
 */
export function createContactRef(key: string): ContactRef {
  return (contactId) => {
    const digest = createHmac('sha256', key).update(contactId).digest()
    const bits = digest.readUIntBE(0, 5).toString(2).padStart(40, '0')
    return `ct_${bits.replace(/.{5}/g, (five) => alphabet.charAt(Number.parseInt(five, 2)))}`
  }
}
