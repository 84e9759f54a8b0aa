import type { CallOutcome } from '../observer.ts'

/** Hilos has done its part with these: the limit that a document exceeds, and a fault in reading it, are our own. */
const answers: readonly CallOutcome[] = ['found', 'absent', 'upstream_too_large', 'internal_error']

/** How the last calls to Hilos ended. A call that was not made, because of our own limits, is none. */
export interface LastCalls {
  /** Whether Hilos answered the last call, whatever its answer was; true before the first one. */
  readonly ok: boolean
  /** When the last call ended, and how; null before the first one ends. */
  readonly lastCall: { readonly at: Date; readonly outcome: CallOutcome } | null
  /** When Hilos last answered; null before its first answer. */
  readonly lastAnswerAt: Date | null
  /** Calls that have failed since then. */
  readonly failuresInARow: number
}

export const noCalls: LastCalls = { ok: true, lastCall: null, lastAnswerAt: null, failuresInARow: 0 }

/** @param now when a call with this outcome ended, in milliseconds since 1970 UTC */
export function withCall(before: LastCalls, outcome: CallOutcome, now: number): LastCalls {
  const lastCall = { at: new Date(now), outcome }
  return answers.includes(outcome)
    ? { ok: true, lastCall, lastAnswerAt: lastCall.at, failuresInARow: 0 }
    : { ...before, ok: false, lastCall, failuresInARow: before.failuresInARow + 1 }
}
