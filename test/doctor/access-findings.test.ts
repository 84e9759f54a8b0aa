import t from 'tap'
import type { CallerEntry } from '../../src/access/caller-entry.ts'
import type { Config } from '../../src/config/config.ts'
import { accessFindings, issuerFinding } from '../../src/doctor/access-findings.ts'
import { Failure, type FailureFacts } from '../../src/failures/failure.ts'

const entry = (name: string, profile: CallerEntry['profile']): CallerEntry => ({
  name,
  profile,
  keySha256: 'a'.repeat(64),
  flows: null,
})

/** The findings about settings of which only the given ones are on. */
function findingsOf(access: Partial<Config['access']>) {
  const nothing = { callersFile: null, tokens: null, allowAnonymous: false }
  return accessFindings({ ...nothing, ...access } as Config['access'])
}

t.test('a refusal of anonymous callers is ok, and the opposite is a warning of the settings already', async (t) => {
  t.match(findingsOf({}), [{ level: 'ok', subject: 'DANGEROUSLY_ALLOW_ANONYMOUS', message: /refused/ }])
  t.strictSame(findingsOf({ allowAnonymous: true }), [])
})

t.test('the finding about the callers file counts callers, keys and profiles', async (t) => {
  const several = [entry('b', 'full'), entry('a', 'viewer'), entry('a', 'viewer'), entry('c', 'full')]
  for (const [entries, level, message] of [
    [[], 'warn', /no callers/],
    [[entry('a', 'viewer')], 'ok', 'This file has 1 caller with 1 key in all: 1 viewer.'],
    [several, 'ok', 'This file has 3 callers with 4 keys in all: 1 viewer, 2 full.'],
  ] as const) {
    const [finding] = findingsOf({ allowAnonymous: true, callersFile: { path: '', text: '', entries } })
    t.match(finding, { level, subject: 'CALLERS_FILE', message })
  }
})

t.test('the finding about access tokens names the issuer and the audience', async (t) => {
  const tokens = {
    issuer: 'https://issuer.example',
    audience: 'bff',
    jwksUrl: 'https://issuer.example/?canary',
    proxy: null,
    connectTimeoutMs: 1,
  }
  const findings = findingsOf({ allowAnonymous: true, tokens })
  t.match(findings, [{ level: 'ok', subject: 'JWT_ISSUER', message: /https:\/\/issuer\.example for bff/ }])
  t.notMatch(JSON.stringify(findings), 'canary')
})

t.test('the issuer needs a usable key', async (t) => {
  const unavailable = (facts: FailureFacts) => new Failure('token_issuer_unavailable', { facts })
  for (const [answer, level, message] of [
    [{ published: 3, usable: 2 }, 'ok', 'The token issuer publishes 3 keys, 2 of which can be used.'],
    [{ published: 1, usable: 0 }, 'fail', /1 key, but none that can be used/],
    [{ published: 0, usable: 0 }, 'fail', /0 keys, but none/],
    [unavailable({ reason: 'ECONNREFUSED' }), 'fail', /could not be fetched \(ECONNREFUSED\)/],
    [unavailable({ reason: 'not 200', status: 503 }), 'fail', /could not be fetched \(status 503\)/],
  ] as const)
    t.match(issuerFinding(answer), { level, subject: 'JWT_JWKS_URL', message })
})
