import { ProblemCodeSchema } from '../../src/failures/problem.ts'
import { sharedSchemas } from '../../src/presentation/contact/execution-contact.ts'

const shared: readonly object[] = [...sharedSchemas, ProblemCodeSchema]

/** The schema that a reference stands for; any other schema is returned as it is. */
export function resolve<T extends object>(schema: T): T {
  const reference: unknown = Reflect.get(schema, '$ref')
  const found = shared.find((each) => `${Reflect.get(each, '$id')}#` === reference)
  return (found as T | undefined) ?? schema
}

/** A published schema in one piece: with the schemas that it refers to in the places of the references. */
export function resolveAll<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(resolveAll) as T
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(Object.entries(resolve(schema)).map(([name, part]) => [name, resolveAll(part)])) as T
}
