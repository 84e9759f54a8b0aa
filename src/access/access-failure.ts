import { Failure } from '../failures/failure.ts'
import { type Profile, profiles } from './profile.ts'
import { scopeOf } from './scopes.ts'

/** Why somebody was turned away, for the log. The caller is told less, so that nobody can feel their way to a credential. */
export type Refusal =
  | 'no credential'
  | 'another scheme'
  | 'malformed'
  | 'too long'
  | 'unknown key'
  | 'no issuer trusted'
  | 'algorithm'
  | 'signing key unknown'
  | 'signing key ambiguous'
  | 'signing key unusable'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'not yet valid'
  | 'expired'
  | 'claims'
  | 'no scope'
  | 'wider profile'

const guesses: readonly Refusal[] = [
  'malformed',
  'too long',
  'unknown key',
  'no issuer trusted',
  'algorithm',
  'signing key unknown',
  'signing key ambiguous',
  'signing key unusable',
  'signature',
]

const realm = 'Bearer realm="hilos-bff"'

/** Nobody gets in with this, or not as far as they want. */
export class AccessFailure extends Failure {
  /** The value of `WWW-Authenticate` (RFC 6750 section 3). */
  readonly challenge: string
  /** Somebody may be trying credentials: this one is neither a caller's nor signed by the issuer. */
  readonly isGuess: boolean

  constructor(code: 'unauthenticated' | 'forbidden', reason: Refusal, challenge: string) {
    super(code, { facts: { reason } })
    this.challenge = challenge
    this.isGuess = guesses.includes(reason)
  }
}

/** There is nothing to check: RFC 6750 section 3.1 wants no error code then. */
export function withoutCredential(reason: 'no credential' | 'another scheme'): AccessFailure {
  return new AccessFailure('unauthenticated', reason, realm)
}

/**
 * There is a credential, and it opens nothing.
 * @param reason `expired` only for a token that is good in every other respect: it is the one reason a caller is told
 */
export function invalidCredential(reason: Refusal): AccessFailure {
  const description = reason === 'expired' ? 'The access token has expired' : 'The credential is not valid'
  return new AccessFailure(
    'unauthenticated',
    reason,
    `${realm}, error="invalid_token", error_description="${description}"`,
  )
}

/** The access token is good and grants no profile. */
export function withoutScope(): AccessFailure {
  return insufficientScope('no scope', profiles)
}

/** The caller asks for a profile wider than their own. */
export function forbiddenProfile(wanted: Profile): AccessFailure {
  return insufficientScope('wider profile', [wanted])
}

function insufficientScope(reason: Refusal, sufficient: readonly Profile[]): AccessFailure {
  const scope = sufficient.map(scopeOf).join(' ')
  return new AccessFailure('forbidden', reason, `${realm}, error="insufficient_scope", scope="${scope}"`)
}
