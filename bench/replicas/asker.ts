import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startProgram } from '../processes.ts'
import type { Bench } from '../section.ts'

/** A request that is due some milliseconds after the list was handed over. It is sent then even if earlier ones have no answer yet. */
export interface Asked {
  readonly dueMs: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** Times are of `monotonicMs`. */
export interface Answer {
  readonly sentMs: number
  readonly endedMs: number
  /** 0 if there was none within 20 s. */
  readonly status: number
  /** The revision of the document; null for an answer without one. */
  readonly revision: number | null
  readonly cacheStatus: string
  /** The code of a problem, or the error of the connection; empty for an answer. */
  readonly code: string
}

/** How many answers there were that are not 200, by status and code. */
export function failuresIn(answers: readonly Answer[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const { status, code } of answers) {
    if (status !== 200) found[`${status} ${code}`] = (found[`${status} ${code}`] ?? 0) + 1
  }
  return found
}

/** Sends requests from a process of its own. */
export interface Asker {
  /** Returns the answers in the order of the requests when all are there. */
  readonly ask: (asked: readonly Asked[]) => Promise<readonly Answer[]>
  readonly stop: () => Promise<void>
}

export function startAsker({ cores }: Bench): Asker {
  const path = fileURLToPath(new URL('asker-process.ts', import.meta.url))
  const { child, stop } = startProgram({ command: process.execPath, args: [path], core: cores.load, messages: true })
  return {
    ask: async (asked) => {
      child.send(asked)
      const [answers] = (await once(child, 'message')) as [readonly Answer[]]
      return answers
    },
    stop,
  }
}
