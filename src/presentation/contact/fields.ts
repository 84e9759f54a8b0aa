import { nullable, text } from '../../common/schema.ts'
import { type TSchema, type TUnsafe, Type } from '../../common/type.ts'

/**
 * What a field tells about people, and so how each profile sees it. A field declares it once, in its schema: the redaction
 * and the description follow from that. A text without a kind is an error at the start.
 */
export const kinds = [
  /** A text that was written for this run, or to it. */
  'text',
  /** The answer of a contact, which may also be a number or a boolean. */
  'value',
  /** A word or a name that authors of flows, providers or Hilos chose for many runs. */
  'words',
  /** The name of a person. */
  'name',
  /** The phone number of the contact. */
  'phone',
  /** An id of Hilos or of WhatsApp. */
  'id',
  /** Only for the profile full. */
  'private',
  /** A place where a person is or was. */
  'place',
  /** A number about people who are not the contact. */
  'others',
  /** Whether fields are masked. */
  'masked',
  /** Made by this service. */
  'own',
] as const
export type Kind = (typeof kinds)[number]

const kindOfField = Symbol('kind')

/** The schema of a field of this kind. */
export function ofKind<S extends TSchema>(kind: Kind, schema: S): S {
  return { ...schema, [kindOfField]: kind }
}

/** The kind of a field; undefined without one. */
export const kindOf = (schema: TSchema): Kind | undefined => (schema as { [kindOfField]?: Kind })[kindOfField]

const placeholders =
  'the contact’s phone numbers and e-mail addresses are replaced with [phone] and [email], and ids of WhatsApp with [id]'
const sentences = {
  text: `For the profile agent, ${placeholders}, and it is null if not all of them are known. For the profile viewer, it is null.`,
  words:
    `For the profiles agent and viewer, ${placeholders}. If not all numbers and addresses are known, a text that may ` +
    'hold one is [withheld].',
  name: 'For the profile agent: first name and initial; null for a text that is no name. For the profile viewer: null.',
  id: 'For the profiles agent and viewer, an id that is neither a UUID nor hexadecimal is replaced with a pseudonym.',
  private: 'For the profile full only.',
  phone:
    'For the profile agent: **** and the last four digits, or **** alone if the number has fewer than eight. For the ' +
    'profile viewer: null.',
} as const

type Described = keyof typeof sentences

const described = (kind: Described, description: string) => `${description} ${sentences[kind]}`
const nullableOf = (kind: Described, description: string): TUnsafe<string | null> =>
  ofKind(kind, nullable(text(described(kind, description))))

/** A text that was written for this run, or to it; null where there is none. */
export const freeText = (description: string) => nullableOf('text', description)
/** A word or a name that many runs share; null where there is none. */
export const nullableWords = (description: string) => nullableOf('words', description)
/** A word or a name that many runs share. */
export const words = (description: string) => ofKind('words', text(described('words', description)))
/** The name of a person; null where it is not known. */
export const personName = (description: string) => nullableOf('name', description)
/** An id of Hilos; null where there is none. */
export const nullableId = (description: string) => nullableOf('id', description)
/** The phone number of the contact; null where it is not known. */
export const phoneNumber = (description: string) => nullableOf('phone', description)
/** A text that this service made; null where it made none. */
export const ownText = (description: string) => ofKind('own', nullable(text(description)))
/** A text for the profile full; null where there is none. */
export const privateText = (description: string) => nullableOf('private', description)
/** An array of ids. */
export const ids = (description: string) =>
  Type.Array(ofKind('id', Type.String()), { description: described('id', description) })
/** An array of words. */
export const listOfWords = (description: string) =>
  Type.Array(ofKind('words', Type.String()), { description: described('words', description) })
/** The answer of a contact. */
export const answerValue = (description: string) =>
  ofKind(
    'value',
    Type.Unsafe<string | number | boolean | null>({
      type: ['string', 'number', 'boolean', 'null'],
      description: described('text', description),
    }),
  )
