import { Failure } from '../../failures/failure.ts'
import { isRefusal } from '../failures.ts'
import { UpstreamFailure } from '../upstream-failure.ts'

export interface CircuitBreakerOptions {
  /** It opens when this many contacts have failed in a row: a few that always fail do not cut off the others. */
  readonly maxFailedContacts: number
  /** For how long it then stays open, and up to twice as long, so that replicas do not probe together. */
  readonly openMs: number
  /** For how long it stays open after a refusal of our key. */
  readonly refusalMs: number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** From 0 to, and not, 1. */
  readonly random: () => number
  /** Told each time why calls stop, what to tell those who wait, and whether that is news or what it was told last. */
  readonly onOpen: (reason: Failure, refusal: Failure, isNews: boolean) => void
  /** Told when calls go on. */
  readonly onClose: () => void
}

export interface CircuitBreaker {
  /** Why no call may be made now; null when one may. */
  readonly refusal: () => Failure | null
  /**
   * Begins a call about one contact.
   * @throws the refusal, when there is one
   */
  readonly begin: (id: string) => BegunCall
  /** What it is now, and why it is not closed. */
  readonly state: () => CircuitState
}

export interface CircuitState {
  readonly name: 'closed' | 'open' | 'half-open'
  /** Null while it is closed. */
  readonly reason: Failure | null
}

export interface BegunCall {
  /** Whether it may take another request: nothing has opened the breaker since, or it is closed again. */
  readonly mayGoOn: () => boolean
  /** To be told how it ended: null for an answer of any kind. */
  readonly end: (failure: Failure | null) => void
}

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'open'; readonly until: number; readonly reason: Failure }
  | { readonly name: 'half-open'; nextProbeAt: number; readonly reason: Failure }

/**
 * Stops calling Hilos when that is no use, or not wanted.
 *
 *                 too many contacts failed in a row,
 *                 or Retry-After, or our key refused
 *      closed ──────────────────────────────────────▶ open ◀─┐
 *        ▲                                             │     │ the probe fails
 *        │ the probe is answered       the next call,  │     │
 *        │                             once it is over ▼     │
 *        └───────────────────────────────────────── half-open┘
 *                              (that call is the probe; another follows only if it hangs)
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { maxFailedContacts, openMs, refusalMs, elapsed, random, onOpen, onClose } = options
  let state: State = { name: 'closed' }
  /** In a row, until an answer; forgotten when it closes. */
  const failedIds = new Set<string>()

  function refusal(): Failure | null {
    if (state.name === 'closed') return null
    const leftMs = (state.name === 'open' ? state.until : state.nextProbeAt) - elapsed()
    return leftMs > 0 ? refusalFor(state.reason, leftMs) : null
  }

  function begin(id: string): BegunCall {
    const refused = refusal()
    if (refused !== null) throw refused
    const nextProbeAt = elapsed() + openMs
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
    // Of calls from before it opened or closed, the end says nothing new.
    else if (state === begunIn) count(id, failure instanceof UpstreamFailure)
  }

  function count(id: string, hasFailed: boolean): void {
    if (!hasFailed) close()
    else if (state.name === 'half-open' || failedIds.add(id).size >= maxFailedContacts)
      open(new UpstreamFailure('upstream_unavailable', { facts: tooManyFailed }), openMs * (1 + random()))
  }

  function pauseAfter(failure: Failure | null): number {
    if (failure instanceof UpstreamFailure) return failure.pauseMs
    return isRefusal(failure) ? refusalMs : 0
  }

  function open(reason: Failure, pauseMs: number): void {
    const until = elapsed() + pauseMs
    // Within a longer pause a shorter one says nothing, and its reason must not be given for the rest of it.
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
    state: () => ({ name: state.name, reason: state.name === 'closed' ? null : state.reason }),
  }
}

const tooManyFailed = { reason: 'too many contacts failed in a row' }

/** The failure that opened it, for those who come meanwhile. A 403 may be about one contact only; a 401 is about our key. */
function refusalFor({ code, retryAfterSeconds }: Failure, leftMs: number): Failure {
  const facts = { reason: 'calls to Hilos pause' }
  if (code === 'upstream_unauthorized') return new Failure(code, { facts })
  if (retryAfterSeconds === null) return new UpstreamFailure(code, { facts })
  return new UpstreamFailure(code, { facts, retryAfterSeconds: Math.ceil(leftMs / 1000) })
}
