import { stdout } from 'node:process'

/** Where the bench says what it does and what it has found. */
export interface Progress {
  /** Prints lines that stay. */
  readonly say: (text: string) => void
  /** Says what is being done: in place of what was said last on a terminal, and on a line of its own elsewhere. */
  readonly progress: (text: string) => void
}

const clearLine = '\r\x1b[K'

export const progressOnStdout: Progress = {
  say: (text) => stdout.write(stdout.isTTY ? `${clearLine}${text}\n` : `${text}\n`),
  progress: (text) => stdout.write(stdout.isTTY ? `${clearLine}${text.slice(0, stdout.columns - 1)}` : `${text}\n`),
}
