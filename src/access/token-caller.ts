import { errors, type JWTPayload } from 'jose'
import { Failure } from '../failures/failure.ts'
import { invalidCredential, type Refusal } from './access-failure.ts'
import type { Caller } from './caller.ts'
import { profileOf } from './profile.ts'

const maxSubjectLength = 255
/**
 * A subject is logged, and the log is read on terminals, so it must not end a line, move the cursor or change the direction
 * of writing.
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u

/**
 * The caller of a verified access token; null when its scopes grant no profile.
 * @throws AccessFailure `unauthenticated` when the claims do not identify the caller or its flows clearly
 */
export function callerOf(claims: JWTPayload): Caller | null {
  const name = subjectOf(claims.sub)
  const flows = flowsOf(claims.hilos_flows)
  // `scope` is defined in RFC 9068 section 2.2.3. Entra and Okta use `scp`.
  const profile = profileOf([...scopesIn(claims.scope), ...scopesIn(claims.scp)])
  return profile && { name, kind: 'token', profile, flows }
}

function subjectOf(subject: unknown): string {
  const isName = typeof subject === 'string' && subject !== '' && subject.length <= maxSubjectLength
  if (isName && !unprintable.test(subject)) return subject
  throw invalidCredential('claims')
}

function scopesIn(claim: unknown): readonly unknown[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim : []
}

/** Null means every flow. Only a token without the claim gets it, not one with an invalid claim. */
function flowsOf(claim: unknown): ReadonlySet<string> | null {
  if (claim === undefined) return null
  const ids: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return new Set(
    ids.map((id) => {
      if (typeof id === 'string') return id.toLowerCase()
      throw invalidCredential('claims')
    }),
  )
}

/** The failure of a verification. It has no cause, because the error of jose contains the claims. */
export function verificationFailure(error: unknown): Failure {
  return error instanceof Failure ? error : invalidCredential(reasonOf(error))
}

function reasonOf(error: unknown): Refusal {
  if (error instanceof errors.JWTClaimValidationFailed) return claimReasons[error.claim] ?? 'claims'
  // Any other error is about a key of the token issuer, for example one that is too short.
  return error instanceof errors.JOSEError ? (reasons[error.code] ?? 'malformed') : 'signing key unusable'
}

const reasons: Readonly<Record<string, Refusal>> = {
  ERR_JOSE_ALG_NOT_ALLOWED: 'algorithm',
  ERR_JWKS_INVALID: 'signing key unusable',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'signing key ambiguous',
  ERR_JWKS_NO_MATCHING_KEY: 'signing key unknown',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'signature',
  ERR_JWT_EXPIRED: 'expired',
}

const claimReasons: Readonly<Record<string, Refusal>> = { iss: 'issuer', aud: 'audience', nbf: 'not yet valid' }
