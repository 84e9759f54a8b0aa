import { hash } from 'node:crypto'
import { type JWTVerifyOptions, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { invalidCredential, withoutScope } from './access-failure.ts'
import type { Caller } from './caller.ts'
import { createIssuerKeys, type IssuerKeysOptions, maxAgeMs } from './issuer-keys.ts'
import { callerOf, refusalOf } from './token-caller.ts'

/**
 * The caller an access token speaks of; at once when the token was verified before.
 * Throws, or rejects with, AccessFailure `unauthenticated` or `forbidden`, or Failure `token_issuer_unavailable`.
 */
export type AccessTokens = (token: string) => Caller | Promise<Caller>

export interface AccessTokensOptions extends IssuerKeysOptions {
  /** The `iss` a token must have, character by character. */
  readonly issuer: string
  /** What the `aud` of a token must be or hold. */
  readonly audience: string
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Tokens remembered, the least recently used go first; 10,000 by default. */
  readonly maxRemembered?: number
}

/** Signatures only: with a symmetric algorithm, whoever checks tokens could make them (RFC 8725 section 3.1). */
export const algorithms = ['RS256', 'ES256', 'EdDSA']
/** For clocks that differ a little. */
const toleranceSeconds = 5
/** Refused unread past this; the server takes no longer headers either. */
const maxTokenLength = 8 * 1024

/** What a verified token is worth, null when it grants no profile, and the moment that ends. */
interface Verdict {
  readonly caller: Caller | null
  readonly until: number
}

/** Access tokens of one issuer, as JSON Web Tokens (RFC 9068). */
export function createAccessTokens(options: AccessTokensOptions): AccessTokens {
  const { issuer, audience, now, maxRemembered = 10_000 } = options
  const issuerKeys = createIssuerKeys(options)
  // Of `sub` and the claims that are not registered, callerOf decides.
  const rules: JWTVerifyOptions = {
    issuer,
    audience,
    algorithms,
    requiredClaims: ['exp'],
    clockTolerance: toleranceSeconds,
  }
  // By hash, so that no token can be read out of the memory. Of lru-cache only the bound is used: with its lifetimes a
  // token would be good for a millisecond longer than it says.
  const verdicts = new LRUCache<string, Verdict>({ max: maxRemembered })

  async function verify(token: string): Promise<Verdict> {
    const at = { ...rules, currentDate: new Date(now()) }
    const { payload } = await jwtVerify<{ exp: number }>(token, issuerKeys, at).catch((error) => {
      throw refusalOf(error)
    })
    // Not always until it expires: a key that the issuer takes back must stop its tokens, too.
    return { caller: callerOf(payload), until: Math.min(expiryOf(payload.exp), now() + maxAgeMs) }
  }

  return (token) => {
    if (token.length > maxTokenLength) throw invalidCredential('too long')
    const tokenHash = hash('sha256', token)
    const known = verdicts.get(tokenHash)
    if (known !== undefined && now() < known.until) return granted(known)
    return verify(token).then((verdict) => {
      verdicts.set(tokenHash, verdict)
      return granted(verdict)
    })
  }
}

/** The first millisecond at which jose refuses it: it counts in whole seconds. */
function expiryOf(exp: number): number {
  return Math.ceil(exp + toleranceSeconds) * 1000
}

function granted({ caller }: Verdict): Caller {
  if (caller === null) throw withoutScope()
  return caller
}
