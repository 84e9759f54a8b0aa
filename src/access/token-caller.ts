import { errors, type JWTPayload } from 'jose'
import { Failure } from '../failures/failure.ts'
import { invalidCredential, type Refusal } from './access-failure.ts'
import type { Caller } from './caller.ts'
import { profileOf } from './scopes.ts'

const maxSubjectLength = 255
/** It is logged as it is, and read on terminals: what ends a line, moves the cursor or turns the direction is no name. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u

/**
 * The caller of whom a verified access token speaks; null when its scopes grant no profile.
 * @throws AccessFailure `unauthenticated` for claims that do not say clearly who that is, or which flows they may see
 */
export function callerOf(claims: JWTPayload): Caller | null {
  const name = subjectOf(claims.sub)
  const flows = flowsOf(claims.hilos_flows)
  // `scope` is that of RFC 9068 section 2.2.3; Entra and Okta write `scp`.
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

/** Null is every flow: only a token that says nothing of flows gets it, never one whose limit is not understood. */
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

/**
 * What to say of a token that was not verified. jose's own error must not travel on, as message or as cause: it carries
 * the claims.
 */
export function refusalOf(error: unknown): Failure {
  return error instanceof Failure ? error : invalidCredential(reasonOf(error))
}

function reasonOf(error: unknown): Refusal {
  if (error instanceof errors.JWTClaimValidationFailed) return claimReasons[error.claim] ?? 'claims'
  // What is no error of jose's comes from the keys of the issuer, such as one with a modulus too small.
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
