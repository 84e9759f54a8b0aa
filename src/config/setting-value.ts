/** What a text must be: the parts of a JSON Schema that settings use. A number has both bounds. */
export interface SettingForm {
  readonly type?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

const booleans = new Map([
  ['true', true],
  ['false', false],
])

/** The value of a setting: that of its text, or its default. It is undefined when there is neither, or the text is malformed. */
export function valueIn(text: string | undefined, form: SettingForm): unknown {
  const { type, pattern = '', minLength = 0, minimum = 0, maximum = 0 } = form
  if (text === undefined) return form.default
  if (type === 'boolean') return booleans.get(text)
  if (type === 'integer' || type === 'number') {
    const value = Number(text)
    const isWhole = type === 'number' || Number.isInteger(value)
    return isWhole && value >= minimum && value <= maximum ? value : undefined
  }
  const isWord = form.enum === undefined || form.enum.includes(text)
  return isWord && new RegExp(pattern, 'u').test(text) && [...text].length >= minLength ? text : undefined
}
