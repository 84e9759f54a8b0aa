import { TranscriptSchema } from '../../src/presentation/contact/execution-contact.ts'
import { resolve } from '../harness/resolved-schema.ts'

export interface Field {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly (string | null)[]
  readonly format?: string
  readonly additionalProperties?: Field
  readonly properties?: Readonly<Record<string, Field>>
  readonly items?: Field
}
export type Path = readonly (string | number)[]

/** Every field that is published, with its path, those of objects and of the first element of arrays included. */
export const publishedFields = fieldsOf(TranscriptSchema as Field)

function fieldsOf({ properties = {}, items }: Field, path: Path = []): (readonly [path: Path, field: Field])[] {
  const named = Object.entries(properties).map(([name, field]) => [[...path, name], resolve(field)] as const)
  const first = items ? [[[...path, 0], resolve(items)] as const] : []
  return [...named, ...first].flatMap(([innerPath, field]) => [[innerPath, field], ...fieldsOf(field, innerPath)])
}

export const isNullable = ({ type }: Field): boolean => Array.isArray(type) && type.includes('null')
