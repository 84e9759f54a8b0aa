import type { Secret } from '../../common/secret.ts'

/**
 * Whether a body contains a token: as it is, in base64, percent-encoded, or with the escapes of JSON in any of these. It
 * takes a few passes over the body, which cost less than parsing it, and keeps no copy of the token.
 */
export function containsToken(body: Buffer, token: Secret): boolean {
  const forms = formsOf(tellingPart(token.reveal()))
  if (forms.some((form) => body.includes(form))) return true
  if (!body.includes('\\u00') && !body.includes('\\/')) return false
  const unescaped = body.toString('latin1').replace(escapedAscii, asciiOf)
  return forms.some((form) => unescaped.includes(form))
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

/** A JSON escape of a printable ASCII character. */
const escapedAscii = /\\(?:u00([2-7][\da-f])|(["\\/]))/gi

function asciiOf(_escape: string, code: string | undefined, mark: string): string {
  return code === undefined ? mark : String.fromCharCode(Number.parseInt(code, 16))
}
