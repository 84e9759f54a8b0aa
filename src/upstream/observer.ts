import type { Failure } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'

/** How a call ended: with a document, with the answer that there is none, or with a failure. */
export type CallOutcome = 'found' | 'absent' | FailureCode

/** Hears what happens to the calls to Hilos, for logs and metrics. No part of it may throw. */
export interface HilosObserver {
  /** A call has got a slot, after it waited for `waitedMs`. */
  readonly slotGranted: (waitedMs: number) => void
  /** A call has got no slot. */
  readonly slotRefused: () => void
  /** A call has ended. Its duration is counted from its slot to the last byte. */
  readonly callEnded: (outcome: CallOutcome, durationMs: number) => void
  readonly callRetried: () => void
  /** Hilos refused the token with this fingerprint. */
  readonly tokenRefused: (fingerprint: string, code: FailureCode) => void
  /** The token with this fingerprint is in use now, because Hilos refused the other one and accepted it. */
  readonly tokenChanged: (fingerprint: string) => void
  /** The circuit breaker opened for this reason. */
  readonly circuitOpened: (reason: Failure) => void
  readonly circuitClosed: () => void
}
