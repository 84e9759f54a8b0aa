/**
 * What a text says to a reader who ignores spelling: compatible characters are one (NFKC), what is invisible is left out,
 * decimal digits of all scripts are 0 to 9, and percent-encoding and character references are undone. It is written from
 * these rules and not from `src`, and it may be slow.
 */
export function folded(text: string): string {
  const visible = unescaped(text)
    .normalize('NFKC')
    .replace(/\p{Cf}|\u034f|\u2800|\u3164|\u1160|\u00ad|\ufe0f|\u20e3/gu, '')
  return Array.from(visible, (character) => digitOf(character) ?? character.toLowerCase()).join('')
}

/** The digits of a text in a row, whatever separates them. Letters stay, so that `5a5` is not 55. */
export function digitsIn(text: string): string {
  return folded(text).replace(/[^\p{L}\d]/gu, '')
}

function unescaped(text: string): string {
  const once = text
    .replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
      try {
        return decodeURIComponent(escapes)
      } catch {
        return escapes
      }
    })
    .replace(/&#x([\da-f]+);/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&nbsp;/g, ' ')
    .replace(/&amp;/g, '&')
    .replace(/&plus;/g, '+')
    .replace(/&commat;/g, '@')
    .replace(/\\u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return once === text ? text : unescaped(once)
}

/** The zeros of all scripts. */
const zeros = Array.from({ length: 0x20000 }, (_, code) => code).filter(
  (code) => isDigit(code) && (!isDigit(code - 1) || (code >= 0x1d7ce && (code - 0x1d7ce) % 10 === 0)),
)

function isDigit(code: number): boolean {
  return code > 0 && /\p{Nd}/u.test(String.fromCodePoint(code))
}

function digitOf(character: string): string | undefined {
  const code = character.codePointAt(0) as number
  const zero = isDigit(code) ? zeros.findLast((each) => each <= code) : undefined
  return zero === undefined ? undefined : String((code - zero) % 10)
}

/** Every text in a JSON value, with its path. */
export function textsIn(value: unknown, path = ''): (readonly [path: string, text: string])[] {
  if (typeof value === 'string') return [[path, value]]
  if (typeof value === 'number') return [[path, String(value)]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => textsIn(inner, path === '' ? name : `${path}.${name}`))
}
