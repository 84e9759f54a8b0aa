/** The instructions of a Dockerfile that the replay understands. Any other stops it: better than to guess. */
const keywords = [
  'ARG',
  'CMD',
  'COPY',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'RUN',
  'STOPSIGNAL',
  'USER',
  'WORKDIR',
] as const
export type Keyword = (typeof keywords)[number]

export interface Instruction {
  /** Of its beginning, from 1. */
  readonly line: number
  readonly keyword: Keyword
  /** What begins with two dashes, by name. */
  readonly flags: Readonly<Record<string, string>>
  /** What follows, on one line. */
  readonly text: string
}

/** Something in a Dockerfile, or in .dockerignore, that the replay does not understand or cannot do. */
export class NotReplayable extends Error {
  override readonly name = 'NotReplayable'
}

/** @throws NotReplayable at the first line that is not understood */
export function readDockerfile(text: string): Instruction[] {
  const instructions: Instruction[] = []
  let [begun, line] = ['', 0]
  for (const [index, raw] of text.split('\n').entries()) {
    const part = raw.trim()
    if (/^#\s*escape\s*=/i.test(part)) throw new NotReplayable(`line ${index + 1}: an escape character of its own`)
    if (part === '' || part.startsWith('#')) continue
    if (begun === '') line = index + 1
    begun += part.replace(/\\$/, '')
    if (part.endsWith('\\')) continue
    instructions.push(instructionOf(begun, line))
    begun = ''
  }
  if (begun !== '') throw new NotReplayable(`line ${line}: is not finished`)
  return instructions
}

function instructionOf(statement: string, line: number): Instruction {
  const word = statement.replace(/\s.*$/, '')
  const keyword = keywords.find((known) => known === word)
  if (keyword === undefined) throw new NotReplayable(`line ${line}: ${word} is not understood`)
  const rest = statement.slice(word.length).trim()
  if (rest.includes('<<')) throw new NotReplayable(`line ${line}: here-documents are not understood`)
  const flags = [...rest.matchAll(/--([a-z-]+)=(\S+)\s*/gy)].map(([, name, value]) => [String(name), String(value)])
  return { line, keyword, flags: Object.fromEntries(flags), text: rest.replace(/^(--[a-z-]+=\S+\s*)+/, '') }
}

/** The words of `["a", "b"]`. The other form needs a shell at run time, which an image may not have. */
export function execForm({ line, keyword }: Instruction, text: string): string[] {
  try {
    const words: unknown = JSON.parse(text)
    if (Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string')) return words
  } catch {
    // Said below.
  }
  throw new NotReplayable(`line ${line}: ${keyword} is not in exec form`)
}

/** The pairs of `A=b C="d e"`, as they are written but for the quotes. */
export function assignments({ line, keyword, text }: Instruction): [name: string, value: string][] {
  const pair = /([A-Za-z_][\w.-]*)=(?:"([^"\\]*)"|([^\s"'\\]*))(?:\s+|$)/y
  const pairs: [string, string][] = []
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text)
    if (match === null) throw new NotReplayable(`line ${line}: ${keyword} is not understood as written`)
    pairs.push([String(match[1]), match[2] ?? String(match[3])])
  }
  return pairs
}

/** The text with `$NAME` and `${NAME}` replaced; what has no value is empty, as for BuildKit. */
export function expanded(text: string, values: ReadonlyMap<string, string>): string {
  if (/\$\{\w+[^\w}]|\\\$/.test(text))
    throw new NotReplayable(`${text}: of variables, only NAME in braces is understood`)
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced, bare) => values.get(braced ?? bare) ?? '')
}
