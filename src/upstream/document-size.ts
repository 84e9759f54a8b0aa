import { isObject } from './document/shape.ts'

/**
 * How many steps and messages a parsed document has. Bytes do not bound them well: `{}` is two bytes, and a few hundred
 * once every public field of a step is written out.
 */
export function elementsIn(json: unknown): number {
  const steps = arrayAt(json, 'execution_steps')
  return steps.reduce<number>((count, step) => count + arrayAt(step, 'messages').length, steps.length)
}

function arrayAt(value: unknown, name: string): readonly unknown[] {
  const array = isObject(value) ? value[name] : null
  return Array.isArray(array) ? array : []
}
