import type { Clock } from '../../common/clock.ts'
import { Failure } from '../../failures/failure.ts'
import { isRefusal, type PauseScope, UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import { createContactPauses, pausedFor } from './contact-pauses.ts'

export interface CircuitBreakerOptions extends Pick<HilosSettings, 'circuitBreaker'> {
  readonly clock: Pick<Clock, 'elapsed' | 'random'>
  /**
   * Called each time it opens.
   * @param refusal the failure for calls that wait
   * @param isNews false when it was not closed and opens for the same reason again
   */
  readonly onOpen: (reason: Failure, refusal: Failure, isNews: boolean) => void
  /** Called when it opens because Hilos answered this process that it wants no calls for so many milliseconds. */
  readonly onPause: (ms: number) => void
  /** Called each time it closes. */
  readonly onClose: () => void
}

export type CircuitBreaker = Readonly<ReturnType<typeof createCircuitBreaker>>

export interface BegunCall {
  /** Whether the call may send another request: the breaker has not opened since, or it is closed again. */
  readonly mayGoOn: () => boolean
  /** Reports the end of the call: null for an answer of any kind. */
  readonly end: (failure: Failure | null) => void
}

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'open'; readonly until: number; readonly reason: Failure }
  | { readonly name: 'half-open'; nextProbeAt: number; readonly reason: Failure }

/**
 * Stops calls to Hilos while they are useless or unwanted.
 *
 *                 too many contacts failed in a row, or
 *                 Retry-After or a refusal for all contacts
 *      closed ──────────────────────────────────────▶ open ◀─┐
 *        ▲                                             │     │ the probe fails
 *        │ the probe is answered     its time is over, │     │
 *        │                             and a call comes▼     │
 *        └───────────────────────────────────────── half-open┘
 *                       (that call is the probe; another one follows only if it hangs)
 *
 * A 403, and Retry-After with a status other than 429, may be about one contact: calls about that contact pause. After a
 * 403 or 503, all calls pause when a second contact meets the same within that time, and no call was answered in between.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions) {
  const { clock, onOpen, onPause, onClose } = options
  const { maxFailedContacts, openMs, refusalMs, maxPausedContacts } = options.circuitBreaker
  let state: State = { name: 'closed' }
  /** The contacts that have failed since the last answer. */
  const failedIds = new Set<string>()
  const pauses = createContactPauses({ maxContacts: maxPausedContacts, clock })
  /** The last failure that may be about all contacts, if no call was answered since. */
  let suspicion: { code: string; id: string; until: number; isConfirmed: boolean } | null = null

  /** The failure for a call about one contact that would start now; null when the call may start. */
  function refusal(id: string): Failure | null {
    return refusalOfAll() ?? pauses.refusal(id)
  }

  function refusalOfAll(): Failure | null {
    if (state.name === 'closed') return null
    const leftMs = (state.name === 'open' ? state.until : state.nextProbeAt) - clock.elapsed()
    return leftMs > 0 ? refusalFor(state.reason, leftMs) : null
  }

  /**
   * Starts a call about one contact.
   * @throws the refusal, when there is one
   */
  function begin(id: string): BegunCall {
    const refused = refusal(id)
    if (refused !== null) throw refused
    const nextProbeAt = clock.elapsed() + openMs
    if (state.name === 'open') state = { name: 'half-open', nextProbeAt, reason: state.reason }
    if (state.name === 'half-open') state.nextProbeAt = nextProbeAt
    const begunIn = state
    return {
      mayGoOn: () => state === begunIn || state.name === 'closed',
      end: (failure) => end(id, begunIn, failure),
    }
  }

  function end(id: string, begunIn: State, failure: Failure | null): void {
    const { ms, scope } = pauseAfter(failure)
    if (failure !== null && ms > 0 && isForAll(id, failure, ms, scope)) {
      // A refusal is about the token, which another process may have replaced already.
      if (open(failure, ms) && !isRefusal(failure)) onPause(ms)
    }
    // A call that started in an earlier state says nothing about this one.
    else if (state === begunIn) count(id, failure)
  }

  /** Whether all calls must pause. If not, those about this contact pause from now on. */
  function isForAll(id: string, reason: Failure, ms: number, scope: PauseScope): boolean {
    if (scope === 'all') return true
    pauses.pause(id, reason, ms)
    return scope === 'suspected' && suspect(id, reason, ms)
  }

  /** Returns whether this failure confirms an earlier one. A confirmation holds until a call is answered. */
  function suspect(id: string, { code }: Failure, ms: number): boolean {
    const now = clock.elapsed()
    const isConfirmed =
      suspicion?.code === code && (suspicion.isConfirmed || (suspicion.id !== id && suspicion.until > now))
    suspicion = { code, id, until: now + ms, isConfirmed }
    return isConfirmed
  }

  function count(id: string, failure: Failure | null): void {
    const isAnswer = !(failure instanceof UpstreamFailure || isRefusal(failure))
    if (isAnswer) close()
    else if (state.name === 'half-open' || failedIds.add(id).size >= maxFailedContacts)
      open(isRefusal(failure) ? failure : tooManyFailed(), openMs * (1 + clock.random()))
  }

  function pauseAfter(failure: Failure | null): { readonly ms: number; readonly scope: PauseScope } {
    if (failure instanceof UpstreamFailure) return { ms: failure.pauseMs, scope: failure.pauseScope }
    const scope = failure?.code === 'upstream_unauthorized' ? 'all' : 'suspected'
    return { ms: isRefusal(failure) ? refusalMs : 0, scope }
  }

  /** Returns whether that changed something. */
  function open(reason: Failure, pauseMs: number): boolean {
    const until = clock.elapsed() + pauseMs
    // A shorter pause within a longer one changes nothing, and its reason would be wrong for the rest of the longer one.
    if (state.name === 'open' && state.until >= until) return false
    const isNews = state.name === 'closed' || state.reason.code !== reason.code
    state = { name: 'open', until, reason }
    onOpen(reason, refusalFor(reason, pauseMs), isNews)
    return true
  }

  function close(): void {
    failedIds.clear()
    suspicion = null
    if (state.name === 'closed') return
    state = { name: 'closed' }
    onClose()
  }

  return {
    refusal,
    begin,
    /** Stops all calls for so many milliseconds, because Hilos asked another process for that. */
    pause: (ms: number): void => {
      open(
        new UpstreamFailure('upstream_rate_limited', { facts: { reason: 'another replica was asked to pause' } }),
        ms,
      )
    },
    /** `reason` says why it is not closed; null while it is closed. */
    state: () => ({ name: state.name, reason: state.name === 'closed' ? null : state.reason }),
  }
}

const tooManyFailed = () =>
  new UpstreamFailure('upstream_unavailable', { facts: { reason: 'too many contacts failed in a row' } })

/**
 * The failure that opened it, for the calls of the meantime. It is transient, except after a 401, which is about the token;
 * a 403 may be about some contacts only.
 */
function refusalFor(reason: Failure, leftMs: number): Failure {
  const FailureKind = reason.code === 'upstream_unauthorized' ? Failure : UpstreamFailure
  return new FailureKind(reason.code, pausedFor(reason, leftMs, 'the circuit breaker is open'))
}
