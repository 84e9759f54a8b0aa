import { mock } from 'node:test'
import type { Test } from 'tap'
import { type AccessTokensOptions, createAccessTokens } from '../../src/access/access-tokens.ts'
import type { Failure } from '../../src/failures/failure.ts'
import { createIssuer } from '../harness/issuer.ts'

/** Access tokens of a real issuer on loopback, on a calendar that moves only when told to: jose has no other clock. */
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
    now: Date.now,
    elapsed: Date.now,
    onOutage: (failure) => outages.push(failure),
    ...options,
  })
  return { issuer, tokens, outages, advance: (ms: number) => mock.timers.tick(ms) }
}
