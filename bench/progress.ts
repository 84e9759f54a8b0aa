import { stdout } from 'node:process'

/** Where the bench says what it does and what it has found. */
export interface Progress {
  /** Prints lines that stay. */
  readonly say: (text: string) => void
  /** Says what is being done: in place of what was said last on a terminal, and on a line of its own elsewhere. */
  readonly progress: (text: string) => void
}

const clearLine = '\r\x1b[K'

export function createProgress({ isTTY, columns = 80, write }: ProgressOutput = stdoutNow()): Progress {
  return {
    say: (text) => write(isTTY ? `${clearLine}${text}\n` : `${text}\n`),
    progress: (text) => write(isTTY ? `${clearLine}${text.slice(0, columns - 1)}` : `${text}\n`),
  }
}

export interface ProgressOutput {
  readonly isTTY: boolean
  /** The width of the terminal; 80 by default. */
  readonly columns?: number
  readonly write: (text: string) => void
}

function stdoutNow(): ProgressOutput {
  return { isTTY: stdout.isTTY === true, columns: stdout.columns, write: (text) => stdout.write(text) }
}
