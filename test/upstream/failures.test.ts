import t from 'tap'
import { errors } from 'undici'
import { connectionFailure } from '../../src/upstream/failures.ts'
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
  }
})
