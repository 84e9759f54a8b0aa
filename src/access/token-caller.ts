import { errors, type JWTPayload } from 'jose'
import { Failure } from '../failures/failure.ts'
import { invalidCredential, type Refusal } from './access-failure.ts'
import type { Caller } from './caller.ts'
import { profileOf } from './profile.ts'

const maxSubjectLength = 255
/**
 * A subject is logged, and people read the log, so it must not end a line, move the cursor or change the direction of
 * writing, and two subjects must not differ only in what cannot be seen: characters that are invisible or unassigned, marks
 * without a letter, and white space other than single spaces between words.
 */
const unreadable = /[\p{C}\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]|(?! )\p{Z}|^[ \p{M}]| $| {2}/u

/** The last second of the year 9999. A later expiry was meant in milliseconds, or as no expiry. */
const latestSecond = 253_402_300_799

/**
 * Whether a token with this `typ` may be an access token (RFC 8725 section 3.11): `at+jwt` (RFC 9068 section 2.1), or the
 * general `JWT` or none, because many issuers write no other.
 */
export function isAccessTokenType(typ: unknown): boolean {
  return typ === undefined || (typeof typ === 'string' && /^(?:application\/)?(?:at\+)?jwt$/i.test(typ))
}

/**
 * The caller of a verified access token; null when its scopes grant no profile.
 * @throws AccessFailure `unauthenticated` when the claims have an absurd time, or do not identify the caller or its flows
 * clearly
 */
export function callerOf(claims: JWTPayload): Caller | null {
  if (![claims.exp, claims.nbf, claims.iat].every(isSaneTime)) throw invalidCredential('claims')
  const name = subjectOf(claims.sub)
  const flows = flowsOf(claims.hilos_flows)
  // `scope` is defined in RFC 9068 section 2.2.3. Entra and Okta use `scp`.
  const profile = profileOf([...scopesIn(claims.scope), ...scopesIn(claims.scp)])
  return profile && { name, kind: 'token', profile, flows }
}

/** @param seconds a number since 1970 UTC, which may be a fraction (RFC 7519 section 2) */
function isSaneTime(seconds: number | undefined): boolean {
  return seconds === undefined || (seconds >= 0 && seconds <= latestSecond)
}

function subjectOf(subject: unknown): string {
  const isName = typeof subject === 'string' && subject !== '' && subject.length <= maxSubjectLength
  // Composed and decomposed letters look the same.
  if (isName && !unreadable.test(subject) && subject === subject.normalize()) return subject
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
