import type { Clock } from '../../common/clock.ts'
import type { CallOutcome } from '../observer.ts'

/** Hilos has done its part with these: the limit that a document exceeds is our own. Any other outcome is a failure. */
const answers: readonly CallOutcome[] = ['found', 'absent', 'upstream_too_large']

/** Remembers how the last calls to Hilos have ended. */
export function createLastCalls({ now }: Pick<Clock, 'now'>) {
  let lastCall: { readonly at: string; readonly outcome: CallOutcome } | null = null
  let lastAnswerAt: string | null = null
  let failuresInARow = 0

  return {
    /** A call has ended. One that was not made, because of our own limits, is no call. */
    ended: (outcome: CallOutcome) => {
      const at = new Date(now()).toISOString()
      lastCall = { at, outcome }
      if (answers.includes(outcome)) [lastAnswerAt, failuresInARow] = [at, 0]
      else failuresInARow += 1
    },
    status: () => ({
      /** Whether Hilos answered the last call, whatever its answer was; true before the first one. */
      ok: failuresInARow === 0,
      /** When the last call ended, as in RFC 3339, and how; null before the first one ends. */
      lastCall,
      /** When Hilos last answered; null before its first answer. */
      lastAnswerAt,
      /** Calls that have failed since then. */
      failuresInARow,
    }),
  }
}
