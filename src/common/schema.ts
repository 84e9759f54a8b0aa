import { type Static, type TSchema, Type } from 'typebox'

/**
 * The words the public schemas are made of. Nullables are written `type: [..., 'null']` and never `anyOf`, because the
 * serializer turns null under a plain string into "" and validates every member of an `anyOf` at run time.
 */

/** The schema, or null. */
export function nullable<T extends TSchema>(schema: T) {
  const { type, enum: words, ...rest } = schema as T & { type: string; enum?: readonly string[] }
  return Type.Unsafe<Static<T> | null>({ ...rest, type: [type, 'null'], ...(words && { enum: [...words, null] }) })
}

/** One of these words. */
export function oneOf<const Words extends readonly string[]>(words: Words, description: string) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], description })
}

/** A reference to a schema that has an `$id`, typed as that schema. */
export function refTo<T extends TSchema>(schema: T) {
  return Type.Unsafe<Static<T>>({ $ref: `${(schema as T & { $id: string }).$id}#` })
}

/** Any UUID as RFC 9562 writes it, whatever its version, in any case; the `uuid` format alone also takes urn:uuid. */
export const executionContactId = Type.String({
  format: 'uuid',
  pattern: '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$',
  description: 'The id of a flow execution contact, a UUID in any case.',
  examples: ['a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'],
})

export const text = (description: string) => Type.String({ description })
export const flag = (description: string) => Type.Boolean({ description })
export const count = (description: string) => Type.Integer({ minimum: 0, description })
export const nullableText = (description: string) => nullable(text(description))
export const nullableInstant = (description: string) =>
  nullable(Type.String({ format: 'date-time', description: `${description} UTC.` }))

/** What the narrower profiles see of a field, for its description. */
export const scrubbedText =
  'For the profile agent, the contact’s own phone number and e-mail address are [phone] and [email] in it, and of an ' +
  'erased contact it is null; null for the profile viewer.'
export const scrubbedWords =
  'For the profiles agent and viewer, the contact’s own phone number and e-mail address are [phone] and [email] in it.'
export const withheldWamids = 'WhatsApp’s own ids, which have the number in them, are for the profile full.'
export const shortenedName = 'For the profile agent first name and initial; null for the profile viewer.'
