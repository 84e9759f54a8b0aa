import { hash } from 'node:crypto'
import { errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../common/clock.ts'
import { invalidCredential, withoutScope } from './access-failure.ts'
import type { Caller } from './caller.ts'
import { createIssuerKeys, type IssuerKeysOptions, maxAgeMs } from './issuer-keys.ts'
import { callerOf, isAccessTokenType, verificationFailure } from './token-caller.ts'

/**
 * Returns the caller of an access token, as a promise only when the token must be verified first. It throws, or rejects
 * with, AccessFailure `unauthenticated` or `forbidden`, or Failure `token_issuer_unavailable`.
 */
export type AccessTokens = (token: string) => Caller | Promise<Caller>

export interface AccessTokensOptions extends IssuerKeysOptions {
  /** The claim `iss` of every token must be exactly this. */
  readonly issuer: string
  /** The claim `aud` of every token must be or contain this. */
  readonly audience: string
  readonly clock: Pick<Clock, 'now' | 'elapsed'>
  /** Most verified tokens that are cached. The least recently used one is dropped first; 10,000 by default. */
  readonly maxCached?: number
}

/** Only signatures: with a symmetric algorithm, a service that verifies tokens could also issue them (RFC 8725 section 3.1). */
export const algorithms = ['RS256', 'ES256', 'EdDSA']
/** The clocks of the issuer and of this machine may differ by this much. */
const toleranceSeconds = 5
/** A longer token is refused without being read. The server accepts no longer headers either. */
const maxTokenLength = 8 * 1024

/** A verified token. */
interface VerifiedToken {
  /** Null when the token grants no profile. */
  readonly caller: Caller | null
  /** In milliseconds since 1970 UTC. */
  readonly expiresAt: number
  /** When it must be verified again, because the issuer may have revoked its key, in milliseconds of `elapsed`. */
  readonly verifyAgainAt: number
}

/** Verifies the access tokens of one issuer, which are JSON Web Tokens (RFC 9068). */
export function createAccessTokens(options: AccessTokensOptions): AccessTokens {
  const { issuer, audience, clock, maxCached = 10_000 } = options
  const issuerKeys = createIssuerKeys(options)
  // callerOf checks `sub` and the claims that are not registered.
  const rules: JWTVerifyOptions = {
    issuer,
    audience,
    algorithms,
    requiredClaims: ['exp'],
    clockTolerance: toleranceSeconds,
  }
  // By hash, so that a memory dump contains no token. The lifetimes of lru-cache are not used: with them, a token would be
  // valid for a millisecond too long.
  const verified = new LRUCache<string, VerifiedToken>({ max: maxCached })

  const findKey: JWTVerifyGetKey = (header, token) => {
    if (!isAccessTokenType(header.typ)) throw invalidCredential('type')
    return issuerKeys.find(header, token)
  }

  async function verify(token: string): Promise<VerifiedToken> {
    const at = { ...rules, currentDate: new Date(clock.now()) }
    const attempt = () => jwtVerify<{ exp: number }>(token, findKey, at)
    const fetchedAt = issuerKeys.fetchedAt()
    const { payload } = await attempt()
      .catch(async (error) => {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
        // The issuer may have replaced the key without a new name.
        await issuerKeys.refresh()
        if (issuerKeys.fetchedAt() === fetchedAt) throw error
        return attempt()
      })
      .catch((error) => {
        throw verificationFailure(error)
      })
    return {
      caller: callerOf(payload),
      expiresAt: expiryOf(payload.exp),
      verifyAgainAt: clock.elapsed() + maxAgeMs,
    }
  }

  return (token) => {
    if (token.length > maxTokenLength) throw invalidCredential('too long')
    const tokenHash = hash('sha256', token)
    const cached = verified.get(tokenHash)
    if (cached !== undefined && clock.now() < cached.expiresAt && clock.elapsed() < cached.verifyAgainAt)
      return grantedCaller(cached)
    return verify(token).then((result) => {
      verified.set(tokenHash, result)
      return grantedCaller(result)
    })
  }
}

/** The first millisecond at which jose refuses the token. jose counts in whole seconds. */
function expiryOf(exp: number): number {
  return Math.ceil(exp + toleranceSeconds) * 1000
}

function grantedCaller({ caller }: VerifiedToken): Caller {
  if (caller === null) throw withoutScope()
  return caller
}
