import t from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { hilosFindings } from '../../src/doctor/hilos-findings.ts'
import { type Outcome, probeTokens } from '../../src/doctor/probes.ts'
import { Failure } from '../../src/failures/failure.ts'
import type { FailureCode } from '../../src/failures/failure-kinds.ts'

const [token, nextToken] = [new Secret('current-token-1'), new Secret('next-token-2222')]
const baseUrl = 'https://api.hilos.io/wrong'
const failed = (code: FailureCode, upstreamStatus: number, of = token) =>
  new Failure(code, { facts: { upstreamStatus, tokenFingerprint: of.fingerprint() } })
const refused = failed('upstream_unauthorized', 401)
const nextRefused = failed('upstream_forbidden', 403, nextToken)
const lost = new Failure('upstream_unavailable', { facts: { reason: 'ECONNREFUSED' } })
const wrong = failed('upstream_misconfigured', 404)

/**
 * Probes a Hilos that answers by address and token, and refuses a made-up token. Returns the probes, as URL and token, and the
 * findings.
 */
async function examine(
  answer: (url: string, token: Secret) => Outcome,
  next: Secret | null = null,
  at = baseUrl,
  control: Outcome = refused,
) {
  const probes: string[] = []
  const tokens = { baseUrl: at, token, nextToken: next }
  const results = await probeTokens(tokens, async (url, secret) => {
    const isMadeUp = secret !== token && secret !== next
    probes.push(`${url} ${isMadeUp ? 'made-up' : secret.reveal()}`)
    return isMadeUp ? control : answer(url, secret)
  })
  const findings = hilosFindings(tokens, results)
  return { probes, findings, levels: findings.map(({ level, subject }) => `${level} ${subject}`) }
}

t.test('two tokens are probed and judged separately', async (t) => {
  for (const [current, next, levels] of [
    ['absent', 'absent', ['ok Hilos', 'ok HILOS_TOKEN_NEXT']],
    ['present', 'present', ['note Hilos', 'ok HILOS_TOKEN_NEXT']],
    ['absent', nextRefused, ['ok Hilos', 'warn HILOS_TOKEN_NEXT']],
    ['absent', lost, ['ok Hilos', 'warn HILOS_TOKEN_NEXT']],
    [refused, 'absent', ['warn HILOS_TOKEN', 'ok HILOS_TOKEN_NEXT']],
    [refused, nextRefused, ['fail HILOS_TOKEN', 'fail HILOS_TOKEN_NEXT']],
    [refused, lost, ['fail HILOS_TOKEN', 'fail HILOS_TOKEN_NEXT']],
  ] as const) {
    const result = await examine((_, secret) => (secret === token ? current : next), nextToken)
    const sent = ['current-token-1', ...(current === refused ? [] : ['made-up']), 'next-token-2222']
    t.strictSame(
      result.probes,
      sent.map((each) => `${baseUrl} ${each}`),
    )
    t.strictSame(result.levels, levels)
    const [first, second] = result.findings.map(({ message }) => message)
    t.match(first, token.fingerprint())
    if (next !== lost) t.match(second, nextToken.fingerprint())
    if (next === 'absent') t.match(second, current === refused ? /the service uses it\.$/ : /, too\.$/)
  }
})

t.test('a next token is not sent when it is the token in use, or when Hilos cannot be reached', async (t) => {
  const notChecked = ['note', /not checked, because of the finding before/] as const
  for (const [outcome, control, next, calls, level, subject, message] of [
    [lost, refused, nextToken, 1, 'fail', 'Hilos', notChecked],
    ['absent', 'absent', nextToken, 2, 'fail', 'HILOS_BASE_URL', notChecked],
    ['absent', lost, nextToken, 2, 'warn', 'Hilos', notChecked],
    ['absent', refused, new Secret(token.reveal()), 2, 'ok', 'Hilos', ['warn', /same token/]],
  ] as const) {
    const { probes, findings } = await examine(() => outcome, next, baseUrl, control)
    t.equal(probes.length, calls)
    t.match(findings, [
      { level, subject },
      { level: message[0], subject: 'HILOS_TOKEN_NEXT', message: message[1] },
    ])
  }
})

t.test('a refused token without a next one is a failure, and no other address is probed', async (t) => {
  for (const code of ['upstream_unauthorized', 'upstream_forbidden'] as const) {
    const { probes, levels, findings } = await examine(() => failed(code, 403))
    t.equal(probes.length, 1)
    t.strictSame(levels, ['fail HILOS_TOKEN'])
    t.match(findings[0]?.message, token.fingerprint())
  }
})

t.test('the finding about a wrong base URL names the first documented one that answers', async (t) => {
  const right = 'https://api.hilos.io/channel/whatsapp'
  for (const outcome of ['absent', 'present'] as const) {
    const { probes, levels, findings } = await examine((url) => (url === right ? outcome : wrong), nextToken)
    t.strictSame(probes, [`${baseUrl} current-token-1`, `${right} current-token-1`])
    t.strictSame(levels, ['fail HILOS_BASE_URL', 'note HILOS_TOKEN_NEXT'])
    t.match(findings[0]?.message, `${right} answers, so set it to that.`)
  }
})

t.test('the finding about a wrong base URL names all that were probed when none answers', async (t) => {
  const outcomes: Record<string, Outcome> = {
    'https://api.hilos.io/channel/whatsapp': refused,
    'https://api.hilos.io/api': lost,
  }
  const { probes, findings } = await examine((url) => outcomes[url] ?? wrong)
  const urls = [baseUrl, ...Object.keys(outcomes)]
  t.strictSame(
    probes,
    urls.map((url) => `${url} current-token-1`),
  )
  const tried =
    /Hilos was not found at .*whatsapp \(status 401\) or https:\/\/api\.hilos\.io\/api \(ECONNREFUSED\): ask Hilos/
  t.match(findings, [
    { level: 'fail', subject: 'HILOS_BASE_URL', message: tried },
    { level: 'note', message: 'https://ACCOUNT.api-us1.com/api/3/channel/whatsapp was not tried' },
  ])
})

t.test('the token is never sent to another origin', async (t) => {
  const origin = 'https://proxy.example'
  const { probes, levels } = await examine(() => wrong, null, `${origin}/wrong`)
  t.equal(probes.length, 4)
  for (const probe of probes) t.ok(probe.startsWith(`${origin}/`), probe)
  t.strictSame(levels, ['fail HILOS_BASE_URL'])
})
