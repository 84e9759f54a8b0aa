import type { Logger } from 'pino'

export interface SpellsOptions {
  /** Logged when it begins. */
  readonly begins: string
  /** Logged when it is over. */
  readonly ends: string
  /** It is over when it has not happened for so long. */
  readonly quietMs: number
  /** Runs something later, unless what it returns is called first; timers by default. */
  readonly schedule?: (run: () => void, ms: number) => () => void
}

/** Something that goes on for a while for one reason. */
interface Spell {
  times: number
  cancelEnd: () => void
}

/** Logs what happens many times over with two lines for each reason: when it begins, and how often it was when it is over. */
export function createSpells(logger: Logger, options: SpellsOptions): (reason: string) => void {
  const { begins, ends, quietMs, schedule = scheduleTimer } = options
  const spells = new Map<string, Spell>()

  function begin(reason: string): Spell {
    logger.warn({ reason }, begins)
    const spell = { times: 0, cancelEnd: () => {} }
    spells.set(reason, spell)
    return spell
  }

  return (reason) => {
    const spell = spells.get(reason) ?? begin(reason)
    spell.times += 1
    spell.cancelEnd()
    spell.cancelEnd = schedule(() => {
      spells.delete(reason)
      logger.info({ reason, times: spell.times }, ends)
    }, quietMs)
  }
}

function scheduleTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}
