import { type Static, type TSchema, Type } from './type.ts'

/**
 * The schema, or null. It is `type: [..., 'null']` and not `anyOf`, because the serializer would validate every member of an
 * `anyOf` for each value. With a plain `type`, it would write null as an empty string.
 */
export function nullable<T extends TSchema>(schema: T) {
  const { type, enum: words, ...rest } = schema as T & { type: string; enum?: readonly string[] }
  return Type.Unsafe<Static<T> | null>({ ...rest, type: [type, 'null'], ...(words && { enum: [...words, null] }) })
}

/** A string that is one of these words. */
export function oneOf<const Words extends readonly string[]>(words: Words, description: string) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], description })
}

const target = Symbol('target')

/** A reference to a schema that has an `$id`. Its static type is that of the schema. */
export function refTo<T extends TSchema>(schema: T) {
  return Type.Unsafe<Static<T>>({ $ref: `${(schema as T & { $id: string }).$id}#`, [target]: schema })
}

/** The schema that a schema stands for: that of a reference, or itself. */
export const resolved = (schema: TSchema): TSchema => (schema as { [target]?: TSchema })[target] ?? schema

const idPattern = '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$'
const wellFormedId = new RegExp(idPattern)

/** Whether the text matches the schema below. */
export const isExecutionContactId = (id: string): boolean => wellFormedId.test(id)

/** A UUID of any version, in upper or lower case. The pattern excludes the `urn:uuid:` form that the format allows. */
export const executionContactId = Type.String({
  format: 'uuid',
  pattern: idPattern,
  description: 'The id of a flow execution contact: a UUID in upper or lower case.',
  examples: ['a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'],
})

export const text = (description: string) => Type.String({ description })
export const flag = (description: string) => Type.Boolean({ description })
export const count = (description: string) => Type.Integer({ minimum: 0, description })
export const nullableText = (description: string) => nullable(text(description))
export const nullableInstant = (description: string) =>
  nullable(Type.String({ format: 'date-time', description: `${description} The time is in UTC.` }))
