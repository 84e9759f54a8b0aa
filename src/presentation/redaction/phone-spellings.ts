/**
 * What stands between two digits of a number: spaces, dots, dashes, slashes, parentheses, what makes a digit a keycap
 * emoji, and invisible format characters, which come along when a number is pasted. Written out, because V8 builds the
 * set of a Unicode property anew wherever a pattern has it, which would cost each contact milliseconds.
 */
const separators = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code))
  .filter((character) => /[\s.·•/()（）\u2212\p{Pd}\p{Cf}]|\ufe0f|\u20e3/u.test(character))
  .map((character) => (character === '-' ? '\\-' : character))
  .join('')
const between = `(?:[${separators}]|%20){0,6}`

const plus = '(?:[+\uff0b]|%2[Bb])'
const anyDigit = '\\p{Nd}'
/** Not amid a longer string of digits. Those of an escape such as `%20` are none, not even of Egypt’s code. */
const start = `(?:(?<!${anyDigit}|%(?=20))|(?<=%[\\dA-Fa-f]{2}))`
const end = `(?!${anyDigit})`

/** Digits as ASCII, Arabic, Persian and full-width, the zeros of which all end in 0 in hexadecimal. */
const zeros = [0x30, 0x660, 0x6f0, 0xff10]
const spelledDigit = (digit: string) => `[${zeros.map((zero) => String.fromCharCode(zero + Number(digit))).join('')}]`
const spelled = (digits: string) => Array.from(digits, spelledDigit).join(between)
const anyOf = (alternatives: readonly string[]) => `(?:${alternatives.map(spelled).join('|')})`

/** Dialled to leave a country. */
const exitPrefix = anyOf(['00', '011'])
/** Dialled to leave a town. */
const longTrunkPrefix = anyOf(['01', '044', '045'])
const trunkDigits = ['0', '1', '8']

/** The calling codes of one and of two digits; all others have three (https://www.itu.int/pub/T-SP-E.164D). */
const callingCode = /^(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/

/** A digit that mobile numbers have on WhatsApp and lack elsewhere, or the other way round, and what is around it. */
const optionalDigits = [
  { around: /^(52)1?(\d{10})$/, digit: '1' }, // Mexico
  { around: /^(54)9?(\d{10})$/, digit: '9' }, // Argentina
  { around: /^(55\d\d)9?([6-9]\d{7})$/, digit: '9' }, // Brazil
] as const

/** A phone number in its parts. */
interface Numbering {
  /** A pattern of the country's calling code. */
  readonly code: string
  /** What stands before the optional digit. */
  readonly area: string
  /** Empty where there is none. */
  readonly optionalDigit: string
  readonly subscriber: string
}

/** With fewer it is no telling whose number it is. */
const leastDigits = 6
/** 15 by E.164, an exit prefix and an extension. */
const mostDigits = 20

/**
 * Matches a phone number in each of its usual spellings, wherever it is not a part of a longer string of digits: with
 * or without the country code, prefixes and the digits of `optionalDigits`, however the digits are separated. Matches
 * nothing when what is given is no phone number. An opening parenthesis before it belongs to the match.
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

/** What the number can be: what does not say that it is international can be without the code of its country. */
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
  // Some write the trunk prefix behind the code: +44 (0)20.
  const number = code + national.replace(/^0/, '')
  for (const { around, digit } of optionalDigits) {
    const [whole, before = '', subscriber = ''] = around.exec(number) ?? []
    if (whole !== undefined)
      return { code: spelled(code), area: before.slice(code.length), optionalDigit: digit, subscriber }
  }
  return { code: spelled(code), area: '', optionalDigit: '', subscriber: number.slice(code.length) }
}

/** Of whatever country: its code is what a plus or an exit prefix says is one. */
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
  // A single digit with nothing but a space behind it may be a floor or the number of a line.
  const atHome = `(?:${longTrunkPrefix}|${digit}(?!\\s+${anyDigit}))${between}`
  return `(?:${abroad}|${atHome})?${national}`
}
