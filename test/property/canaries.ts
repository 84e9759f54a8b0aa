/** A canary in a parsed JSON value. */
export interface Found {
  readonly canary: string
  /** Without indexes: `execution_steps[].step.body`. */
  readonly path: string
}

/** All canaries of `json-text.ts` in the value, in any notation. Keys are not searched. */
export function canariesAt(value: unknown, path = ''): Found[] {
  if (typeof value === 'string') return canariesInText(value).map((canary) => ({ canary, path }))
  if (typeof value === 'number') return /^7\d{7}(\.5)?$/.test(String(value)) ? [{ canary: String(value), path }] : []
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((element) => canariesAt(element, `${path}[]`))
  return Object.entries(value).flatMap(([key, inner]) =>
    canariesAt(inner, path === '' ? plain(key) : `${path}.${plain(key)}`),
  )
}

/** The path of each canary of a document. */
export const placesIn = (document: unknown): ReadonlyMap<string, string> =>
  new Map(canariesAt(document).map(({ canary, path }) => [canary, path]))

export function canariesInText(text: string): readonly string[] {
  const instant = /^2031-\d\d-\d\dT\d\d:\d\d:\d\d(?=(\.000)?Z$)/.exec(text)?.[0]
  return [...(text.match(/canary-\d{7}~/g) ?? []), ...(instant === undefined ? [] : [instant])]
}

/** A key can look like a path. */
const plain = (key: string) => (/^\w+$/.test(key) ? key : '(odd)')
