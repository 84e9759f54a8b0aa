/** The encodings in which a secret is searched for. */
export type Encoding = 'plain' | 'base64' | 'percent-encoded' | 'JSON-escaped'

const characterOf = (_match: string, hexadecimal: string) => String.fromCharCode(Number.parseInt(hexadecimal, 16))

/** The tests decode the text and the service encodes the token, so that they cannot have the same error. */
const decoders: Readonly<Record<Encoding, (text: string) => string>> = {
  plain: (text) => text,
  // The characters before the secret shift its digits.
  base64: (text) =>
    [...text.matchAll(/[\w+/-]{8,}/g)]
      .flatMap(([run]) => [0, 1, 2, 3].map((shift) => Buffer.from(run.slice(shift), 'base64').toString('latin1')))
      .join('\n'),
  'percent-encoded': (text) => text.replaceAll(/%([\da-f]{2})/gi, characterOf),
  'JSON-escaped': (text) => text.replaceAll(/\\u([\da-f]{4})/gi, characterOf).replaceAll(/\\(["\\/])/g, '$1'),
}

/** The encodings in which the text contains the secret, also when the encoded secret has JSON escapes in addition. */
export function encodingsOf(secret: string, text: string): Encoding[] {
  const unescaped = decoders['JSON-escaped'](text)
  return (Object.keys(decoders) as Encoding[]).filter((encoding) =>
    [text, unescaped].some((each) => decoders[encoding](each).includes(secret)),
  )
}
