import { inspect } from 'node:util'
import { AccessFailure } from '../../src/access/access-failure.ts'
import { Failure } from '../../src/failures/failure.ts'

const realm = 'Bearer realm="hilos-bff"'
export const challenges = {
  none: realm,
  invalid: `${realm}, error="invalid_token", error_description="The credential is not valid"`,
  expired: `${realm}, error="invalid_token", error_description="The access token has expired"`,
  scope: `${realm}, error="insufficient_scope", scope="execution-contacts:viewer execution-contacts:agent execution-contacts:full"`,
} as const

export const refused = (reason: string, challenge: string = challenges.invalid) => ({
  code: 'unauthenticated',
  facts: { reason },
  challenge,
})

/**
 * Returns what the failure of a refused credential says. It throws if the credential is not refused, or if the failure
 * holds a part of it.
 */
export async function refusalOf(credential: string, use: () => unknown) {
  const error = await new Promise((resolve) => resolve(use())).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Failure)) throw new Error('the credential is not refused', { cause: error })
  const shown = inspect(error, { depth: null, showHidden: true })
  const leaked = credential.split(/[. ]/).some((part) => part.length > 7 && shown.includes(part))
  if (leaked || error.cause !== undefined) throw new Error('the failure holds a part of the credential, or a cause')
  const { code, facts } = error
  return { code, facts, challenge: error instanceof AccessFailure ? error.challenge : null }
}
