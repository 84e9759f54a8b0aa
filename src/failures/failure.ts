import { type FailureCode, failureKinds } from './failure-kinds.ts'

/** What may be logged about a failure: numbers, words of ours; never a text that came from outside. */
export type FailureFacts = Readonly<Record<string, string | number | boolean>>

export interface FailureOptions {
  /** For the log. Never shown to a caller. */
  readonly facts?: FailureFacts
  /** Seconds, instead of the kind's own. */
  readonly retryAfterSeconds?: number
  readonly cause?: Error
}

/** A failure we know by name. It carries scalars only, because loggers print whatever an error carries. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly facts: FailureFacts
  readonly retryAfterSeconds: number | null

  constructor(code: FailureCode, { facts = {}, retryAfterSeconds, cause }: FailureOptions = {}) {
    super(failureKinds[code].title, cause && { cause })
    this.code = code
    this.facts = facts
    this.retryAfterSeconds = retryAfterSeconds ?? failureKinds[code].retryAfterSeconds
  }
}
