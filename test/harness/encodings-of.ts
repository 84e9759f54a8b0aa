/** The ways in which a text can be written that are looked through. */
export type Encoding = 'plain' | 'base64' | 'percent-encoded' | 'JSON-escaped'

const characterOf = (_match: string, hexadecimal: string) => String.fromCharCode(Number.parseInt(hexadecimal, 16))

/** Unlike what it tests, it decodes what it looks through, so that the two cannot share a mistake. */
const decoders: Readonly<Record<Encoding, (text: string) => string>> = {
  plain: (text) => text,
  // Whatever stands before it shifts it by some digits.
  base64: (text) =>
    [...text.matchAll(/[\w+/-]{8,}/g)]
      .flatMap(([run]) => [0, 1, 2, 3].map((shift) => Buffer.from(run.slice(shift), 'base64').toString('latin1')))
      .join('\n'),
  'percent-encoded': (text) => text.replaceAll(/%([\da-f]{2})/gi, characterOf),
  'JSON-escaped': (text) => text.replaceAll(/\\u([\da-f]{4})/gi, characterOf).replaceAll(/\\(["\\/])/g, '$1'),
}

/** In which encodings a text repeats a secret; none is what a test hopes for. What is behind JSON's escapes is decoded too. */
export function encodingsOf(secret: string, text: string): Encoding[] {
  const unescaped = decoders['JSON-escaped'](text)
  return (Object.keys(decoders) as Encoding[]).filter((encoding) =>
    [text, unescaped].some((each) => decoders[encoding](each).includes(secret)),
  )
}
