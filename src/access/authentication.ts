import { invalidCredential, withoutCredential } from './access-failure.ts'
import type { AccessTokens } from './access-tokens.ts'
import { anonymous, type Caller } from './caller.ts'
import type { CallerKeys } from './caller-keys.ts'
import { keyPrefix } from './keys.ts'

export interface AuthenticationOptions {
  /** Asked for at every request, so that a callers' file read again counts from the next one; null where there is none. */
  readonly keys: (() => CallerKeys) | null
  /** Null where no issuer is trusted. */
  readonly tokens: AccessTokens | null
  /** Whether whoever sends no credential is answered. One that is sent must be good all the same. */
  readonly allowAnonymous: boolean
}

/**
 * Who asks, by the value of the `Authorization` header.
 * Throws, or rejects with, AccessFailure `unauthenticated` or `forbidden`, or Failure `token_issuer_unavailable`.
 */
export type Authenticate = (authorization: string | undefined) => Caller | Promise<Caller>

export function createAuthentication({ keys, tokens, allowAnonymous }: AuthenticationOptions): Authenticate {
  // With nothing to check it by, a header means nothing: proxies add them, too.
  const checksNothing = keys === null && tokens === null

  return (authorization) => {
    if (authorization === undefined || checksNothing) {
      if (allowAnonymous) return anonymous
      throw withoutCredential('no credential')
    }
    const credential = bearerOf(authorization)
    if (credential.startsWith(keyPrefix)) return holderOf(credential)
    if (tokens === null) throw invalidCredential('no issuer trusted')
    return tokens(credential)
  }

  function holderOf(key: string): Caller {
    const caller = keys?.()(key) ?? null
    if (caller === null) throw invalidCredential('unknown key')
    return caller
  }
}

/** RFC 6750 section 2.1. The scheme may be written in any case (RFC 9110 section 11.1). */
const bearer = /^Bearer +([\w.~+/-]+=*)$/i

function bearerOf(authorization: string): string {
  const credential = bearer.exec(authorization)?.[1]
  if (credential !== undefined) return credential
  throw /^Bearer(?:\s|$)/i.test(authorization) ? invalidCredential('malformed') : withoutCredential('another scheme')
}
