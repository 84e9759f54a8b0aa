import type { Secret } from '../../common/secret.ts'
import { Failure } from '../../failures/failure.ts'

/**
 * Returns the body. Some servers repeat the request in their answer, so nothing of a body may be used before this.
 * @throws Failure `upstream_invalid_response` if it contains one of our tokens
 */
export function withoutTokens(body: Buffer, tokens: readonly Secret[]): Buffer {
  if (!containsToken(body, tokens)) return body
  throw new Failure('upstream_invalid_response', { facts: { reason: 'our own key in the body' } })
}

/**
 * Whether a body contains one of these tokens: as it is, in base64, percent-encoded, or with the escapes of JSON in any of
 * these. It takes a few passes over the body, which cost less than parsing it. The encoded forms live as long as the token.
 */
export function containsToken(body: Buffer, tokens: readonly Secret[]): boolean {
  const forms = tokens.flatMap(knownFormsOf)
  if (forms.some((form) => body.includes(form))) return true
  if (!body.includes('\\u00') && !body.includes('\\/')) return false
  const plain = unescaped(body)
  return forms.some((form) => plain.includes(form))
}

const knownForms = new WeakMap<Secret, readonly string[]>()

function knownFormsOf(token: Secret): readonly string[] {
  const forms = knownForms.get(token) ?? formsOf(tellingPart(token.reveal()))
  knownForms.set(token, forms)
  return forms
}

/** A shorter key can be in a document by chance, as `test` is in `is_test`. Then the whole credentials are searched for. */
const tellingKeyLength = 12

function tellingPart(key: string): string {
  return key.length >= tellingKeyLength ? key : `Token ${key}`
}

/** The spellings of an ASCII text, except for the escapes that JSON allows but does not require. */
function formsOf(text: string): readonly string[] {
  const percentEncoded = Buffer.from(text).toString('hex').replace(/../g, '%$&')
  return [
    text,
    ...base64Of(text, 'base64'),
    ...base64Of(text, 'base64url'),
    percentEncoded,
    percentEncoded.toUpperCase(),
    encodeURIComponent(text),
    // With the escapes that JSON requires, for quotation marks and backslashes.
    JSON.stringify(text).slice(1, -1),
  ].filter((form, index, forms) => forms.indexOf(form) === index)
}

/** One spelling for each offset of the text in a triplet of bytes, without the digits that also hold bits of other bytes. */
function base64Of(text: string, alphabet: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.from('\0'.repeat(before) + text).toString(alphabet)
    return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + text.length) * 8) / 6))
  })
}

/** Undoes the escapes of JSON for printable ASCII characters. A hostile body is full of them, so this is one plain loop. */
function unescaped(body: Buffer): Buffer {
  const plain = Buffer.allocUnsafe(body.length)
  let length = 0
  for (let index = 0; index < body.length; index += 1) {
    let byte = body[index] as number
    if (byte === characters.backslash) {
      const next = body[index + 1]
      const code = next === characters.u ? codeAt(body, index + 2) : null
      if (next === characters.quote || next === characters.backslash || next === characters.slash) {
        byte = next
        index += 1
      } else if (code !== null) {
        byte = code
        index += 5
      }
    }
    plain[length] = byte
    length += 1
  }
  return plain.subarray(0, length)
}

const characters = { zero: 0x30, quote: 0x22, slash: 0x2f, backslash: 0x5c, u: 0x75 }

/** The code of a printable ASCII character in the four digits of an escape; null for any other. */
function codeAt(body: Buffer, index: number): number | null {
  if (body[index] !== characters.zero || body[index + 1] !== characters.zero) return null
  const code = 16 * digitAt(body, index + 2) + digitAt(body, index + 3)
  return code >= 0x20 && code < 0x80 ? code : null
}

/** The value of a hexadecimal digit; NaN for any other byte. */
function digitAt(body: Buffer, index: number): number {
  const byte = body[index] as number
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN
}
