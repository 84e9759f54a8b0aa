import { callingCode, type NumberForm } from './phone-numbers.ts'

/** The digits of a text, as numbers from 0 to 9, by their position among the digits. */
export type DigitAt = (position: number) => number

/** How many digits stand before the longest number: an exit prefix, a calling code and a trunk prefix with a carrier. */
export const longestPrefix = 10

/** What the text shows about digits before a number, besides their values. */
export interface PrefixContext {
  /** Whether a plus stands before them, or all of them and the number are one string of digits. */
  readonly isInternational: boolean
  /** Whether there is only white space between them and the number. */
  readonly isApart: boolean
}

/** Returns whether the digits from one position to another may be dialled or written before a number of this form. */
export function createPrefixCheck(form: NumberForm) {
  const ownPrefixes = form.prefixes.map(keyOfText)
  const codes = form.code === null ? callingCodes : new Set([keyOfText(form.code)])

  /** In some countries, the code of a carrier follows the 0. */
  function isTrunkPrefix(key: number): boolean {
    const isUsual = key === 10 || key === 11 || key === 18 || key === 180 || (key >= 100 && key < 110)
    return isUsual || (key >= 1000 && key < 1100) || ownPrefixes.includes(key)
  }

  return (digitAt: DigitAt, start: number, end: number, context: PrefixContext): boolean => {
    if (start === end) return true
    const key = (from: number, to: number) => keyOf(digitAt, from, to)
    // A single digit before a space may be another number, for example of a floor.
    const isAlone = context.isApart && end - start === 1
    if (form.code !== '' && isTrunkPrefix(key(start, end)) && !isAlone) return true
    return exitLengths.some((exitLength) => {
      const codeStart = start + exitLength
      if (exitLength > 0 && !isExitPrefix(key(start, codeStart))) return false
      // Without a sign for it, digits before a national number are no calling code.
      if (form.code === null && exitLength === 0 && !context.isInternational) return false
      return codeLengths.some((codeLength) => {
        const codeEnd = codeStart + codeLength
        if (codeEnd > end || !codes.has(key(codeStart, codeEnd))) return false
        return codeEnd === end || (form.code !== '' && isTrunkPrefix(key(codeEnd, end)))
      })
    })
  }
}

/** The digits as one number, with a 1 before them so that zeros at the beginning count. */
function keyOf(digitAt: DigitAt, start: number, end: number): number {
  let key = 1
  for (let position = start; position < end; position += 1) key = key * 10 + digitAt(position)
  return key
}
const keyOfText = (digits: string) => Number(`1${digits}`)

/**
 * Whether it is dialled before an international number: 00, in many countries with the code of a carrier behind it, or one
 * of the others (https://www.itu.int/pub/T-SP-E.164C).
 */
function isExitPrefix(key: number): boolean {
  const isDoubleZero = key === 100 || (key >= 1000 && key < 1010) || (key >= 10_000 && key < 10_100)
  return isDoubleZero || otherExitPrefixes.has(key)
}

/** North America, Japan and Korea, Cuba, and the countries of the former Soviet Union. */
const otherExitPrefixes = new Set(['011', '010', '119', '810'].map(keyOfText))
const exitLengths = [0, 2, 3, 4] as const
const codeLengths = [0, 1, 2, 3] as const
const callingCodes = new Set(
  Array.from({ length: 1000 }, (_, code) => String(code))
    .filter((code) => callingCode.exec(code)?.[0] === code)
    .map(keyOfText),
)
