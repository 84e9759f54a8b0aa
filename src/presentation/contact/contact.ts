import { flag } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { ContactPoint, HilosContact } from '../../upstream/document/hilos-document.ts'
import { longestNumberText, numbersIn } from '../spellings/phone-numbers.ts'
import { ofKind, ownText, personName, phoneNumber, privateText } from './fields.ts'
import { nameOf } from './person.ts'
import type { ContactRef } from './pseudonyms.ts'

export const ContactSchema = Type.Object(
  {
    ref: ownText(
      'A pseudonym. It is the same for the same contact as long as the operators keep CONTACT_REF_KEY, and it does not ' +
        'reveal the id.',
    ),
    id: privateText('The id of the contact at Hilos.'),
    name: personName('First and last name.'),
    phone: phoneNumber('The phone number, in international form if Hilos has it.'),
    email: privateText('The e-mail address.'),
    isDeleted: flag(
      'Whether the contact was erased at Hilos. id, name, phone and email are then null, meta is empty, inboxContactId is ' +
        'null, and texts are shown to the profile full only.',
    ),
    masked: ofKind(
      'masked',
      flag('Whether fields are masked: true for the profiles agent and viewer, false for the profile full.'),
    ),
    meta: ofKind(
      'private',
      Type.Unsafe<Record<string, MetaValue>>({
        type: 'object',
        additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
        description:
          'The custom properties that the operators publish (CONTACT_META_KEYS), if they are strings, numbers, booleans ' +
          'or null. Empty unless the profile is full.',
      }),
    ),
  },
  { $id: 'Contact', description: 'The contact who goes through the flow.' },
)

type MetaValue = string | number | boolean | null
export type Contact = Static<typeof ContactSchema>

export interface ContactOptions {
  readonly refOf: ContactRef
  /** The keys of `meta` that are published; none when empty. */
  readonly metaKeys: readonly string[]
}

/** Of an erased contact, only the pseudonym is presented. */
export function presentContact(contact: HilosContact | null, { refOf, metaKeys }: ContactOptions): Contact {
  const id = contact?.id ?? null
  const shown = contact?.is_deleted ? null : contact
  return {
    ref: id === null ? null : refOf(id),
    id: shown?.id ?? null,
    name: shown && nameOf(shown),
    phone: shown && phoneOf(shown),
    email: shown && textIn(shown.email),
    isDeleted: contact?.is_deleted ?? false,
    masked: false,
    meta: publishedMeta(shown?.meta, metaKeys),
  }
}

/** The first of its numbers that can be read, otherwise the first text in the place of one. */
function phoneOf({ canonical_phone, phone }: HilosContact): string | null {
  const points: ContactPoint[] = [canonical_phone, phone]
  const texts = points.flatMap((point) => textIn(point) ?? [])
  return texts.find(isReadable) ?? texts[0] ?? null
}

const isReadable = (text: string) => text.length <= longestNumberText && numbersIn(text).length > 0

/** The text of a contact point; null without one. */
const textIn = (point: ContactPoint): string | null => (typeof point === 'string' ? point : null)

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
