import type { Secret } from '../../common/secret.ts'

/**
 * Whether a body repeats a token: as it is, in base64, percent-encoded, or with JSON's escapes in any of these.
 * It costs a few passes over the body, less than parsing it, and keeps no copy of the token.
 */
export function repeats(body: Buffer, token: Secret): boolean {
  const forms = formsOf(tellingPart(token.reveal()))
  if (forms.some((form) => body.includes(form))) return true
  if (!body.includes('\\u00') && !body.includes('\\/')) return false
  const unescaped = body.toString('latin1').replace(escapedAscii, asciiOf)
  return forms.some((form) => unescaped.includes(form))
}

/** A shorter key stands in a document by chance, as `test` does in `is_test`; then only the whole credentials tell. */
const tellingKeyLength = 12

function tellingPart(key: string): string {
  return key.length >= tellingKeyLength ? key : `Token ${key}`
}

/** How an ASCII text may be written, but for the escapes that JSON allows and does not demand. */
function formsOf(text: string): readonly string[] {
  const percentEncoded = Buffer.from(text).toString('hex').replace(/../g, '%$&')
  return [
    text,
    ...base64Of(text, 'base64'),
    ...base64Of(text, 'base64url'),
    percentEncoded,
    percentEncoded.toUpperCase(),
    encodeURIComponent(text),
    // With the escapes that it demands, of quotation marks and backslashes.
    JSON.stringify(text).slice(1, -1),
  ].filter((form, index, forms) => forms.indexOf(form) === index)
}

/** Behind a whole number of triplets, one byte more, and two; each without the digits that hold bits of its neighbours. */
function base64Of(text: string, alphabet: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.from('\0'.repeat(before) + text).toString(alphabet)
    return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + text.length) * 8) / 6))
  })
}

/** Printable ASCII behind an escape of JSON's; of slashes and letters nobody needs one. */
const escapedAscii = /\\(?:u00([2-7][\da-f])|(["\\/]))/gi

function asciiOf(_escape: string, code: string | undefined, mark: string): string {
  return code === undefined ? mark : String.fromCharCode(Number.parseInt(code, 16))
}
