/**
 * How one character is folded: the characters of another script, style or width that mean the same become one, so that a
 * text can be searched for a number or an address in any spelling. Letters become lower case, digits of all scripts become
 * 0 to 9, white space becomes a space, dashes, and the letters that make
 * a line as they do, become a hyphen, curved apostrophes become straight, the full stops of domain names become a dot, and accents and
 * invisible characters are dropped.
 */

/** Combining marks, format characters, and the characters that look empty although Unicode counts them as others. */
const dropped = /[\p{M}\p{Cf}\u115f\u1160\u2800]/gu
const decimalDigit = /\p{Nd}/u
const letter = /\p{L}/u

/** A longer decomposition is a phrase of Arabic or a unit of Japanese. It has no digits, and it would only take memory. */
const longestDecomposition = 4

/** Behind these planes there are only Chinese characters, and the tags and variation selectors, which are invisible. */
const endOfTable = 0x20000
const invisiblePlane = 0xe

/** The folded character as one code unit; `isDropped`; or, below it, the index of a decomposition. */
type Folding = number
export const isDropped = -1

/** A table of 256 code points is built when the first of them is met: few texts use more than two tables. */
const pageBits = 8
const pageSize = 1 << pageBits
const pages: (Int32Array | null)[] = new Array<null>(endOfTable >>> pageBits).fill(null)
const decompositions: string[] = []

/** @param codePoint any code point of Unicode */
export function foldingOf(codePoint: number): Folding {
  if (codePoint >= endOfTable) return codePoint >>> 16 === invisiblePlane ? isDropped : codePoint
  const index = codePoint >>> pageBits
  const page = pages[index] ?? addPage(index)
  return page[codePoint & (pageSize - 1)] as Folding
}

/** @param folding less than `isDropped` */
export const decompositionOf = (folding: Folding): string => decompositions[isDropped - 1 - folding] as string

export const atSign = 0x40

/** Whether a folded code unit is a digit. */
export const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39
/** Whether a folded code unit is a letter of ASCII. */
export const isLowerCase = (code: number): boolean => code >= 0x61 && code <= 0x7a
/** Whether a folded code point is a letter of any script. */
export const isLetter = (codePoint: number): boolean => letter.test(String.fromCodePoint(codePoint))

function addPage(index: number): Int32Array {
  const page = Int32Array.from({ length: pageSize }, (_, offset) => newFolding(index * pageSize + offset))
  pages[index] = page
  return page
}

function newFolding(codePoint: number): Folding {
  const character = String.fromCodePoint(codePoint)
  const folded = Array.from(character.normalize('NFKD').toLowerCase().replace(dropped, ''), plain).join('')
  if (folded === '') return isDropped
  if (folded.length === 1) return folded.charCodeAt(0)
  if (folded === character || folded.length > longestDecomposition) return codePoint
  decompositions.push(folded)
  return isDropped - decompositions.length
}

function plain(character: string): string {
  if (/\s/.test(character)) return ' '
  if (/[\p{Pd}\u2212\u0640\u30fc]/u.test(character)) return '-'
  if (/[\u2018\u2019\u02bc\u2032]/.test(character)) return "'"
  if (character === ideographicFullStop) return '.'
  if (decimalDigit.test(character)) return String(digitOf(character.codePointAt(0) as number))
  return ornaments.get(character) ?? character
}

/** It ends a label of a domain name as a dot does (https://www.rfc-editor.org/rfc/rfc3490#section-3.1). */
const ideographicFullStop = '\u3002'

/** Numbers in circles that Unicode gives no decomposition: these zeros, and 1 to 10 from each of these characters on. */
const ornaments: ReadonlyMap<string, string> = new Map([
  ...['\u24ff', '\u{1f10b}', '\u{1f10c}'].map((zero) => [zero, '0'] as const),
  ...[0x24f5, 0x2776, 0x2780, 0x278a].flatMap((one) =>
    Array.from({ length: 10 }, (_, index) => [String.fromCodePoint(one + index), String(index + 1)] as const),
  ),
])

/** Unicode has the digits of a script in a row from 0 to 9 (https://www.unicode.org/policies/stability_policy.html). */
function digitOf(codePoint: number): number {
  let first = codePoint
  while (decimalDigit.test(String.fromCodePoint(first - 1))) first -= 1
  return (codePoint - first) % 10
}
