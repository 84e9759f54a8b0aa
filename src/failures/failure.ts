import { type FailureCode, type FailureKind, failureKinds } from './failure-kinds.ts'

/** The details of a failure for the log: numbers and words of this service, never text from outside. */
export type FailureFacts = Readonly<Record<string, string | number | boolean>>

export interface FailureOptions {
  /** Never shown to callers; none by default. */
  readonly facts?: FailureFacts
  /** What happened, for callers, in words of this service; the text of the kind by default. */
  readonly detail?: string
  /** Seconds to wait before the next try; that of the kind by default. */
  readonly retryAfterSeconds?: number
  readonly cause?: Error
}

/** A failure of a known kind. Its properties are scalars, because loggers print all properties of an error. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly facts: FailureFacts
  /** What happened, for callers. */
  readonly detail: string
  /** Seconds to wait before the next try; null if waiting does not help. */
  readonly retryAfterSeconds: number | null

  constructor(code: FailureCode, { facts = {}, detail, retryAfterSeconds, cause }: FailureOptions = {}) {
    const kind: FailureKind = failureKinds[code]
    super(kind.title, cause && { cause })
    this.code = code
    this.facts = facts
    this.detail = detail ?? kind.detail
    this.retryAfterSeconds = retryAfterSeconds ?? kind.retryAfterSeconds ?? null
  }
}
