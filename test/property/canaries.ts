/** A canary somewhere in a parsed JSON value. */
export interface Found {
  readonly canary: string
  /** Of whatever element: `execution_steps[].step.body`. */
  readonly path: string
}

/** Every canary of `json-text.ts` in the value, in whatever notation it is. Canaries in keys are not looked for. */
export function canariesAt(value: unknown, path = ''): Found[] {
  if (typeof value === 'string') return canariesInText(value).map((canary) => ({ canary, path }))
  if (typeof value === 'number') return /^7\d{7}(\.5)?$/.test(String(value)) ? [{ canary: String(value), path }] : []
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((element) => canariesAt(element, `${path}[]`))
  return Object.entries(value).flatMap(([key, inner]) =>
    canariesAt(inner, path === '' ? plain(key) : `${path}.${plain(key)}`),
  )
}

/** Where each canary of a document stands. */
export const placesIn = (document: unknown): ReadonlyMap<string, string> =>
  new Map(canariesAt(document).map(({ canary, path }) => [canary, path]))

export function canariesInText(text: string): readonly string[] {
  const instant = /^2031-\d\d-\d\dT\d\d:\d\d:\d\d(?=(\.000)?Z$)/.exec(text)?.[0]
  return [...(text.match(/canary-\d{7}~/g) ?? []), ...(instant === undefined ? [] : [instant])]
}

/** A key that looks like a path must not be taken for one. */
const plain = (key: string) => (/^\w+$/.test(key) ? key : '(odd)')
