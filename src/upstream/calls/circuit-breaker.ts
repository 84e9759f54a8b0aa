import type { Clock } from '../../common/clock.ts'
import { Failure } from '../../failures/failure.ts'
import { isRefusal, UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'

export interface CircuitBreakerOptions extends Pick<HilosSettings, 'circuitBreaker'> {
  readonly clock: Pick<Clock, 'elapsed' | 'random'>
  /**
   * Called each time it opens.
   * @param refusal the failure for calls that wait
   * @param isNews false when it was not closed and opens for the same reason again
   */
  readonly onOpen: (reason: Failure, refusal: Failure, isNews: boolean) => void
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
 *                 too many contacts failed in a row,
 *                 or Retry-After, or the token was refused
 *      closed ──────────────────────────────────────▶ open ◀─┐
 *        ▲                                             │     │ the probe fails
 *        │ the probe is answered     its time is over, │     │
 *        │                             and a call comes▼     │
 *        └───────────────────────────────────────── half-open┘
 *                       (that call is the probe; another one follows only if it hangs)
 */
export function createCircuitBreaker(options: CircuitBreakerOptions) {
  const { clock, onOpen, onClose } = options
  const { maxFailedContacts, openMs, refusalMs } = options.circuitBreaker
  let state: State = { name: 'closed' }
  /** The contacts that have failed since the last answer. */
  const failedIds = new Set<string>()

  /** The failure for a call that would start now; null when a call may start. */
  function refusal(): Failure | null {
    if (state.name === 'closed') return null
    const leftMs = (state.name === 'open' ? state.until : state.nextProbeAt) - clock.elapsed()
    return leftMs > 0 ? refusalFor(state.reason, leftMs) : null
  }

  /**
   * Starts a call about one contact.
   * @throws the refusal, when there is one
   */
  function begin(id: string): BegunCall {
    const refused = refusal()
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
    const pauseMs = pauseAfter(failure)
    if (pauseMs > 0 && failure !== null) open(failure, pauseMs)
    // A call that started in an earlier state says nothing about this one.
    else if (state === begunIn) count(id, failure instanceof UpstreamFailure)
  }

  function count(id: string, hasFailed: boolean): void {
    if (!hasFailed) close()
    else if (state.name === 'half-open' || failedIds.add(id).size >= maxFailedContacts)
      open(new UpstreamFailure('upstream_unavailable', { facts: tooManyFailed }), openMs * (1 + clock.random()))
  }

  function pauseAfter(failure: Failure | null): number {
    if (failure instanceof UpstreamFailure) return failure.pauseMs
    return isRefusal(failure) ? refusalMs : 0
  }

  function open(reason: Failure, pauseMs: number): void {
    const until = clock.elapsed() + pauseMs
    // A shorter pause within a longer one changes nothing, and its reason would be wrong for the rest of the longer one.
    if (state.name === 'open' && state.until >= until) return
    const isNews = state.name === 'closed' || state.reason.code !== reason.code
    state = { name: 'open', until, reason }
    onOpen(reason, refusalFor(reason, pauseMs), isNews)
  }

  function close(): void {
    failedIds.clear()
    if (state.name === 'closed') return
    state = { name: 'closed' }
    onClose()
  }

  return {
    refusal,
    begin,
    /** `reason` says why it is not closed; null while it is closed. */
    state: () => ({ name: state.name, reason: state.name === 'closed' ? null : state.reason }),
  }
}

const tooManyFailed = { reason: 'too many contacts failed in a row' }

/**
 * The failure that opened it, for the calls of the meantime. It is transient, except after a 401, which is about the token;
 * a 403 may be about one contact only.
 */
function refusalFor({ code, retryAfterSeconds }: Failure, leftMs: number): Failure {
  const facts = { reason: 'the circuit breaker is open' }
  if (code === 'upstream_unauthorized') return new Failure(code, { facts })
  if (retryAfterSeconds === null) return new UpstreamFailure(code, { facts })
  return new UpstreamFailure(code, { facts, retryAfterSeconds: Math.ceil(leftMs / 1000) })
}
