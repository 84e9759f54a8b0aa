import fc from 'fast-check'

/**
 * JSON as texts, because a parsed value cannot contain a key twice, 1e400 or -0, and can lose a key `__proto__`. A text is
 * a template until `numbered` has put a different number into each canary.
 */
export type Texts = fc.Arbitrary<string>

/** In a template, the place of the number of a canary. A text that contains this mark by chance gets a number, too. */
const numberMark = '\ue000'
const instantMark = '\ue001'

export const canary = {
  text: `"canary-${numberMark}~"`,
  count: `7${numberMark}`,
  decimal: `7${numberMark}.5`,
  instant: `"${instantMark}"`,
} as const

/** The template with a different number in each canary. */
export function numbered(template: string): string {
  let number = 0
  const next = () => {
    number += 1
    return number
  }
  return template
    .replaceAll(numberMark, () => String(next()).padStart(7, '0'))
    .replaceAll(instantMark, () => instantCanary(next()))
}

const instantCanary = (number: number) => new Date(Date.UTC(2031, 0, 1) + number * 1000).toISOString()

/** Texts with escapes and without. */
export const oddTexts = fc.constantFrom(
  ...['""', '" "', '"\\u0000"', '"\\ud83d"', '"\\ude9a x"', '"x\\ud83d"', '"\\u2028\u2028\\u2029"', '"\ufeff"'],
  ...['"\\ud83d\\ude9a"', '"\\"\\\\\\/\\b\\f"', '"__proto__"', '"2026-02-30T00:00:00Z"', '"2026-11-22T10:00:00"'],
  ...['"0000-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59.999999999-23:59"', '"0000-01-01t00:00:00z"'],
  ...['"2026-11-22 10:00:00.123456789+05:30"', '"2026-11-22T23:59:60Z"', '"text/HTML; charset=x"', '"1e400"'],
)

export const oddNumbers = fc.constantFrom(
  ...['0', '-0', '-0.0', '-1', '1.5', '1e400', '-1e400', '1E-400', '9007199254740991', '9007199254740993', '5e-324'],
  ...['1.7976931348623157e308', '18446744073709551616', `${'9'.repeat(400)}`, '1E+2'],
)

const deep = fc
  .tuple(fc.constantFrom(['[', ']'], ['{"contact":', '}'], ['[{"messages":', '}]']), fc.nat(400))
  .map(([[open = '', close = ''], depth]) => `${open.repeat(depth)}{}${close.repeat(depth)}`)

/** Keys that have another meaning for objects, serializers or this service. */
const oddKeys = fc.constantFrom(
  ...['"__proto__"', '"constructor"', '"prototype"', '"toString"', '"toJSON"', '"hasOwnProperty"', '"then"'],
  ...['"length"', '"id"', '"message"', '"contact"', '"new_field"', '""', '"0"', '"\\u0000"', '"\\ud83d"'],
  ...['"a.b[0]"', '"STATUS"'],
)

export const member = (key: string, value: string) => `${key}:${value}`
export const objectText = (members: readonly string[]) => `{${members.join()}}`
export const arrayText = (elements: readonly string[]) => `[${elements.join()}]`

/** Any JSON value, more often an odd one than a usual one, with a canary here and there. */
export const anyJson: Texts = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    { weight: 3, arbitrary: fc.constantFrom('null', 'true', 'false', ...Object.values(canary)) },
    { weight: 2, arbitrary: oddTexts },
    { weight: 2, arbitrary: oddNumbers },
    { weight: 1, arbitrary: fc.json({ maxDepth: 3, stringUnit: 'binary' }) },
    { weight: 1, arbitrary: deep },
    { weight: 2, arbitrary: tie('array') },
    { weight: 2, arbitrary: tie('object') },
  ),
  array: fc.array(tie('value'), { maxLength: 4 }).map(arrayText),
  object: fc
    .array(fc.tuple(oddKeys, tie('value')), { maxLength: 4 })
    .map((members) => objectText(members.map(([key, value]) => member(key, value)))),
})).value

/** A member that no contract has. */
export const oddMember: Texts = fc.tuple(oddKeys, anyJson).map(([key, value]) => member(key, value))

/** Whether no key and no text of the JSON contains a lone surrogate, not even an escaped one. */
export function isWellFormed(json: string): boolean {
  let wellFormed = true
  JSON.parse(json, (key, value: unknown) => {
    wellFormed &&= key.isWellFormed() && (typeof value !== 'string' || value.isWellFormed())
    return value
  })
  return wellFormed
}
