/**
 * The characters that may separate two digits of a number: spaces, dots, dashes, slashes, parentheses, the characters that
 * turn a digit into a keycap emoji, and invisible format characters, which pasted numbers often contain. The pattern lists
 * the characters themselves, because V8 rebuilds the set of a Unicode property for each pattern that names it. That would
 * take milliseconds for each contact.
 */
const separators = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code))
  .filter((character) => /[\s.·•/()（）\u2212\p{Pd}\p{Cf}]|\ufe0f|\u20e3/u.test(character))
  .map((character) => (character === '-' ? '\\-' : character))
  .join('')
const between = `(?:[${separators}]|%20){0,6}`

const plus = '(?:[+\uff0b]|%2[Bb])'
const anyDigit = '\\p{Nd}'
/**
 * The number is not part of a longer string of digits. The digits of an escape such as `%20` do not count as digits of the
 * string, nor as the calling code of Egypt.
 */
const start = `(?:(?<!${anyDigit}|%(?=20))|(?<=%[\\dA-Fa-f]{2}))`
const end = `(?!${anyDigit})`

/** ASCII, Arabic, Persian and full-width digits. All four zeros end in 0 in hexadecimal. */
const zeros = [0x30, 0x660, 0x6f0, 0xff10]
const spelledDigit = (digit: string) => `[${zeros.map((zero) => String.fromCharCode(zero + Number(digit))).join('')}]`
const spelled = (digits: string) => Array.from(digits, spelledDigit).join(between)
const anyOf = (alternatives: readonly string[]) => `(?:${alternatives.map(spelled).join('|')})`

/** Dialled before an international number. */
const exitPrefix = anyOf(['00', '011'])
/** Dialled before a long-distance number in Mexico. */
const longTrunkPrefix = anyOf(['01', '044', '045'])
const trunkDigits = ['0', '1', '8']

/** The calling codes of one and of two digits. All others have three (https://www.itu.int/pub/T-SP-E.164D). */
const callingCode = /^(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/

/** The digits that mobile numbers have on WhatsApp and not elsewhere, or the reverse, and the numbers that have them. */
const optionalDigits = [
  { around: /^(52)1?(\d{10})$/, digit: '1' }, // Mexico
  { around: /^(54)9?(\d{10})$/, digit: '9' }, // Argentina
  { around: /^(55\d\d)9?([6-9]\d{7})$/, digit: '9' }, // Brazil
] as const

/** The parts of a phone number. */
interface Numbering {
  /** A pattern that matches the calling code of the country. */
  readonly code: string
  /** The digits between the code and the optional digit. */
  readonly area: string
  /** Empty without an optional digit. */
  readonly optionalDigit: string
  readonly subscriber: string
}

/** A number with fewer digits would match too much. */
const leastDigits = 6
/** E.164 allows 15. An exit prefix and an extension may be added. */
const mostDigits = 20

/**
 * Returns a pattern for a phone number in each of its usual spellings: with or without the country code, the prefixes and
 * the digits of `optionalDigits`, and with any of the usual separators. It does not match a part of a longer string of
 * digits. An opening parenthesis before the number belongs to the match. For a text that is not a phone number, the
 * pattern matches nothing.
 * @param phone as Hilos has it, with or without a plus and punctuation
 */
export function phoneSpellings(phone: string): RegExp {
  const { length } = digitsOf(phone)
  if (length < leastDigits || length > mostDigits) return /(?!)/g
  const patterns = numberingsOf(phone).map(patternOf)
  return new RegExp(`[(（]?(?:${plus}${between})?${start}(?:${patterns.join('|')})${end}`, 'gu')
}

/** The digits of a phone number, in ASCII. */
export function digitsOf(phone: string): string {
  const digits = phone.match(/[\d\u0660-\u0669\u06f0-\u06f9\uff10-\uff19]/g) ?? []
  return digits.map((digit) => digit.charCodeAt(0) & 0xf).join('')
}

/** All that the number can be: without a plus or an exit prefix, it may be a national number without the calling code. */
function numberingsOf(phone: string): readonly Numbering[] {
  const digits = digitsOf(phone)
  const withoutExit = digits.replace(/^(?:00|011(?=\d{10}))/, '')
  if (/[+\uff0b]/.test(phone) || withoutExit !== digits) return [internationalNumbering(withoutExit)]
  if (digits.startsWith('0')) return [nationalNumbering(digits)]
  return digits.length > 10
    ? [internationalNumbering(digits)]
    : [internationalNumbering(digits), nationalNumbering(digits)]
}

function internationalNumbering(digits: string): Numbering {
  const national = digits.replace(callingCode, '')
  const code = digits.slice(0, digits.length - national.length)
  // Some people write the trunk prefix after the calling code: +44 (0)20.
  const number = code + national.replace(/^0/, '')
  for (const { around, digit } of optionalDigits) {
    const [whole, before = '', subscriber = ''] = around.exec(number) ?? []
    if (whole !== undefined)
      return { code: spelled(code), area: before.slice(code.length), optionalDigit: digit, subscriber }
  }
  return { code: spelled(code), area: '', optionalDigit: '', subscriber: number.slice(code.length) }
}

/** The country is unknown, so its calling code is any one to three digits after a plus or an exit prefix. */
function nationalNumbering(digits: string): Numbering {
  const code = `(?<=(?:${plus}|${exitPrefix})${between})${anyDigit}{1,3}`
  return { code, area: '', optionalDigit: '', subscriber: digits.replace(/^(?:01|04[45]|0)/, '') }
}

function patternOf({ code, area, optionalDigit, subscriber }: Numbering): string {
  const inside = area && `${spelled(area)}${between}(?:${spelled(optionalDigit)}${between})?`
  const national = inside + spelled(subscriber)
  const digit = anyOf(area ? trunkDigits : [...trunkDigits, ...optionalDigit])
  const abroad = `(?:${exitPrefix}${between})?${code}${between}(?:(?:${longTrunkPrefix}|${digit})${between})?`
  if (subscriber.length < leastDigits) return abroad + national
  // A single digit before a space may be another number, for example of a floor.
  const atHome = `(?:${longTrunkPrefix}|${digit}(?!\\s+${anyDigit}))${between}`
  return `(?:${abroad}|${atHome})?${national}`
}
