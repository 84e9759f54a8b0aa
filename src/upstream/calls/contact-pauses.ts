import type { Clock } from '../../common/clock.ts'
import { Failure } from '../../failures/failure.ts'
import { UpstreamFailure, type UpstreamFailureOptions } from '../failures.ts'

export interface ContactPausesOptions {
  /** Most contacts that pause at once. The one that was paused first is forgotten first. */
  readonly maxContacts: number
  readonly clock: Pick<Clock, 'elapsed'>
}

/** The contacts about which no calls are made for a while, each because of its last failure. */
export function createContactPauses({ maxContacts, clock }: ContactPausesOptions) {
  /** The one that was paused last is at the end. */
  const pauses = new Map<string, { readonly until: number; readonly reason: Failure }>()
  return {
    /** Pauses the calls about one contact for so many milliseconds. */
    pause: (id: string, reason: Failure, ms: number): void => {
      pauses.delete(id)
      pauses.set(id, { until: clock.elapsed() + ms, reason })
      const [oldest = ''] = pauses.keys()
      if (pauses.size > maxContacts) pauses.delete(oldest)
    },
    /** The failure for a call about this contact that would start now; null when it does not pause. */
    refusal: (id: string): Failure | null => {
      const pause = pauses.get(id)
      const leftMs = pause === undefined ? 0 : pause.until - clock.elapsed()
      return pause !== undefined && leftMs > 0 ? refusalFor(pause.reason, leftMs) : null
    },
  }
}

/** It is as transient as the failure that is the reason. */
function refusalFor(reason: Failure, leftMs: number): Failure {
  const FailureKind = reason instanceof UpstreamFailure ? UpstreamFailure : Failure
  return new FailureKind(reason.code, pausedFor(reason, leftMs, 'calls about this contact pause'))
}

/** The details of a refusal. The wait that it names is what is left of the pause, in seconds, if waiting helps at all. */
export function pausedFor({ retryAfterSeconds }: Failure, leftMs: number, reason: string): UpstreamFailureOptions {
  const wait = retryAfterSeconds === null ? {} : { retryAfterSeconds: Math.ceil(leftMs / 1000) }
  return { facts: { reason }, notAsked: 'backing-off', ...wait }
}
