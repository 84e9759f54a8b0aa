import { mock } from 'node:test'
import type { Test } from 'tap'
import { type AccessTokensOptions, createAccessTokens } from '../../src/access/access-tokens.ts'
import type { Failure } from '../../src/failures/failure.ts'
import { createIssuer } from '../harness/issuer.ts'
import { refusalOf } from './refusal.ts'

/** Access tokens of a real issuer on loopback. Tests move the date of the process, because jose has no other clock. */
export async function createTokenRig(t: Test, options: Partial<AccessTokensOptions> = {}) {
  mock.timers.reset()
  mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-22T10:05:00Z') })
  t.teardown(() => mock.timers.reset())
  const issuer = await createIssuer(t)
  const outages: Failure[] = []
  const tokens = createAccessTokens({
    issuer: issuer.issuer,
    audience: issuer.audience,
    jwksUrl: issuer.jwksUrl,
    clock: { now: Date.now, elapsed: Date.now },
    fetch,
    onOutage: (failure) => outages.push(failure),
    ...options,
  })
  return {
    issuer,
    tokens,
    refusalOf: (token: string) => refusalOf(token, () => tokens(token)),
    /** A token that does not expire during a test. */
    signFor: (sub: string) => issuer.sign({ sub, exp: Date.now() / 1000 + 86_400 }),
    outages,
    advance: (ms: number) => mock.timers.tick(ms),
  }
}
