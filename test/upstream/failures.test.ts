import t from 'tap'
import { errors } from 'undici'
import { connectionFailure, isRefusal, statusFailure, UpstreamFailure } from '../../src/upstream/failures.ts'
import { checkRows, checkRowsInTurn, difference } from '../harness/table.ts'
import { canary, failureOf } from './raw-hilos.ts'

const timeoutMs = 8000

/** An error of this code, or else of this name, with a message that must not be repeated. */
const coded = (code: string | number) => Object.assign(new Error(canary), { code })

t.test('an error before a response becomes a failure by its code, its name or the deadline', async (t) => {
  const codes = {
    upstream_unavailable: `ECONNREFUSED ECONNRESET EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN EPIPE EPROTOTYPE XEPROTO
      UND_ERR_SOCKET UND_ERR_DESTROYED XHPE_ XERR_TLS`,
    upstream_untrusted: `CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_REVOKED DEPTH_ZERO_SELF_SIGNED_CERT
      SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY
      ERR_TLS_CERT_ALTNAME_INVALID ERR_TLS_HANDSHAKE_TIMEOUT ERR_SSL_WRONG_VERSION_NUMBER EPROTO`,
    upstream_invalid_response: 'HPE_INVALID_CONSTANT UND_ERR_HEADERS_OVERFLOW UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  }
  await checkRowsInTurn(
    t,
    [
      ...Object.entries(codes).flatMap(([kind, list]) =>
        list.split(/\s+/).map((reason) => [coded(reason), kind, { reason }] as const),
      ),
      [coded(42), 'upstream_unavailable', { reason: '42' }],
      [new TypeError(canary), 'upstream_unavailable', { reason: 'TypeError' }],
      [new errors.ConnectTimeoutError(canary), 'upstream_timeout', { reason: 'UND_ERR_CONNECT_TIMEOUT' }],
      [new DOMException(canary, 'TimeoutError'), 'upstream_timeout', { reason: 'before an answer', timeoutMs }],
    ] as const,
    async ([error, kind, facts]) => {
      const failure = await failureOf(Promise.reject(connectionFailure(error, timeoutMs, false)))
      const isRetried = kind === 'upstream_unavailable' || facts.reason === 'UND_ERR_CONNECT_TIMEOUT'
      const { worthRetrying, pauseMs } = failure as UpstreamFailure
      const found = [failure instanceof UpstreamFailure, failure.code, failure.facts, worthRetrying, pauseMs]
      return difference(found, [true, kind, facts, isRetried, 0])
    },
    'the failure is transient, and worth a retry only if there was no connection or it was lost',
  )
})

t.test('a status about this contact or the token is final, whatever Retry-After says', async (t) => {
  const codes = {
    upstream_redirect: [300, 301, 302, 303, 305, 306, 307, 308, 310, 399],
    upstream_unauthorized: [401],
    upstream_forbidden: [403],
    upstream_error: [
      ...[201, 202, 204, 205, 206, 207, 208, 226, 304, 400, 402, 405, 406, 409, 411, 414, 418, 419, 420, 422, 423, 424],
      ...[426, 428, 430, 431, 440, 449, 451, 494, 495, 496, 497],
    ],
  }
  checkRows(
    t,
    Object.entries(codes).flatMap(([code, statuses]) =>
      statuses.flatMap((status) => [undefined, 7].map((asked) => ({ status, asked, code }))),
    ),
    ({ status, asked, code }) => {
      const failure = statusFailure(status, asked, 'c0ffee00')
      const isAboutToken = status === 401 || status === 403
      const facts = { upstreamStatus: status, ...(isAboutToken && { tokenFingerprint: 'c0ffee00' }) }
      const found = [failure.code, failure instanceof UpstreamFailure, isRefusal(failure), failure.facts]
      return difference(found, [code, false, isAboutToken, facts])
    },
    'the failure is final',
  )
})

t.test('a status about the state of Hilos is transient, and pauses calls or is worth a retry', async (t) => {
  const ofGateways = [502, 504, 520, 521, 522, 523, 524]
  const ofConnections = [408, 421, 425, 444, 460, 499]
  // Of a server (a status above 599 is invalid, and counts as 500: RFC 9110 section 15), or overloaded.
  const ofServers = [500, 501, 505, 507, 508, 509, 510, 525, 526, 527, 529, 530, 598, 599, 600, 999]
  const notOfHilos = [404, 407, 410, 511]
  checkRows(
    t,
    [
      [429, undefined, 'upstream_rate_limited', 2000, 'all', false, 2],
      [429, 7, 'upstream_rate_limited', 7000, 'all', false, 7],
      [503, undefined, 'upstream_unavailable', 0, 'suspected', true, 2],
      [503, 7, 'upstream_rate_limited', 7000, 'suspected', false, 7],
      ...ofGateways.map((status) => [status, undefined, 'upstream_error', 0, 'contact', true, 2] as const),
      ...ofServers.map((status) => [status, undefined, 'upstream_error', 0, 'contact', false, 2] as const),
      ...ofConnections.map((status) => [status, undefined, 'upstream_unavailable', 0, 'contact', true, 2] as const),
      ...notOfHilos.map((status) => [status, undefined, 'upstream_misconfigured', 0, 'contact', false, 5] as const),
      // With a wait it is about one document only.
      ...[...ofGateways, ...ofServers].map(
        (status) => [status, 7, 'upstream_error', 7000, 'contact', false, 7] as const,
      ),
      ...ofConnections.map((status) => [status, 7, 'upstream_unavailable', 7000, 'contact', false, 7] as const),
      ...notOfHilos.map((status) => [status, 7, 'upstream_misconfigured', 7000, 'contact', false, 7] as const),
    ] as const,
    ([status, asked, ...expected]) => {
      const failure = statusFailure(status, asked, 'c0ffee00')
      if (!(failure instanceof UpstreamFailure)) return 'a final failure'
      const { code, facts, pauseMs, pauseScope, worthRetrying, retryAfterSeconds: seconds } = failure
      const found = [code, pauseMs, pauseScope, worthRetrying, seconds, facts, isRefusal(failure)]
      return difference(found, [...expected, { upstreamStatus: status }, false])
    },
    'the failure is transient',
  )
})

t.test('only failures of this service are refusals', async (t) => {
  for (const thrown of [undefined, null, { code: 'upstream_unauthorized' }, new Error('upstream_forbidden')])
    t.notOk(isRefusal(thrown))
})
