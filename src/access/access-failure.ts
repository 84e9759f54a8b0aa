import { Failure } from '../failures/failure.ts'
import { type Profile, profiles, scopeOf } from './profile.ts'

/** The reasons of guesses: credentials that are neither a caller's key nor signed by the token issuer. */
const guesses = [
  'malformed',
  'too long',
  'unknown key',
  'no issuer trusted',
  'algorithm',
  'type',
  'signing key unknown',
  'signing key ambiguous',
  'signing key unusable',
  'signature',
] as const

/** Why a request was refused, for the log. The response says less, so that it does not help with guessing. */
export type Refusal =
  | (typeof guesses)[number]
  | 'no credential'
  | 'another scheme'
  | 'issuer'
  | 'audience'
  | 'not yet valid'
  | 'expired'
  | 'claims'
  | 'no scope'
  | 'wider profile'

const realm = 'Bearer realm="hilos-bff"'

/** The request has no valid credential, or its credential does not allow what it asks for. */
export class AccessFailure extends Failure {
  /** The value of `WWW-Authenticate` (RFC 6750 section 3). */
  readonly challenge: string
  /** Whether the credential belongs to no caller, so that it may be a guess. */
  readonly isGuess: boolean
  /** Whether the request shows no bearer credential. */
  readonly isMissing: boolean

  constructor(code: 'unauthenticated' | 'forbidden', reason: Refusal, challenge: string) {
    super(code, { facts: { reason } })
    this.challenge = challenge
    this.isGuess = guesses.some((guess) => guess === reason)
    this.isMissing = challenge === realm
  }
}

/** The request has no bearer credential. The challenge has no error code then (RFC 6750 section 3.1). */
export function withoutCredential(reason: 'no credential' | 'another scheme'): AccessFailure {
  return new AccessFailure('unauthenticated', reason, realm)
}

/**
 * The credential is not valid.
 * @param reason `expired` only for a token that is valid in every other respect, because the caller learns this reason
 */
export function invalidCredential(reason: Refusal): AccessFailure {
  const description = reason === 'expired' ? 'The access token has expired' : 'The credential is not valid'
  return new AccessFailure(
    'unauthenticated',
    reason,
    `${realm}, error="invalid_token", error_description="${description}"`,
  )
}

/** The access token is valid, but grants no profile. */
export function withoutScope(): AccessFailure {
  return insufficientScope('no scope', profiles)
}

/** The request asks for a wider profile than the caller's. */
export function forbiddenProfile(requested: Profile): AccessFailure {
  return insufficientScope('wider profile', [requested])
}

function insufficientScope(reason: Refusal, sufficient: readonly Profile[]): AccessFailure {
  const scope = sufficient.map(scopeOf).join(' ')
  return new AccessFailure('forbidden', reason, `${realm}, error="insufficient_scope", scope="${scope}"`)
}
