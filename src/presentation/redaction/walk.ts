import { resolved } from '../../common/schema.ts'
import type { TSchema } from '../../common/type.ts'
import { type Kind, kindOf } from '../contact/fields.ts'

/** What becomes of the values of some kinds. Values that are null stay null. */
export type Rules<K extends Kind = Kind> = Readonly<Record<K, (value: never) => unknown>>

type Visit = (value: unknown, rules: Partial<Rules>) => unknown

/**
 * Returns a function that applies rules to all fields of a value that have one of these kinds, and changes it in place. It
 * visits what the schema names, as the serializer does, so that nothing can be written that was not visited.
 * @throws Error for a text of the schema that has neither a kind, nor a list of words, nor a format
 */
export function createWalk<T extends object, K extends Kind>(
  schema: TSchema,
  kinds: readonly K[],
): (value: T, rules: Rules<K>) => T {
  const visit = visitOf(schema, 'schema', new Set(kinds))
  return (value, rules) => (visit === null ? value : (visit(value, rules) as T))
}

interface Node extends TSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly items?: TSchema
  readonly enum?: unknown
  readonly const?: unknown
  readonly format?: unknown
}

/** Null where there is nothing to do. */
function visitOf(schema: TSchema, path: string, kinds: ReadonlySet<Kind>): Visit | null {
  const node: Node = resolved(schema)
  const kind = kindOf(node)
  const inside = insideOf(node, path, kinds)
  if (kind === undefined && !node.properties && !node.items && !isOurs(node)) throw new Error(`${path} has no kind`)
  if (kind === undefined || !kinds.has(kind))
    return inside && ((value, rules) => (value === null ? null : inside(value, rules)))
  return (value, rules) => {
    if (value === null) return null
    const ruled = (rules[kind] as (value: unknown) => unknown)(value)
    return ruled === null || inside === null ? ruled : inside(ruled, rules)
  }
}

/** Texts from a list of ours and texts in a format, such as instants, hold no data of others. */
function isOurs(node: Node): boolean {
  const mayBeText = [node.type].flat().includes('string')
  return !mayBeText || node.enum !== undefined || node.const !== undefined || node.format !== undefined
}

function insideOf(node: Node, path: string, kinds: ReadonlySet<Kind>): Visit | null {
  if (node.properties) return objectVisitOf(node.properties, path, kinds)
  if (node.items) return arrayVisitOf(node.items, path, kinds)
  return null
}

function objectVisitOf(
  properties: Readonly<Record<string, TSchema>>,
  path: string,
  kinds: ReadonlySet<Kind>,
): Visit | null {
  const fields = Object.entries(properties).flatMap(([name, schema]) => {
    const visit = visitOf(schema, `${path}.${name}`, kinds)
    return visit === null ? [] : [{ name, visit }]
  })
  if (fields.length === 0) return null
  return (value, rules) => {
    const object = value as Record<string, unknown>
    for (const { name, visit } of fields) object[name] = visit(object[name], rules)
    return object
  }
}

function arrayVisitOf(items: TSchema, path: string, kinds: ReadonlySet<Kind>): Visit | null {
  const visit = visitOf(items, `${path}[]`, kinds)
  if (visit === null) return null
  return (value, rules) => {
    const array = value as unknown[]
    for (const [index, element] of array.entries()) array[index] = visit(element, rules)
    return array
  }
}
