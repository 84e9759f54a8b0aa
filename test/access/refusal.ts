import { inspect } from 'node:util'
import type { Test } from 'tap'
import { AccessFailure } from '../../src/access/access-failure.ts'
import { Failure } from '../../src/failures/failure.ts'

export const challenges = {
  none: 'Bearer realm="hilos-bff"',
  invalid: 'Bearer realm="hilos-bff", error="invalid_token", error_description="The credential is not valid"',
  expired: 'Bearer realm="hilos-bff", error="invalid_token", error_description="The access token has expired"',
  scope:
    'Bearer realm="hilos-bff", error="insufficient_scope", scope="execution-contacts:viewer execution-contacts:agent execution-contacts:full"',
} as const

/** What is said to whoever is turned away: fails the test when nobody is, or when it holds any of the credential. */
export async function refusal(t: Test, credential: string, ask: () => unknown) {
  const error = await new Promise((resolve) => resolve(ask())).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Failure)) return t.fail('is refused', { error })
  const shown = inspect(error, { depth: null, showHidden: true })
  for (const part of credential.split(/[. ]/)) {
    if (part.length > 7) t.notOk(shown.includes(part), 'holds nothing of the credential')
  }
  t.equal(error.cause, undefined)
  return {
    code: error.code,
    facts: error.facts,
    challenge: error instanceof AccessFailure ? error.challenge : null,
  }
}
