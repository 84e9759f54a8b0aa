/** An escape in a text, and the character that it stands for. Reading an escape fills one in, to allocate nothing. */
export interface Escape {
  codePoint: number
  /** Where the text goes on behind the escape. */
  end: number
}

const [percent, ampersand, backslash] = [0x25, 0x26, 0x5c]

/** Whether an escape can begin with this character. */
export const isEscapeCharacter = (code: number): boolean => code === percent || code === ampersand || code === backslash

/**
 * Reads the escape that begins at an index: percent-encoded UTF-8 as in URLs and forms, a character reference of HTML, or
 * an escape of JSON and of programming languages. Returns whether there is one.
 * @param index that of a character with which an escape can begin
 */
export function readEscape(text: string, index: number, into: Escape): boolean {
  switch (text.charCodeAt(index)) {
    case percent:
      return readPercentEncoding(text, index, into)
    case ampersand:
      return readCharacterReference(text, index, into)
    default:
      return readBackslashEscape(text, index, into)
  }
}

/** The first byte of UTF-8 tells how many follow it. JavaScript's `escape` writes `%uXXXX` instead. */
function readPercentEncoding(text: string, index: number, into: Escape): boolean {
  if (text.charAt(index + 1) === 'u') return readCodeUnit(text, index + 2, into)
  const first = byteAt(text, index)
  const following = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0
  into.codePoint = following === 0 ? first : first & (0x3f >> following)
  for (let count = 1; count <= following; count += 1) {
    const byte = byteAt(text, index + 3 * count)
    if (byte >>> 6 !== 0b10) {
      // Not UTF-8: the byte stands for itself, as in ISO 8859-1.
      into.codePoint = first
      into.end = index + 3
      return true
    }
    into.codePoint = Math.min((into.codePoint << 6) | (byte & 0x3f), lastCodePoint)
  }
  into.end = index + 3 * (following + 1)
  return first >= 0
}

const lastCodePoint = 0x10ffff

/** The byte of `%XX`; -1 if there is none. */
function byteAt(text: string, index: number): number {
  return text.charCodeAt(index) === percent ? hexadecimal(text, index + 1, 2) : -1
}

/** The characters that may be in a number or an address, or between their parts, and have a name in HTML. */
const namedCharacters: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ amp: '&', commat: '@', plus: '+', period: '.', lowbar: '_', UnderBar: '_', percnt: '%', num: '#', bsol: '\\' },
    ...{ lpar: '(', rpar: ')', sol: '/', colon: ':', comma: ',', semi: ';', quot: '"', apos: "'", lt: '<', gt: '>' },
    ...{ hyphen: '-', dash: '-', ndash: '-', mdash: '-', minus: '-', middot: '-', bull: '-', Tab: ' ', NewLine: ' ' },
    ...{ nbsp: ' ', ensp: ' ', emsp: ' ', thinsp: ' ', hairsp: ' ', numsp: ' ', puncsp: ' ' },
    ...{ shy: '\u00ad', zwj: '\u200d', zwnj: '\u200c', lrm: '\u200e', rlm: '\u200f', ZeroWidthSpace: '\u200b' },
  }),
)
/** The semicolon behind these may be missing, as in browsers. */
const oldNames: ReadonlySet<string> = new Set(['middot', 'nbsp', 'shy'])
const longestName = Math.max(...Array.from(namedCharacters.keys(), (name) => name.length))

function readCharacterReference(text: string, index: number, into: Escape): boolean {
  return text.charCodeAt(index + 1) === 0x23
    ? readNumericReference(text, index + 2, into)
    : readNamedReference(text, index + 1, into)
}

/** The semicolon behind it may be missing, as in browsers. */
function readNumericReference(text: string, start: number, into: Escape): boolean {
  const isHexadecimal = (text.charCodeAt(start) | 0x20) === 0x78
  const base = isHexadecimal ? 16 : 10
  const first = isHexadecimal ? start + 1 : start
  let [at, codePoint] = [first, 0]
  for (; at < first + mostDigits; at += 1) {
    const digit = hexadecimalDigit(text.charCodeAt(at))
    if (digit < 0 || digit >= base) break
    codePoint = codePoint * base + digit
  }
  into.codePoint = codePoint
  into.end = text.charCodeAt(at) === 0x3b ? at + 1 : at
  return at > first && codePoint <= lastCodePoint
}

/** Numeric references may begin with zeros. */
const mostDigits = 10

function readNamedReference(text: string, start: number, into: Escape): boolean {
  let at = start
  while (at <= start + longestName && (text.charCodeAt(at) | 0x20) >= 0x61 && (text.charCodeAt(at) | 0x20) <= 0x7a)
    at += 1
  const [name, hasSemicolon] = [text.slice(start, at), text.charCodeAt(at) === 0x3b]
  const character = hasSemicolon || oldNames.has(name) ? namedCharacters.get(name) : undefined
  if (character === undefined) return false
  into.codePoint = character.charCodeAt(0)
  into.end = hasSemicolon ? at + 1 : at
  return true
}

/** Of several backslashes in a row, which escape each other, all belong to the escape. Markdown escapes punctuation. */
function readBackslashEscape(text: string, index: number, into: Escape): boolean {
  let at = index
  while (text.charCodeAt(at) === backslash) at += 1
  const letter = text.charAt(at)
  if (letter === 'u' && text.charAt(at + 1) === '{' && readCodePoint(text, at + 2, into)) return true
  if (letter === 'u' && readCodeUnit(text, at + 1, into)) return true
  into.codePoint = letter === 'x' ? hexadecimal(text, at + 1, 2) : -1
  into.end = at + 3
  if (into.codePoint >= 0) return true
  const isWhiteSpace = letter === 'n' || letter === 'r' || letter === 't'
  const isPunctuation = asciiPunctuation.test(letter)
  into.codePoint = isWhiteSpace ? 0x20 : isPunctuation ? letter.charCodeAt(0) : backslash
  into.end = isWhiteSpace || isPunctuation ? at + 1 : at
  return into.end > index + 1
}

/** Without a percent sign and an ampersand, because they may begin another escape. */
const asciiPunctuation = /[!-$'-/:-@[\]-`{-~]/

/** The rest of `\u{X}`, with one to six digits. */
function readCodePoint(text: string, start: number, into: Escape): boolean {
  const length = text.slice(start, start + 7).indexOf('}')
  into.codePoint = length > 0 ? hexadecimal(text, start, length) : -1
  into.end = start + length + 1
  return into.codePoint >= 0 && into.codePoint <= lastCodePoint
}

/** The rest of `\uXXXX` or `%uXXXX`. A character outside the Basic Multilingual Plane has two (RFC 8259 section 7). */
function readCodeUnit(text: string, start: number, into: Escape): boolean {
  into.codePoint = hexadecimal(text, start, 4)
  into.end = start + 4
  if (isHighSurrogate(into.codePoint)) readLowSurrogate(text, into.end, into)
  return into.codePoint >= 0
}

const isHighSurrogate = (code: number) => code >= 0xd800 && code < 0xdc00

function readLowSurrogate(text: string, index: number, into: Escape): void {
  let at = index
  while (text.charCodeAt(at) === backslash || text.charCodeAt(at) === percent) at += 1
  const low = at > index && text.charAt(at) === 'u' ? hexadecimal(text, at + 1, 4) : -1
  if (low < 0xdc00 || low > 0xdfff) return
  into.codePoint = 0x10000 + ((into.codePoint - 0xd800) << 10) + (low - 0xdc00)
  into.end = at + 5
}

/** The value of hexadecimal digits; -1 if one of them is none. */
function hexadecimal(text: string, start: number, length: number): number {
  let value = 0
  for (let index = start; index < start + length; index += 1) {
    const digit = hexadecimalDigit(text.charCodeAt(index))
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}

function hexadecimalDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1
}
