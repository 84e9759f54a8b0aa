import { Failure } from '../errors.ts'
import type { FailureCode } from '../failure-kinds.ts'
import { retryAfterSeconds } from './retry-after.ts'

/** The failure behind a status that is neither an answer nor "there is none". */
export function statusFailure(upstreamStatus: number, retryAfter: string | undefined, nowMs: number): Failure {
  const facts = { upstreamStatus }
  const pauseSeconds = retryAfterSeconds(retryAfter, nowMs)
  if (upstreamStatus === 503 && pauseSeconds === undefined) return new Failure('upstream_unavailable', { facts })
  const code = codeOfStatus(upstreamStatus)
  if (code !== 'upstream_rate_limited' || pauseSeconds === undefined) return new Failure(code, { facts })
  return new Failure(code, { facts, retryAfterSeconds: pauseSeconds })
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
export function connectionFailure(error: unknown, timeoutMs: number): Failure {
  const { name, code = name } = error as Error & { code?: string | number }
  // Names and codes are the libraries'; their messages may quote what came over the wire.
  if (name === 'TimeoutError')
    return new Failure('upstream_timeout', { facts: { reason: 'before an answer', timeoutMs } })
  const facts = { reason: String(code) }
  if (name === 'ConnectTimeoutError') return new Failure('upstream_timeout', { facts })
  if (untrusted.test(facts.reason)) return new Failure('upstream_untrusted', { facts })
  if (notHttp.test(facts.reason)) return new Failure('upstream_invalid_response', { facts })
  return new Failure('upstream_unavailable', { facts })
}

/** The failure behind an error thrown when a response had begun but was not whole. */
export function interruptedFailure(deadline: AbortSignal, timeoutMs: number): Failure {
  return deadline.aborted
    ? new Failure('upstream_timeout', { facts: { reason: 'in the middle of the body', timeoutMs } })
    : new Failure('upstream_invalid_response', { facts: { reason: 'cut off in the middle of the body' } })
}
