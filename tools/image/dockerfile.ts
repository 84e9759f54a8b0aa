/** The supported instructions of a Dockerfile. Any other instruction is an error. */
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
  /** The number of its first line, from 1. */
  readonly line: number
  readonly keyword: Keyword
  /** The flags, by name without the dashes. */
  readonly flags: Readonly<Record<string, string>>
  /** The text after the flags, on one line. */
  readonly text: string
}

/** A Dockerfile or a .dockerignore has something that the replay does not support, or a step of it failed. */
export class NotReplayable extends Error {
  override readonly name = 'NotReplayable'
}

/** @throws NotReplayable at the first line that is not supported */
export function readDockerfile(text: string): Instruction[] {
  const instructions: Instruction[] = []
  let [statement, line] = ['', 0]
  for (const [index, raw] of text.split('\n').entries()) {
    const part = raw.trim()
    if (/^#\s*escape\s*=/i.test(part))
      throw new NotReplayable(`line ${index + 1}: the escape directive is not supported`)
    if (part === '' || part.startsWith('#')) continue
    if (statement === '') line = index + 1
    statement += part.replace(/\\$/, '')
    if (part.endsWith('\\')) continue
    instructions.push(instructionOf(statement, line))
    statement = ''
  }
  if (statement !== '') throw new NotReplayable(`line ${line}: the instruction is not complete`)
  return instructions
}

function instructionOf(statement: string, line: number): Instruction {
  const word = statement.replace(/\s.*$/, '')
  const keyword = keywords.find((known) => known === word)
  if (keyword === undefined) throw new NotReplayable(`line ${line}: ${word} is not supported`)
  const rest = statement.slice(word.length).trim()
  if (rest.includes('<<')) throw new NotReplayable(`line ${line}: here-documents are not supported`)
  const flags = [...rest.matchAll(/--([a-z-]+)=(\S+)\s*/gy)].map(([, name, value]) => [String(name), String(value)])
  return { line, keyword, flags: Object.fromEntries(flags), text: rest.replace(/^(--[a-z-]+=\S+\s*)+/, '') }
}

/** The words of `["a", "b"]`. The shell form is not supported, because an image may have no shell at run time. */
export function execForm({ line, keyword }: Instruction, text: string): string[] {
  try {
    const words: unknown = JSON.parse(text)
    if (Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string')) return words
  } catch {
    // Handled below.
  }
  throw new NotReplayable(`line ${line}: ${keyword} is not in exec form`)
}

/** The pairs of `A=b C="d e"`, without the quotes. Variables are not replaced. */
export function assignments({ line, keyword, text }: Instruction): [name: string, value: string][] {
  const pair = /([A-Za-z_][\w.-]*)=(?:"([^"\\]*)"|([^\s"'\\]*))(?:\s+|$)/y
  const pairs: [string, string][] = []
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text)
    if (match === null) throw new NotReplayable(`line ${line}: this form of ${keyword} is not supported`)
    pairs.push([String(match[1]), match[2] ?? String(match[3])])
  }
  return pairs
}

/** Replaces `$NAME` and `${NAME}`. As in BuildKit, a variable without a value is empty. */
export function expanded(text: string, values: ReadonlyMap<string, string>): string {
  if (/\$\{\w+[^\w}]|\\\$/.test(text)) throw new NotReplayable(`${text}: this form of a variable is not supported`)
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced, bare) => values.get(braced ?? bare) ?? '')
}
