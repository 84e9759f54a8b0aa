import t from 'tap'
import { Secret } from '../../src/common/secret.ts'
import type { Level } from '../../src/doctor/findings.ts'
import { hilosFindings } from '../../src/doctor/hilos-findings.ts'
import { type Consultation, consultHilos, type Outcome } from '../../src/doctor/probes.ts'
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

/** Hilos that answers by address and token; what was asked, and what comes of it. */
async function consult(answer: (url: string, token: Secret) => Outcome, next: Secret | null = null, at = baseUrl) {
  const asked: (readonly [string, string])[] = []
  const tokens = { baseUrl: at, token, nextToken: next }
  const consultation = await consultHilos(tokens, async (url, secret) => {
    asked.push([url, secret.reveal()])
    return answer(url, secret)
  })
  return { asked, findings: hilosFindings(tokens, consultation) }
}

t.test('two tokens, by what Hilos says to each, are each judged by themselves', async (t) => {
  type Row = readonly [Outcome, Outcome, readonly (readonly [Level, string])[]]
  const table: readonly Row[] = [
    [
      'absent',
      'absent',
      [
        ['ok', 'Hilos'],
        ['ok', 'HILOS_TOKEN_NEXT'],
      ],
    ],
    [
      'present',
      'present',
      [
        ['note', 'Hilos'],
        ['ok', 'HILOS_TOKEN_NEXT'],
      ],
    ],
    [
      'absent',
      nextRefused,
      [
        ['ok', 'Hilos'],
        ['warn', 'HILOS_TOKEN_NEXT'],
      ],
    ],
    [
      'absent',
      lost,
      [
        ['ok', 'Hilos'],
        ['warn', 'HILOS_TOKEN_NEXT'],
      ],
    ],
    [
      refused,
      'absent',
      [
        ['warn', 'HILOS_TOKEN'],
        ['ok', 'HILOS_TOKEN_NEXT'],
      ],
    ],
    [
      refused,
      nextRefused,
      [
        ['fail', 'HILOS_TOKEN'],
        ['fail', 'HILOS_TOKEN_NEXT'],
      ],
    ],
    [
      refused,
      lost,
      [
        ['fail', 'HILOS_TOKEN'],
        ['fail', 'HILOS_TOKEN_NEXT'],
      ],
    ],
  ]
  for (const [current, next, expected] of table) {
    const { asked, findings } = await consult((_, secret) => (secret === token ? current : next), nextToken)
    t.strictSame(
      asked,
      [token, nextToken].map((secret) => [baseUrl, secret.reveal()]),
    )
    t.strictSame(
      findings.map(({ level, subject }) => [level, subject]),
      expected,
    )
    t.match(findings[0]?.message, token.fingerprint())
    if (next !== lost) t.match(findings[1]?.message, nextToken.fingerprint())
    if (next === 'absent') t.match(findings[1]?.message, current === refused ? /goes on with\.$/ : /, too\.$/)
  }
})

t.test('a next token, when Hilos could not be asked, is not sent, and the report says so', async (t) => {
  const { asked, findings } = await consult(() => lost, nextToken)
  t.equal(asked.length, 1)
  t.match(findings, [
    { level: 'fail', subject: 'Hilos' },
    { level: 'note', subject: 'HILOS_TOKEN_NEXT', message: /not checked/ },
  ])
})

t.test('a next token, when it is the one in use, is not sent again and is a warning', async (t) => {
  const { asked, findings } = await consult(() => 'absent', new Secret(token.reveal()))
  t.equal(asked.length, 1)
  t.match(findings, [{ level: 'ok' }, { level: 'warn', subject: 'HILOS_TOKEN_NEXT', message: /same token/ }])
})

t.test('a token, when it is the only one and refused, is a failure with its fingerprint', async (t) => {
  for (const code of ['upstream_unauthorized', 'upstream_forbidden'] as const) {
    const { asked, findings } = await consult(() => failed(code, 403))
    t.equal(asked.length, 1, 'and no other address is tried')
    t.match(findings, [{ level: 'fail', subject: 'HILOS_TOKEN', message: token.fingerprint() }])
    t.equal(findings.length, 1)
  }
})

t.test(
  'a wrong base URL, when another documented one answers, is told which, and no further one is asked',
  async (t) => {
    for (const answered of ['absent', 'present'] as const) {
      const right = 'https://api.hilos.io/channel/whatsapp'
      const { asked, findings } = await consult((url) => (url === right ? answered : wrong), nextToken)
      t.strictSame(
        asked,
        [baseUrl, right].map((url) => [url, token.reveal()]),
      )
      t.match(findings, [
        { level: 'fail', subject: 'HILOS_BASE_URL', message: `${right} answers, so set it to that.` },
        { level: 'note', subject: 'HILOS_TOKEN_NEXT' },
      ])
      t.equal(findings.length, 2)
    }
  },
)

t.test(
  'a wrong base URL, when none of the others answers, is told what each said and which one is not known',
  async (t) => {
    const outcomes: Record<string, Outcome> = {
      'https://api.hilos.io/channel/whatsapp': refused,
      'https://api.hilos.io/api': lost,
    }
    const { asked, findings } = await consult((url) => outcomes[url] ?? wrong)
    t.strictSame(
      asked.map(([url]) => url),
      [baseUrl, ...Object.keys(outcomes)],
    )
    t.match(findings, [
      {
        level: 'fail',
        subject: 'HILOS_BASE_URL',
        message: /whatsapp \(status 401\) or https:\/\/api\.hilos\.io\/api \(ECONNREFUSED\): ask Hilos/,
      },
      { level: 'note', message: 'https://ACCOUNT.api-us1.com/api/3/channel/whatsapp was not tried' },
    ])
  },
)

t.test('a wrong base URL, on an origin of one’s own, never sends the token to another', async (t) => {
  const origin = 'https://proxy.example'
  const { asked, findings } = await consult(() => wrong, null, `${origin}/wrong`)
  t.equal(asked.length, 4)
  for (const [url] of asked) t.equal(new URL(url).origin, origin)
  t.equal(findings.length, 1)
})

t.test('an address that did not answer, as one that did, is never the advice', async (t) => {
  const consultation: Consultation = {
    current: wrong,
    next: null,
    others: [{ baseUrl: 'https://x.example', outcome: wrong }],
  }
  const [finding] = hilosFindings({ baseUrl: 'https://x.example/y', token, nextToken: null }, consultation)
  t.match(finding?.message, /nothing better is at https:\/\/x\.example \(status 404\)/)
})
