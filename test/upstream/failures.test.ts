import t, { type Test } from 'tap'
import { errors } from 'undici'
import { connectionFailure, interruptedFailure, isRefusal, statusFailure } from '../../src/upstream/failures.ts'
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts'
import { createClock } from '../harness/clock.ts'
import { canary, failureOf } from './raw-hilos.ts'

const timeoutMs = 8000
const coded = (code: string | number) => Object.assign(new Error(canary), { code })

t.test('an error before a response, when it has a code, is a failure by that code', async (t) => {
  const table = {
    upstream_unavailable: [
      'ECONNREFUSED',
      'ECONNRESET',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EPIPE',
      'EPROTOTYPE',
      'XEPROTO',
      'UND_ERR_SOCKET',
      'UND_ERR_DESTROYED',
      'XHPE_',
      'XERR_TLS',
      42,
    ],
    upstream_untrusted: [
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'CERT_REVOKED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ERR_TLS_HANDSHAKE_TIMEOUT',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'EPROTO',
    ],
    upstream_invalid_response: [
      'HPE_INVALID_CONSTANT',
      'UND_ERR_HEADERS_OVERFLOW',
      'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    ],
  }
  for (const [kind, codes] of Object.entries(table))
    for (const code of codes) {
      const failure = await failureOf(t, Promise.reject(connectionFailure(coded(code), timeoutMs)))
      t.equal(failure.code, kind, String(code))
      t.strictSame(failure.facts, { reason: String(code) })
      // What never was a connection, or a readable answer, is not mended by another try.
      t.match(failure, { worthRetrying: kind === 'upstream_unavailable', pauseMs: 0 })
      t.ok(failure instanceof UpstreamFailure)
    }
})

t.test('an error before a response, when it has no code, goes by its name', async (t) => {
  const failure = await failureOf(t, Promise.reject(connectionFailure(new TypeError(canary), timeoutMs)))
  t.equal(failure.code, 'upstream_unavailable')
  t.strictSame(failure.facts, { reason: 'TypeError' })
})

t.test('a deadline, when it is the connection’s or the call’s, is a timeout that says which', async (t) => {
  const table = [
    [new errors.ConnectTimeoutError(canary), { reason: 'UND_ERR_CONNECT_TIMEOUT' }],
    [new DOMException(canary, 'TimeoutError'), { reason: 'before an answer', timeoutMs }],
  ] as const
  for (const [error, facts] of table) {
    const failure = await failureOf(t, Promise.reject(connectionFailure(error, timeoutMs)))
    t.equal(failure.code, 'upstream_timeout')
    t.strictSame(failure.facts, facts)
    t.match(failure, { worthRetrying: false, pauseMs: 0 })
  }
})

t.test('an answer, when it is not whole, is transient, and its request not repeated', async (t) => {
  const table = [
    [AbortSignal.abort(), 'upstream_timeout', { reason: 'in the middle of the body', timeoutMs }],
    [new AbortController().signal, 'upstream_invalid_response', { reason: 'cut off in the middle of the body' }],
  ] as const
  for (const [signal, code, facts] of table) {
    const failure = interruptedFailure(signal, timeoutMs)
    t.ok(failure instanceof UpstreamFailure)
    t.match(failure, { code, worthRetrying: false, pauseMs: 0 })
    t.strictSame(failure.facts, facts)
  }
})

const nowMs = createClock().now()
const soon = 'Sun, 22 Nov 2026 10:05:09 GMT'

/** What a status says about more than this call; null where what was true before may not stand in. */
function fateOf(t: Test, status: number, retryAfter?: string) {
  const failure = statusFailure(status, retryAfter, nowMs, 'c0ffee00')
  const isRefused = status === 401 || status === 403
  t.strictSame(failure.facts, { upstreamStatus: status, ...(isRefused && { tokenFingerprint: 'c0ffee00' }) })
  t.equal(isRefusal(failure), isRefused)
  if (!(failure instanceof UpstreamFailure)) return null
  return [failure.pauseMs, failure.worthRetrying, failure.retryAfterSeconds]
}

t.test('a status, when it is about this request or our key, is not transient, whatever Retry-After says', async (t) => {
  for (const status of [
    201, 204, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 410, 418, 425, 428, 430, 499,
  ])
    for (const retryAfter of [undefined, '7', soon])
      t.equal(fateOf(t, status, retryAfter), null, `${status} ${retryAfter}`)
})

t.test(
  'a status, when it is about Hilos’s state, is transient, and pauses or is worth a retry, never both',
  async (t) => {
    const table = [
      [429, undefined, [2000, false, 2]],
      [429, 'soon', [2000, false, 2]],
      [429, '7', [7000, false, 7]],
      [429, '0', [1000, false, 1]],
      [429, soon, [9000, false, 9]],
      [429, '31536000', [300_000, false, 300]],
      [500, undefined, [0, false, 2]],
      [500, '7', [0, false, 7]],
      [599, '7', [0, false, 7]],
      [501, undefined, [0, false, 2]],
      [505, undefined, [0, false, 2]],
      [599, undefined, [0, false, 2]],
    ] as const
    for (const [status, retryAfter, fate] of table)
      t.strictSame(fateOf(t, status, retryAfter), fate, `${status} ${retryAfter}`)
    for (const status of [502, 503, 504]) {
      for (const retryAfter of [undefined, '', 'soon', '-1'])
        t.strictSame(fateOf(t, status, retryAfter), [0, true, 2], `${status} ${retryAfter}`)
      // Only with 503 it is about everything; elsewhere it may be about one document.
      t.strictSame(fateOf(t, status, '7'), [status === 503 ? 7000 : 0, false, 7])
      t.strictSame(fateOf(t, status, soon), [status === 503 ? 9000 : 0, false, 9])
    }
  },
)

t.test('what is thrown, when it is not a failure of ours, is no refusal', async (t) => {
  for (const thrown of [undefined, null, { code: 'upstream_unauthorized' }, new Error('upstream_forbidden')])
    t.notOk(isRefusal(thrown))
})
