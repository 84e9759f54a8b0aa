import { hash, randomBytes } from 'node:crypto'
import { invalidCredential, withoutCredential } from './access-failure.ts'
import type { AccessTokens } from './access-tokens.ts'
import { anonymous, type Caller } from './caller.ts'
import type { CallerEntry } from './caller-entry.ts'
import { isKey, keyHash, keyPrefix } from './keys.ts'

export interface AuthenticationOptions {
  /** Called for each request, so that a reloaded callers file takes effect immediately; null without a callers file. */
  readonly keys: (() => CallerKeys) | null
  /** Null when no token issuer is trusted. */
  readonly tokens: AccessTokens | null
  /** Whether requests without a credential are accepted. A credential that is sent is still verified. */
  readonly allowAnonymous: boolean
}

/**
 * Returns the caller, given the value of `Authorization`. It throws, or rejects with, AccessFailure `unauthenticated` or
 * `forbidden`, or Failure `token_issuer_unavailable`.
 */
export type Authenticate = (authorization: string | undefined) => Caller | Promise<Caller>

export function createAuthentication({ keys, tokens, allowAnonymous }: AuthenticationOptions): Authenticate {
  // Without keys and tokens the header has no meaning. A proxy may have added it.
  const ignoresHeader = keys === null && tokens === null

  return (authorization) => {
    if (authorization === undefined || ignoresHeader) {
      if (allowAnonymous) return anonymous
      throw withoutCredential('no credential')
    }
    const credential = bearerOf(authorization)
    if (credential.startsWith(keyPrefix)) return callerOfKey(credential)
    if (tokens === null) throw invalidCredential('no issuer trusted')
    return tokens(credential)
  }

  function callerOfKey(key: string): Caller {
    const caller = keys?.()(key) ?? null
    if (caller === null) throw invalidCredential('unknown key')
    return caller
  }
}

/** RFC 6750 section 2.1. The scheme may be written in any case (RFC 9110 section 11.1). */
const bearer = /^Bearer +([\w.~+/-]+=*)$/i

/**
 * Returns the credential in the value of `Authorization`.
 * @throws AccessFailure `unauthenticated`
 */
export function bearerOf(authorization: string): string {
  const credential = bearer.exec(authorization)?.[1]
  if (credential !== undefined) return credential
  throw /^Bearer(?:\s|$)/i.test(authorization) ? invalidCredential('malformed') : withoutCredential('another scheme')
}

/** Returns the caller to which a key belongs; null when it belongs to no caller. */
export type CallerKeys = (key: string) => Caller | null

/**
 * Creates the table of all keys. Only a text in the form of a key is looked up, so an entry with the hash of a weak password
 * accepts no credential.
 */
export function createCallerKeys(entries: readonly CallerEntry[]): CallerKeys {
  // The time of a map lookup depends on the first digits of the stored hashes. A secret salt makes the hashes of guesses
  // random for the attacker, so these times reveal nothing about the keys or their number.
  const salt = randomBytes(32).toString('hex')
  const salted = (keySha256: string) => hash('sha256', salt + keySha256)

  const callers = new Map<string, Caller>()
  for (const { name, keySha256, profile, flows } of entries)
    callers.set(salted(keySha256), { name, kind: 'key', profile, flows })
  // Only the first request with a key pays for its hashes. The times of this map reveal no part of a key: V8 compares a presented
  // key only with one of the same hash, which is that of the whole key with a seed of the process. The keys stay in memory until
  // the file is read again; who can read it finds them in the headers of requests, too.
  const verified = new Map<string, Caller>()

  function verify(key: string): Caller | null {
    const caller = isKey(key) ? (callers.get(salted(keyHash(key))) ?? null) : null
    if (caller !== null) verified.set(key, caller)
    return caller
  }

  return (key) => verified.get(key) ?? verify(key)
}
