import t from 'tap'
import { sentenceOf } from '../../src/doctor/failure-sentences.ts'
import { Failure, type FailureFacts } from '../../src/failures/failure.ts'
import type { FailureCode } from '../../src/failures/failure-kinds.ts'

const baseUrl = 'https://hilos.example:8443/channel/whatsapp'

const refusal = (status: number) =>
  new RegExp(
    `refuses the token with the fingerprint 0badcafe \\(status ${status}\\): it is revoked, mistyped or of anot`,
  )

/** A pattern for the sentence about each failure. It matches no other sentence. */
const table: readonly (readonly [FailureCode, FailureFacts, RegExp])[] = [
  ['upstream_unauthorized', { upstreamStatus: 401, tokenFingerprint: '0badcafe' }, refusal(401)],
  ['upstream_forbidden', { upstreamStatus: 403, tokenFingerprint: '0badcafe' }, refusal(403)],
  [
    'upstream_misconfigured',
    { upstreamStatus: 410 },
    /^The answer at https:\/\/hilos\.example:8443\/channel.* is not one of Hilos \(status 410\)/,
  ],
  ['upstream_redirect', { upstreamStatus: 301 }, /redirect \(status 301\), which is never followed/],
  ['upstream_untrusted', { reason: 'CERT_HAS_EXPIRED' }, /^The certificate of \S+ has expired/],
  ['upstream_untrusted', { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' }, /certificate at \S+ is another host’s/],
  ['upstream_untrusted', { reason: 'EPROTO' }, /no usable TLS/],
  ['upstream_untrusted', { reason: 'ERR_SSL_WRONG_VERSION_NUMBER' }, /no usable TLS/],
  ['upstream_untrusted', { reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, /not trusted \(DEPTH\w+\).*NODE_EXTRA_CA_CERTS/],
  ['upstream_timeout', { reason: 'UND_ERR_CONNECT_TIMEOUT' }, /^No connection to .* firewall/],
  ['upstream_timeout', { reason: 'before an answer', timeoutMs: 50 }, /^No answer came .* 50 ms: .*HILOS_TIMEOUT_MS/],
  ['upstream_timeout', { reason: 'in the middle of the body', timeoutMs: 50 }, /^No whole answer came .* 50 ms/],
  ['upstream_rate_limited', { upstreamStatus: 429 }, /asks for a pause \(status 429\): wait 7 s/],
  ['upstream_unavailable', { upstreamStatus: 503 }, /did not take the request or is out of service \(status 503\)/],
  ['upstream_unavailable', { reason: 'ENOTFOUND' }, /^There is no host named hilos\.example \(ENOTFOUND\)/],
  ['upstream_unavailable', { reason: 'EAI_AGAIN' }, /^The name hilos\.example cannot be looked up now \(EAI_AGAIN\)/],
  ['upstream_unavailable', { reason: 'ECONNREFUSED' }, /^Nothing listens at hilos\.example:8443/],
  ['upstream_unavailable', { reason: 'ECONNRESET' }, /closed the connection before an answer came/],
  ['upstream_unavailable', { reason: 'UND_ERR_SOCKET' }, /closed the connection before an answer came/],
  ['upstream_unavailable', { reason: 'ENETUNREACH' }, /cannot be reached \(ENETUNREACH\)/],
  ['upstream_error', { upstreamStatus: 500 }, /answers with an error \(status 500\)/],
  ['upstream_invalid_response', { reason: 'not JSON' }, /answers, but not as Hilos does \(not JSON\)/],
  ['upstream_too_large', { maxBytes: 1024 }, /answers, but not as Hilos does \(upstream_too_large\)/],
]

t.test('each failure has one sentence of its own, which says what to do', async (t) => {
  for (const [code, facts, expected] of table) {
    const sentence = sentenceOf(new Failure(code, { facts, retryAfterSeconds: 7 }), baseUrl)
    t.match(sentence, /^[^.].*[^.]\.$/)
    t.notMatch(sentence, /undefined|null|\. /)
    const matching = table.filter(([, , pattern]) => pattern.test(sentence)).map(([, , pattern]) => String(pattern))
    t.strictSame([...new Set(matching)], [String(expected)], sentence)
  }
})
