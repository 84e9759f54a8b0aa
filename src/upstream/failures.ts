import { Failure, type FailureOptions } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'

/**
 * Which calls must pause after a failure: those about its contact, or all. With `suspected` they are those about its
 * contact, until another contact meets the same.
 */
export type PauseScope = 'contact' | 'suspected' | 'all'

export interface UpstreamFailureOptions extends FailureOptions {
  /** Whether the same call may succeed if it is repeated immediately; false by default. */
  readonly worthRetrying?: boolean
  /** How long calls to Hilos must pause, in milliseconds; 0 by default. */
  readonly pauseMs?: number
  /** Which calls must pause; those about the same contact by default. */
  readonly pauseScope?: PauseScope
  /** Why Hilos was not asked: calls pause, or our own limits left no slot in time. Null by default, when it was asked. */
  readonly notAsked?: UpstreamFailure['notAsked']
}

/** A transient failure of Hilos, or of the way to it. A stale answer may be served instead. */
export class UpstreamFailure extends Failure {
  readonly worthRetrying: boolean
  readonly pauseMs: number
  readonly pauseScope: PauseScope
  readonly notAsked: 'backing-off' | 'rationed' | null

  constructor(code: FailureCode, options: UpstreamFailureOptions = {}) {
    super(code, options)
    this.worthRetrying = options.worthRetrying ?? false
    this.pauseMs = options.pauseMs ?? 0
    this.pauseScope = options.pauseScope ?? 'contact'
    this.notAsked = options.notAsked ?? null
  }
}

/** A request was lost with its kept connection. Servers close those, so that says nothing about Hilos. */
export class LostConnection extends UpstreamFailure {}

/** Statuses of a gateway that got no answer from the server behind it. Those from 520 on are of Cloudflare. */
const gatewayStatuses = [502, 503, 504, 520, 521, 522, 523, 524]
/**
 * Statuses about the connection or the moment, not about the contact: 408, 421 and 425 (RFC 9110, RFC 8470), and those
 * of gateways for a connection that was lost (444 and 499 of nginx, 460 of AWS).
 */
const connectionStatuses = [408, 421, 425, 444, 460, 499]

/** A 429 is about the account. Any other Retry-After may concern only one document, as on the error pages of a CDN. */
const pauseScopes: ReadonlyMap<number, PauseScope> = new Map([
  [429, 'all'],
  [503, 'suspected'],
])

/**
 * Returns the failure for a response that is neither a document nor an absence.
 * @param asked the wait that `Retry-After` asks for, in seconds; undefined for none
 * @param tokenFingerprint that of the token that was sent, for the log
 */
export function statusFailure(upstreamStatus: number, asked: number | undefined, tokenFingerprint: string): Failure {
  const facts = { upstreamStatus }
  // An unknown status counts as the x00 of its class (RFC 9110 section 15). A 304 is no redirect.
  const isRedirect = upstreamStatus >= 300 && upstreamStatus < 400 && upstreamStatus !== 304
  const ofClass = isRedirect ? 'upstream_redirect' : 'upstream_error'
  const ofStatus = codesByStatus.get(upstreamStatus) ?? ofClass
  const code = upstreamStatus === 503 && asked === undefined ? 'upstream_unavailable' : ofStatus
  if (isRefusalCode(code)) return new Failure(code, { facts: { ...facts, tokenFingerprint } })
  if (code === ofClass && upstreamStatus < 500) return new Failure(code, { facts })
  const pauseScope = pauseScopes.get(upstreamStatus) ?? 'contact'
  if (asked !== undefined)
    return new UpstreamFailure(code, { facts, retryAfterSeconds: asked, pauseMs: asked * 1000, pauseScope })
  const pauseMs = upstreamStatus === 429 ? failureKinds.upstream_rate_limited.retryAfterSeconds * 1000 : 0
  const worthRetrying = [...gatewayStatuses, ...connectionStatuses].includes(upstreamStatus)
  return new UpstreamFailure(code, { facts, pauseMs, pauseScope, worthRetrying })
}

/** Whether Hilos refused our token, in general or for one contact. */
export function isRefusal(failure: unknown): failure is Failure {
  return failure instanceof Failure && isRefusalCode(failure.code)
}

/** Whether Hilos was not asked because our own limits of calls left no slot. */
export function isRation(failure: unknown): boolean {
  return failure instanceof UpstreamFailure && failure.notAsked === 'rationed'
}

function isRefusalCode(code: FailureCode): boolean {
  return code === 'upstream_unauthorized' || code === 'upstream_forbidden'
}

const codesByStatus: ReadonlyMap<number, FailureCode> = new Map([
  [401, 'upstream_unauthorized'],
  [403, 'upstream_forbidden'],
  // No route, or a proxy or a login page in between: the answer is not one of Hilos.
  ...[404, 407, 410, 511].map((status) => [status, 'upstream_misconfigured'] as const),
  ...connectionStatuses.map((status) => [status, 'upstream_unavailable'] as const),
  [429, 'upstream_rate_limited'],
  [503, 'upstream_rate_limited'],
])

/** The error codes of Node.js and OpenSSL for a failed TLS handshake or an untrusted certificate. */
const untrusted =
  /CERT|SELF_SIGNED|^ERR_(TLS|SSL)|^UNABLE_TO_|^EPROTO$|^INVALID_(CA|PURPOSE)$|PATH_LENGTH|HOSTNAME_MISMATCH/
/** The error codes of undici and llhttp for a response that is not valid HTTP. */
const notHttp = /^HPE_|^HTTPParserError$|HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH/

/**
 * Returns the failure for an error before the response began.
 * @param isLoss whether the request was written to kept connections that had been of use
 */
export function connectionFailure(error: unknown, timeoutMs: number, isLoss: boolean): UpstreamFailure {
  const { name, code = name } = error as Error & { code?: string | number }
  // Only names and codes are used, because the messages of the libraries may quote received data.
  if (name === 'TimeoutError')
    return new UpstreamFailure('upstream_timeout', { facts: { reason: 'before an answer', timeoutMs } })
  const facts = { reason: String(code) }
  if (name === 'ConnectTimeoutError') return new UpstreamFailure('upstream_timeout', { facts, worthRetrying: true })
  if (untrusted.test(facts.reason)) return new UpstreamFailure('upstream_untrusted', { facts })
  if (notHttp.test(facts.reason)) return new UpstreamFailure('upstream_invalid_response', { facts })
  const FailureKind = isLoss ? LostConnection : UpstreamFailure
  return new FailureKind('upstream_unavailable', { facts, worthRetrying: true })
}

/** Returns the failure for an error after the response began and before it was complete. */
export function interruptedFailure(error: unknown, timeoutMs: number): UpstreamFailure {
  return (error as Error).name === 'TimeoutError'
    ? new UpstreamFailure('upstream_timeout', { facts: { reason: 'in the middle of the body', timeoutMs } })
    : new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'cut off in the middle of the body' } })
}

/** Whether Hilos answered, so that the failure concerns all who ask. A lost connection is one's own. */
export function isAnswered({ code, facts }: Failure): boolean {
  return facts.upstreamStatus !== undefined || code === 'upstream_invalid_response' || code === 'upstream_too_large'
}
