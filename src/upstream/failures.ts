import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'
import { retryAfterSeconds } from './retry-after.ts'
import { UpstreamFailure } from './upstream-failure.ts'

/** Statuses of something on the way that had no luck, and may have it the next time. */
const gatewayStatuses: readonly number[] = [502, 503, 504]

/**
 * The failure behind a status that is neither an answer nor "there is none".
 * @param tokenFingerprint of the token that was sent: a refusal says which one it was
 */
export function statusFailure(
  upstreamStatus: number,
  retryAfter: string | undefined,
  nowMs: number,
  tokenFingerprint: string,
): Failure {
  const facts = { upstreamStatus }
  const asked = retryAfterSeconds(retryAfter, nowMs)
  const code = upstreamStatus === 503 && asked === undefined ? 'upstream_unavailable' : codeOfStatus(upstreamStatus)
  if (isRefusalCode(code)) return new Failure(code, { facts: { ...facts, tokenFingerprint } })
  if (upstreamStatus !== 429 && upstreamStatus < 500) return new Failure(code, { facts })
  // With another status it may be about one document, as on the error pages of a CDN.
  const isForAll = upstreamStatus === 429 || upstreamStatus === 503
  if (asked !== undefined)
    return new UpstreamFailure(code, { facts, retryAfterSeconds: asked, pauseMs: isForAll ? asked * 1000 : 0 })
  const pauseMs = upstreamStatus === 429 ? failureKinds.upstream_rate_limited.retryAfterSeconds * 1000 : 0
  return new UpstreamFailure(code, { facts, pauseMs, worthRetrying: gatewayStatuses.includes(upstreamStatus) })
}

/** Whether Hilos refused our token, be it everywhere or about one contact. */
export function isRefusal(failure: unknown): failure is Failure {
  return failure instanceof Failure && isRefusalCode(failure.code)
}

function isRefusalCode(code: FailureCode): boolean {
  return code === 'upstream_unauthorized' || code === 'upstream_forbidden'
}

function codeOfStatus(status: number): FailureCode {
  switch (status) {
    case 300:
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return 'upstream_redirect'
    case 401:
      return 'upstream_unauthorized'
    case 403:
      return 'upstream_forbidden'
    case 404:
      return 'upstream_misconfigured'
    case 429:
    case 503:
      return 'upstream_rate_limited'
    default:
      return 'upstream_error'
  }
}

/** Node's and OpenSSL's words for a certificate, or a handshake, that did not convince. */
const untrusted =
  /CERT|SELF_SIGNED|^ERR_(TLS|SSL)|^UNABLE_TO_|^EPROTO$|^INVALID_(CA|PURPOSE)$|PATH_LENGTH|HOSTNAME_MISMATCH/
/** undici's and llhttp's words for something that is not HTTP. */
const notHttp = /^HPE_|^HTTPParserError$|HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH/

/** The failure behind an error thrown before a response began. */
export function connectionFailure(error: unknown, timeoutMs: number): UpstreamFailure {
  const { name, code = name } = error as Error & { code?: string | number }
  // Names and codes are the libraries'; their messages may quote what came over the wire.
  if (name === 'TimeoutError')
    return new UpstreamFailure('upstream_timeout', { facts: { reason: 'before an answer', timeoutMs } })
  const facts = { reason: String(code) }
  if (name === 'ConnectTimeoutError') return new UpstreamFailure('upstream_timeout', { facts })
  if (untrusted.test(facts.reason)) return new UpstreamFailure('upstream_untrusted', { facts })
  if (notHttp.test(facts.reason)) return new UpstreamFailure('upstream_invalid_response', { facts })
  // The usual one: a connection kept alive for too long. Nothing is known to have been done.
  return new UpstreamFailure('upstream_unavailable', { facts, worthRetrying: true })
}

/** The failure behind an error thrown when a response had begun but was not whole. */
export function interruptedFailure(deadline: AbortSignal, timeoutMs: number): UpstreamFailure {
  return deadline.aborted
    ? new UpstreamFailure('upstream_timeout', { facts: { reason: 'in the middle of the body', timeoutMs } })
    : new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'cut off in the middle of the body' } })
}
