import type { ReportDrift } from './drift.ts'

/**
 * Reads one value of a JSON document: whatever does not fit becomes null and is reported, nothing throws.
 * Paths are bound once, when a shape is declared, so that reading a document joins no strings.
 */
export type Field<T> = (path: string) => (value: unknown, drift: ReportDrift) => T

/** Missing and null are the same to every field, and neither is drift. */
const absent = (value: unknown): value is null | undefined => value === null || value === undefined

function fieldOf<T>(read: (value: unknown) => T | null): Field<T | null> {
  return (path) => (value, drift) => {
    if (absent(value)) return null
    const result = read(value)
    if (result === null) drift('wrong_type', path)
    return result
  }
}

const namesIn = (list: string) => list.split(/\s+/).filter(Boolean)

/** Neither null nor an array. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown) => (typeof value === 'string' ? value.toWellFormed() : null)
const countOf = (value: unknown) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null)

/** A string; lone surrogates, which no UTF-8 can carry, become U+FFFD. */
export const text = fieldOf(textOf)

/** True or false. */
export const flag = fieldOf((value) => (typeof value === 'boolean' ? value : null))

/** A whole number from 0. */
export const count = fieldOf(countOf)

/** A finite number: JSON's 1e400 is none. */
export const decimal = fieldOf((value) => (Number.isFinite(value) ? Number(value) : null))

/** A code that may be written as a string or as a number. */
export const code = fieldOf((value) => textOf(value) ?? countOf(value)?.toString() ?? null)

/** Engines also take 24:00:00, which is another way to write midnight in ISO 8601 but not in RFC 3339. */
const rfc3339 = /^\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i

/** Engines take 30 February for 2 March. */
function isCalendarDay(date: string): boolean {
  return new Date(date).getUTCDate() === Number(date.slice(8))
}

/** Four digits are all RFC 3339 has for a year, in UTC too. */
const firstInstantMs = Date.parse('0000-01-01T00:00:00Z')
const lastInstantMs = Date.parse('9999-12-31T23:59:59.999Z')

/** An RFC 3339 date and time, as milliseconds since 1970 UTC. One without an offset is none: whose noon would it be? */
export const instant = fieldOf((value) => {
  if (typeof value !== 'string' || !rfc3339.test(value) || !isCalendarDay(value.slice(0, 10))) return null
  // Only with a T is it the format that engines agree on.
  const ms = Date.parse(value.replace(' ', 'T'))
  return ms >= firstInstantMs && ms <= lastInstantMs ? ms : null
})

/**
 * A string of a published list. Others are passed on too, and reported.
 * @param known the list, separated by white space
 */
export const word =
  (known: string): Field<string | null> =>
  (path) => {
    const [read, published] = [text(path), new Set(['', ...namesIn(known)])]
    return (value, drift) => {
      const result = read(value, drift)
      if (result !== null && !published.has(result)) drift('unknown_value', path)
      return result
    }
  }

/** A string, number or boolean out of a field that may hold any JSON; the rest of JSON is expected and dropped. */
export const scalar: Field<string | number | boolean | null> = () => (value) =>
  textOf(value) ?? (typeof value === 'boolean' || Number.isFinite(value) ? (value as number | boolean) : null)

/** Whether there is anything. The value itself is not kept. */
export const presence: Field<boolean> = () => (value) => !absent(value) && value !== ''

/** A flag that hides personal data, so that only a plain false, or none, shows it. */
export const erasure: Field<boolean> = (path) => {
  const read = flag(path)
  return (value, drift) => read(value, drift) ?? !absent(value)
}

/** Any JSON, unread. */
export const anything: Field<unknown> = () => (value) => value

/** The id of something given as its id or as the object that has it. */
export const idOf: Field<string | null> = (path) => {
  const [readText, readNested] = [text(path), text(`${path}.id`)]
  return (value, drift) => (isObject(value) ? readNested(value.id, drift) : readText(value, drift))
}

/** Something given as its id or as an object: the id either way, and the object where it is one. */
export const reference =
  <T>(fields: Field<T | null>): Field<{ readonly id: string | null; readonly object: T | null }> =>
  (path) => {
    const [readId, readObject] = [idOf(path), fields(path)]
    return (value, drift) => ({
      id: readId(value, drift),
      object: isObject(value) ? readObject(value, drift) : null,
    })
  }

/** How many elements an array has. */
export const length: Field<number> = (path) => {
  const read = fieldOf((value) => (Array.isArray(value) ? value.length : null))(path)
  return (value, drift) => read(value, drift) ?? 0
}

/** An array without the elements that are null or do not fit. */
export const list =
  <T>(element: Field<T | null>): Field<T[] | null> =>
  (path) => {
    const [readArray, readElement] = [
      fieldOf((value) => (Array.isArray(value) ? value : null))(path),
      element(`${path}[]`),
    ]
    return (value, drift) =>
      readArray(value, drift)
        ?.map((item) => readElement(item, drift))
        .filter((item) => item !== null) ?? null
  }

type Fields = Readonly<Record<string, Field<unknown>>>
export type Read<F extends Fields> = { readonly [Name in keyof F]: ReturnType<ReturnType<F[Name]>> }

/**
 * An object of which the named fields are read.
 * @param known other names the contract has, separated by white space: not read, and not drift either
 */
export const object =
  <F extends Fields>(fields: F, known = ''): Field<Read<F> | null> =>
  (path) => {
    const at = (name: string) => (path === '' ? name : `${path}.${name}`)
    const readers = Object.entries(fields).map(([name, field]) => [name, field(at(name))] as const)
    const names = new Set([...Object.keys(fields), ...namesIn(known)])
    const readObject = fieldOf((value) => (isObject(value) ? value : null))(path)
    return (value, drift) => {
      const source = readObject(value, drift)
      if (source === null) return null
      let unknown = 0
      for (const name in source)
        if (!names.has(name)) {
          unknown += 1
          if (unknown > mostUnknownNames) break
          drift('unknown_field', at(printable(name)))
        }
      const result: Record<string, unknown> = {}
      for (const [name, read] of readers) result[name] = read(source[name], drift)
      return result as Read<F>
    }
  }

/** Beyond it an object is not one of the contract's any more, and looking on would only cost time. */
const mostUnknownNames = 100

/** Field names are reported and logged, so only what looks like one is; a name made of data, such as a key, is not. */
const printable = (name: string) => (/^[a-z](?!.*\d{3})[a-z0-9_]{0,31}$/.test(name) ? name : '(unprintable)')
