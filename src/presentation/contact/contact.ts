import { createHmac } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { flag, nullableText, shortenedName } from '../../common/schema.ts'
import type { HilosContact, HilosUser } from '../../upstream/document/hilos-document.ts'

export const ContactSchema = Type.Object(
  {
    ref: nullableText(
      'A pseudonym. It is the same for the same contact as long as the operators keep CONTACT_REF_KEY, and it does not ' +
        'reveal the id.',
    ),
    id: nullableText('The id of the contact at Hilos, for the profile full only.'),
    name: nullableText(`First and last name. ${shortenedName}`),
    phone: nullableText(
      'The phone number, in international form if Hilos has it. For the profile agent: **** and the last four digits, or ' +
        '**** alone if the number has fewer than eight. For the profile viewer: null.',
    ),
    email: nullableText('The e-mail address, for the profile full only.'),
    isDeleted: flag('Whether the contact was erased at Hilos. Of an erased contact, only ref is left.'),
    masked: flag('Whether fields are masked: true for the profiles agent and viewer, false for the profile full.'),
    meta: Type.Unsafe<Record<string, MetaValue>>({
      type: 'object',
      additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
      description:
        'The custom properties that the operators publish (CONTACT_META_KEYS), if they are strings, numbers, booleans ' +
        'or null. Empty unless the profile is full.',
    }),
  },
  { description: 'The contact who goes through the flow.' },
)

type MetaValue = string | number | boolean | null
export type Contact = Static<typeof ContactSchema>

export interface ContactOptions {
  readonly refOf: ContactRef
  /** The keys of `meta` that are published; none when empty. */
  readonly metaKeys: readonly string[]
}

/** Returns the pseudonym of a contact. */
export type ContactRef = (contactId: string) => string

/** Of an erased contact, only the pseudonym is presented. */
export function presentContact(contact: HilosContact | null, { refOf, metaKeys }: ContactOptions): Contact {
  const id = contact?.id ?? null
  const shown = contact?.is_deleted ? null : contact
  return {
    ref: id === null ? null : refOf(id),
    id: shown?.id ?? null,
    name: shown && nameOf(shown),
    phone: shown?.phone ?? null,
    email: shown?.email ?? null,
    isDeleted: contact?.is_deleted ?? false,
    masked: false,
    meta: publishedMeta(shown?.meta, metaKeys),
  }
}

/** First and last name, or the one that is there; null without either. */
export function nameOf({ first_name, last_name }: HilosUser): string | null {
  return [first_name, last_name].filter(Boolean).join(' ') || null
}

function publishedMeta(meta: unknown, keys: readonly string[]): Record<string, MetaValue> {
  if (typeof meta !== 'object' || meta === null) return {}
  const published: [string, MetaValue][] = []
  // The document reader does not look into `meta`, so lone surrogates, which UTF-8 cannot encode, are still in it.
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
 * Pseudonyms are `ct_` and 8 characters of Crockford's base 32: the first 40 bits of an HMAC-SHA-256 of the contact's id.
 * @param key a secret: with it, a guessed id can be checked against a pseudonym
 */
export function createContactRef(key: string): ContactRef {
  return (contactId) => {
    const digest = createHmac('sha256', key).update(contactId).digest()
    const bits = digest.readUIntBE(0, 5).toString(2).padStart(40, '0')
    return `ct_${bits.replace(/.{5}/g, (five) => alphabet.charAt(Number.parseInt(five, 2)))}`
  }
}
