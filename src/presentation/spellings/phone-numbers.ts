import { plainest } from './fold.ts'
import { type NumberingPlan, numberingPlans } from './numbering-plans.ts'

/** A string of digits that is a phone number wherever it stands, apart from the prefixes before it. */
export interface NumberForm {
  readonly digits: string
  /** The calling code that may stand before it; null if it is not known, empty if the digits begin with it. */
  readonly code: string | null
  /** Further digits that may stand before it. */
  readonly prefixes: readonly string[]
}

/** A number with fewer digits would match too much. */
export const leastDigits = 6
/** E.164 allows 15. An exit prefix and an extension may be added. */
const mostDigits = 20
/** Two numbers in one text have more digits than one (https://www.itu.int/rec/T-REC-E.164). */
const mostDigitsOfE164 = 15

/** The digits of a text, in ASCII. */
export function digitsOf(text: string): string {
  return withoutDecimals(plainest(text)).replace(/\D/g, '')
}

/** A spreadsheet takes a number for a decimal: `525512344433.0`. */
const withoutDecimals = (text: string) => text.replace(/(?<=\d{6})\.0+\s*$/, '')

/** A longer text in the place of a number is none. Reading it would only take time. */
export const longestNumberText = 1000

/**
 * The phone numbers in a text that consists of them, as digits, with a plus before international ones. Letters, as in
 * `whatsapp:+52…`, `…@c.us` and `ext. 5`, and marks such as commas separate numbers. Where it is not clear how many digits
 * belong to one number, each possibility is there.
 */
export function numbersIn(text: string): string[] {
  // Almost all are written like this.
  if (isPlainNumber(text)) return [text]
  return partsOf(text).flatMap((part) => [part, ...possiblePartsOf(part)].flatMap(numberOf))
}

/** Whether a text has more digits in a row than a number has, so that the numbers among them are not known. */
export function hasUnclearNumber(text: string): boolean {
  return !isPlainNumber(text) && partsOf(text).some(isUnclear)
}

function partsOf(text: string): string[] {
  if (digitCount(plainest(text)) < leastDigits) return []
  return text.split(/[\n\r]/).flatMap((line) =>
    withoutDecimals(plainest(line))
      .split(/[\p{L}@:;,#*|]+/u)
      .flatMap((part) => (digitCount(part) > mostDigitsOfE164 ? part.split(/(?=\+)|\//) : part)),
  )
}

/** With an exit prefix before it, or without any separators, an id of a messenger among them, it can be longer. */
function isUnclear(part: string): boolean {
  const digits = part.replace(/\D/g, '')
  if (digits.length > mostDigits) return true
  return digits.replace(/^(?:00|011)/, '').length > mostDigitsOfE164 && !/^\D*\d+\D*$/.test(part)
}

/** The number before a short number behind a slash or in parentheses, and two numbers that stand side by side. */
function possiblePartsOf(part: string): string[] {
  if (digitCount(part) > mostDigitsOfE164) return []
  const [, beforeExtension] = /^(.*\d)\s*(?:[/(]|-\s)\s*\d{1,3}\D*$/s.exec(part) ?? []
  const gaps = Array.from(part.matchAll(/(?<=\d)\D+(?=\d)/g), ({ index }) => index)
  const pairs = gaps.map((index) => [part.slice(0, index), part.slice(index)])
  const ofTwo = pairs.filter((pair) => pair.every((each) => digitCount(each) > leastDigits))
  return [...(beforeExtension === undefined ? [] : [beforeExtension]), ...ofTwo.flat()]
}

function numberOf(part: string): string[] {
  const digits = part.replace(/\D/g, '')
  if (digits.length < leastDigits || isUnclear(part)) return []
  return [`${/^\D*\+/.test(part) ? '+' : ''}${digits}`]
}

/** Whether a text is one number without any marks but a plus. */
export const isPlainNumber = (text: string): boolean => /^\+?\d{6,15}$/.test(text)

const digitCount = (text: string) => text.replace(/\D/g, '').length

/** All forms of some numbers, each once. */
export function formsOfAll(numbers: readonly string[]): readonly NumberForm[] {
  const forms = numbers.flatMap(formsOf)
  return [...new Map(forms.map((form) => [`${form.digits} ${form.code}`, form])).values()]
}

/** All forms of a number: without a plus or an exit prefix, it may be a national number without the calling code. */
function formsOf(number: string): readonly NumberForm[] {
  const digits = number.replace('+', '')
  const withoutExit = digits.replace(/^(?:00|011(?=\d{10}))/, '')
  if (number.startsWith('+') || digits.startsWith('00')) return internationalForms(withoutExit)
  // 011 is also the trunk prefix and the area code of Buenos Aires.
  if (withoutExit !== digits) return [...internationalForms(withoutExit), ...nationalForms(digits)]
  return digits.startsWith('0') ? nationalForms(digits) : [...internationalForms(digits), ...nationalForms(digits)]
}

/** The calling codes of one and of two digits. All others have three (https://www.itu.int/pub/T-SP-E.164D). */
export const callingCode = /^(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/

function internationalForms(digits: string): NumberForm[] {
  const [code] = callingCode.exec(digits) as RegExpExecArray
  const written = digits.slice(code.length)
  // Some people write the trunk prefix after the calling code: +44 (0)20. In other countries, a number begins with 0.
  const nationals = written.startsWith('0') ? [written, written.slice(1)] : [written]
  const plans = numberingPlans.filter((plan) => plan.code === code)
  const planned = plans.flatMap((plan) => nationals.flatMap((national) => plannedForms(plan, national)))
  if (planned.length > 0) return planned
  const [form, prefixes] = [nationals.at(-1) as string, plans.flatMap((plan) => plan.prefixes)]
  return [form.length < leastDigits ? { digits: code + form, code: '', prefixes } : { digits: form, code, prefixes }]
}

/** It may begin with a trunk prefix, which is not dialled from abroad. */
function nationalForms(digits: string): NumberForm[] {
  const withoutTrunk = trunkPrefixes.flatMap((prefix) => (digits.startsWith(prefix) ? digits.slice(prefix.length) : []))
  const nationals = [digits, ...withoutTrunk].filter(
    (form) => form.length >= (form === digits ? leastDigits : leastDigitsWithoutTrunk),
  )
  return [
    ...nationals.map((form) => ({ digits: form, code: null, prefixes: [] })),
    // It may be of any country that has several forms for it.
    ...numberingPlans.flatMap((plan) => nationals.flatMap((national) => plannedForms(plan, national))),
  ]
}

/** All forms of a number without its calling code; none if the plan has no such numbers. */
function plannedForms({ code, national, forms, prefixes }: NumberingPlan, number: string): NumberForm[] {
  if (!national.test(number)) return []
  return forms.map((form) => ({ digits: number.replace(national, form), code, prefixes }))
}

const trunkPrefixes = ['0', '1', '8', '80', '06', '01', '044', '045']
const leastDigitsWithoutTrunk = 7
