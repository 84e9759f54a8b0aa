import t from 'tap'
import { errors } from 'undici'
import {
  connectionFailure,
  isRefusal,
  longestPauseSeconds,
  retryAfterSeconds,
  statusFailure,
  UpstreamFailure,
} from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { checkRows, checkRowsInTurn, difference } from '../harness/table.ts'
import { canary, failureOf } from './raw-hilos.ts'

const timeoutMs = 8000
const nowMs = createClock('2026-11-22T10:05:00Z').now()

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

const soon = 'Sun, 22 Nov 2026 10:05:09 GMT'

t.test('a status about this request or the token is final, whatever Retry-After says', async (t) => {
  const codes = {
    upstream_redirect: [300, 301, 302, 303, 307, 308],
    upstream_unauthorized: [401],
    upstream_forbidden: [403],
    upstream_misconfigured: [404],
    upstream_error: [201, 202, 203, 204, 205, 206, 304, 400, 405, 408, 410, 418, 425, 428, 430, 499],
  }
  checkRows(
    t,
    Object.entries(codes).flatMap(([code, statuses]) =>
      statuses.flatMap((status) => [undefined, '7', soon].map((retryAfter) => ({ status, retryAfter, code }))),
    ),
    ({ status, retryAfter, code }) => {
      const failure = statusFailure(status, retryAfter, nowMs, 'c0ffee00')
      const isAboutToken = status === 401 || status === 403
      const facts = { upstreamStatus: status, ...(isAboutToken && { tokenFingerprint: 'c0ffee00' }) }
      const found = [failure.code, failure instanceof UpstreamFailure, isRefusal(failure), failure.facts]
      return difference(found, [code, false, isAboutToken, facts])
    },
    'the failure is final',
  )
})

t.test('a status about the state of Hilos is transient, and pauses calls or is worth a retry', async (t) => {
  checkRows(
    t,
    [
      [429, undefined, 'upstream_rate_limited', 2000, 'all', false, 2],
      [429, 'soon', 'upstream_rate_limited', 2000, 'all', false, 2],
      [429, '7', 'upstream_rate_limited', 7000, 'all', false, 7],
      [429, '0', 'upstream_rate_limited', 1000, 'all', false, 1],
      [429, soon, 'upstream_rate_limited', 9000, 'all', false, 9],
      [429, '31536000', 'upstream_rate_limited', 300_000, 'all', false, 300],
      [503, '7', 'upstream_rate_limited', 7000, 'suspected', false, 7],
      [503, soon, 'upstream_rate_limited', 9000, 'suspected', false, 9],
      ...[undefined, '', 'soon', '-1'].flatMap((retryAfter) => [
        [502, retryAfter, 'upstream_error', 0, 'contact', true, 2] as const,
        [503, retryAfter, 'upstream_unavailable', 0, 'suspected', true, 2] as const,
        [504, retryAfter, 'upstream_error', 0, 'contact', true, 2] as const,
      ]),
      // With these it is about one document only.
      ...[500, 501, 502, 504, 505, 599].flatMap((status) => [
        [status, '7', 'upstream_error', 7000, 'contact', false, 7] as const,
        [status, soon, 'upstream_error', 9000, 'contact', false, 9] as const,
      ]),
      ...[500, 501, 505, 599].map((status) => [status, undefined, 'upstream_error', 0, 'contact', false, 2] as const),
    ] as const,
    ([status, retryAfter, ...expected]) => {
      const failure = statusFailure(status, retryAfter, nowMs, 'c0ffee00')
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

t.test('Retry-After is read as whole seconds within limits, rounded up, and ignored if it is unreadable', async (t) => {
  t.equal(longestPauseSeconds, 300)
  const inSeconds = { '0': 1, '1': 1, '2': 2, '007': 7, ' 7\t': 7, '299': 299, '300': 300, '301': 300, '31536000': 300 }
  const at = (time: string) => `Sun, 22 Nov 2026 ${time} GMT`
  const rows: [header: string | undefined, seconds: number | undefined, laterMs?: number][] = [
    ...Object.entries(inSeconds),
    ['9'.repeat(400), 300],
    [at('10:05:07'), 8, -1],
    [at('10:05:07'), 7, 0],
    [at('10:05:07'), 7, 1],
    [at('10:05:07'), 7, 999],
    [at('10:05:07'), 6, 1000],
    [at('10:05:01'), 1],
    [at('10:05:00'), 1],
    [at('10:04:59'), 1],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 1],
    [at('10:09:59'), 299],
    [at('10:10:01'), 300],
    ['Mon, 22 Nov 2027 10:05:00 GMT', 300],
  ]
  const unreadable = [
    ...'soon -1 +1 1.5 1e3 0x10 7,9 ٧ NaN Infinity 2026-11-22T10:05:07Z'.split(' '),
    undefined,
    '',
    ' ',
    '7 seconds',
    'Sun, 22 Nov 2026 10:05:07',
    'Sun, 22 Nov 2026 10:05:07 UTC',
    'Sun, 22 Nov 2026 10:05:07 GMT, 9',
    'x Sun, 22 Nov 2026 10:05:07 GMT',
    'Sunday, 22-Nov-26 10:05:07 GMT',
    'Sun Nov 22 10:05:07 2026',
    'Sun, 99 Nov 2026 10:05:07 GMT',
    'Sun, 22 Foo 2026 10:05:07 GMT',
    'Sun, 22 Nov 2026 25:05:07 GMT',
  ]
  checkRows(
    t,
    rows.concat(unreadable.map((header) => [header, undefined])),
    ([header, seconds, laterMs = 0]) => difference(retryAfterSeconds(header, nowMs + laterMs), seconds),
    'the header is read',
  )
})
