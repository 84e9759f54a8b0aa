import type { ReportDrift } from './drift.ts'
import { millisecondsOf } from './rfc3339.ts'

/**
 * Reads one value of a JSON document. A value that does not fit is reported and becomes null; a reader never throws. The path
 * is passed once, when a shape is declared, so that reading a document concatenates no strings.
 */
export type Field<T> = (path: string) => (value: unknown, drift: ReportDrift) => T

/** A missing value counts as null. Neither is drift. */
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

/** An object that is not an array. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown) => (typeof value === 'string' ? value.toWellFormed() : null)
const countOf = (value: unknown) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null)

/**
 * A string. Lone surrogates, which UTF-8 cannot encode, become U+FFFD. An empty string counts as null: Hilos is made with
 * Django, which writes one for a text that is not there.
 */
export const text: Field<string | null> = (path) => (value, drift) => {
  if (typeof value === 'string') return value === '' ? null : value.toWellFormed()
  if (!absent(value)) drift('wrong_type', path)
  return null
}

export const flag = fieldOf((value) => (typeof value === 'boolean' ? value : null))

/** A whole number, 0 or more. */
export const count = fieldOf(countOf)

const degreesUpTo = (most: number) =>
  fieldOf((value) => (typeof value === 'number' && Math.abs(value) <= most ? value : null))
/** Degrees north, from -90 to 90. */
export const latitude = degreesUpTo(90)
/** Degrees east, from -180 to 180. */
export const longitude = degreesUpTo(180)

/** A code, which may be a string or a number. */
export const code = fieldOf((value) => textOf(value) ?? countOf(value)?.toString() ?? null)

/** An RFC 3339 date and time, as milliseconds since 1970 UTC. */
export const instant = fieldOf((value) => (typeof value === 'string' ? millisecondsOf(value) : null))

/**
 * A string from a published list. Another string is passed on as well, and reported.
 * @param known the list, separated by white space
 */
export const word =
  (known: string): Field<string | null> =>
  (path) => {
    const [read, published] = [text(path), new Set(namesIn(known))]
    return (value, drift) => {
      const result = read(value, drift)
      if (result !== null && !published.has(result)) drift('unknown_value', path)
      return result
    }
  }

/** A string, number or boolean. The field may hold any JSON, so other values become null without drift. */
export const scalar: Field<string | number | boolean | null> = () => (value) =>
  textOf(value) ?? (typeof value === 'boolean' || Number.isFinite(value) ? (value as number | boolean) : null)

/** Whether the field has a value that is not empty. The value itself is not kept. */
export const presence: Field<boolean> = () => (value) => !absent(value) && value !== ''

/** The value of a contact point that is there, but is not text: what to hide of the contact is then not known. */
export const unreadable = Symbol('unreadable')

/** A phone number or an e-mail address. A whole number is read as its digits; both it and an unreadable value are drift. */
export const contactPoint: Field<string | typeof unreadable | null> = (path) => (value, drift) => {
  if (absent(value) || value === '') return null
  const result = textOf(value)
  if (result === null) drift('wrong_type', path)
  return result ?? countOf(value)?.toString() ?? unreadable
}

/** The URL of a file; null without one. It is empty if there is a value that is not a text. */
export const fileUrl: Field<string | null> = () => (value) =>
  absent(value) || value === '' ? null : (textOf(value) ?? '')

/** A flag that hides personal data. Data is shown only if the flag is false or missing, so a value of another type hides it. */
export const erasure: Field<boolean> = (path) => {
  const read = flag(path)
  return (value, drift) => read(value, drift) ?? !absent(value)
}

/** Any JSON value, as it is. */
export const anything: Field<unknown> = () => (value) => value

/** The id of an object that Hilos gives as its id or as a whole. */
export const idOf: Field<string | null> = (path) => {
  const [readText, readNested] = [text(path), text(`${path}.id`)]
  return (value, drift) => (isObject(value) ? readNested(value.id, drift) : readText(value, drift))
}

/** An object that Hilos gives as its id or as a whole: the id in both cases, and the object if there is one. */
export const reference =
  <T>(fields: Field<T | null>): Field<{ readonly id: string | null; readonly object: T | null }> =>
  (path) => {
    const [readId, readObject] = [idOf(path), fields(path)]
    return (value, drift) => ({
      id: readId(value, drift),
      object: isObject(value) ? readObject(value, drift) : null,
    })
  }

/** The number of elements of an array; 0 without one. */
export const length: Field<number> = (path) => {
  const read = fieldOf((value) => (Array.isArray(value) ? value.length : null))(path)
  return (value, drift) => read(value, drift) ?? 0
}

/** An array. Elements that are null or do not fit are left out. */
export const list =
  <T>(element: Field<T | null>): Field<readonly T[] | null> =>
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
 * An object.
 * @param fields the fields that are read
 * @param known further names of the contract, separated by white space. They are not read, and they are not drift.
 */
export const object =
  <F extends Fields>(fields: F, known = ''): Field<Read<F> | null> =>
  (path) => {
    const at = (name: string) => (path === '' ? name : `${path}.${name}`)
    const readers = Object.entries(fields).map(([name, field]) => ({ name, read: field(at(name)) }))
    const names = new Set([...Object.keys(fields), ...namesIn(known)])
    // The known names of the last objects in their order, which is mostly the same: comparing takes a third of the time.
    const usualNames: string[] = []
    const readObject = fieldOf((value) => (isObject(value) ? value : null))(path)
    return (value, drift) => {
      const source = readObject(value, drift)
      if (source === null) return null
      let [knownNames, unknownNames] = [0, 0]
      for (const name in source)
        if (name === usualNames[knownNames]) knownNames += 1
        else if (names.has(name)) {
          usualNames[knownNames] = name
          knownNames += 1
        } else {
          unknownNames += 1
          if (unknownNames > maxUnknownNames) break
          drift('unknown_field', at(printable(name)))
        }
      const result: Record<string, unknown> = {}
      for (const { name, read } of readers) result[name] = read(source[name], drift)
      return result as Read<F>
    }
  }

/** No more unknown names of one object are reported, because they would only take time. */
const maxUnknownNames = 100

/** Names are logged, so a name that does not look like a field name is replaced: it may be data, such as a key. */
const printable = (name: string) => (/^[a-z](?!.*\d{3})[a-z0-9_]{0,31}$/.test(name) ? name : '(unprintable)')
