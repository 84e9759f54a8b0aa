import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../common/clock.ts'
import { Failure } from '../failures/failure.ts'

export interface KeySetOptions {
  /** Where the token issuer publishes its keys, as a JSON Web Key Set (RFC 7517 section 5). */
  readonly jwksUrl: string
  /** It decides whether a request goes through a proxy. That of Node.js asks a proxy for addresses of this machine, too. */
  readonly fetch: typeof fetch
  /** The time limit of one request to the token issuer, including the body; 3000 by default. */
  readonly timeoutMs?: number
}

export interface IssuerKeysOptions extends KeySetOptions {
  readonly clock: Pick<Clock, 'elapsed'>
  /** Called each time a request to the token issuer fails. Keys that are cached stay in use, so callers may not notice. */
  readonly onOutage?: (failure: Failure) => void
}

/** The public keys of the token issuer. */
export interface IssuerKeys {
  /**
   * Finds the key that a token names. It rejects with Failure `token_issuer_unavailable` when the key is unknown and the
   * issuer is unavailable, and with an error of jose when a key does not exist or cannot be used.
   */
  readonly find: JWTVerifyGetKey
  /** Asks the issuer for its keys, unless it was asked a moment ago. It never rejects. */
  readonly refresh: () => Promise<void>
  /** When the keys were fetched, in milliseconds of `elapsed`. */
  readonly fetchedAt: () => number
}

/**
 * How long fetched keys are used, and how long the verification of a token is cached, in milliseconds. A revoked key is
 * trusted for the sum of both at most, unless the token issuer is unavailable.
 */
export const maxAgeMs = 10 * 60_000
/** The shortest time between two requests to an issuer that answers, whatever tokens arrive. */
const cooldownMs = 2000
/** How long requests pause after one that failed, so that not every token waits for the timeout, in milliseconds. */
const outageMs = 5000
/** How long the issuer is not asked again about a key that it has just not published. */
const unknownKeyMs = 10_000
const maxUnknownKeys = 200
const maxBytes = 1024 * 1024

/**
 * Keeps the public keys of the token issuer. They are fetched when they are first needed, when they are old, and when a
 * token names an unknown key.
 */
export function createIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { clock, onOutage } = options
  let keys = createLocalJWKSet({ keys: [] })
  let [fetchedAt, askedAt] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  /** The failure of the last request; null before the first one, and after one that succeeds. */
  let outage: Failure | null = null
  let pending: Promise<void> | null = null
  /** When the issuer was found not to publish a key. The least recently named key is forgotten first. */
  const unknownSince = new LRUCache<string, number>({ max: maxUnknownKeys })

  async function ask(): Promise<void> {
    try {
      keys = createLocalJWKSet(JSON.parse(await keySetText(options)))
      fetchedAt = clock.elapsed()
      outage = null
    } catch (error) {
      outage = issuerFailure(error, 'no answer')
      onOutage?.(outage)
    }
    askedAt = clock.elapsed()
    pending = null
  }

  async function refresh(): Promise<void> {
    if (clock.elapsed() - askedAt >= (outage === null ? cooldownMs : outageMs)) pending ??= ask()
    await pending
  }

  const find: JWTVerifyGetKey = async (header, token) => {
    const fetchedBefore = fetchedAt
    const asked = clock.elapsed() - fetchedAt < maxAgeMs ? null : refresh()
    // During an outage, only a token with an unknown key waits for the request that shows whether the outage is over.
    if (outage === null) await asked
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    }
    const name = `${header.alg} ${header.kid}`
    const isRemembered = clock.elapsed() - (unknownSince.get(name) ?? Number.NEGATIVE_INFINITY) < unknownKeyMs
    if (!isRemembered) await refresh()
    return keys(header, token).catch((error) => {
      if (outage !== null) throw outage
      if (fetchedAt > fetchedBefore) unknownSince.set(name, clock.elapsed())
      throw error
    })
  }

  return { find, refresh, fetchedAt: () => fetchedAt }
}

function unavailable(facts: Failure['facts']): Failure {
  return new Failure('token_issuer_unavailable', { facts })
}

/**
 * The failure of a request to the token issuer. The messages of other errors are dropped, because they contain addresses
 * or quote the response.
 * @param otherReason the reason for an error that is neither a Failure nor about the content of the response
 */
export function issuerFailure(error: unknown, otherReason: string): Failure {
  if (error instanceof Failure) return error
  const isInvalid = error instanceof SyntaxError || error instanceof errors.JWKSInvalid
  return unavailable({ reason: isInvalid ? 'not a key set' : otherReason })
}

/**
 * Fetches the text of the key set.
 * @throws Failure `token_issuer_unavailable` when the response is an error, a redirect or too large, or an error of `fetch`
 */
export async function keySetText({ jwksUrl, fetch, timeoutMs = 3000 }: KeySetOptions): Promise<string> {
  const headers = { accept: 'application/json, application/jwk-set+json' }
  const response = await fetch(jwksUrl, { headers, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw unavailable({ reason: 'not 200', status: response.status })
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw unavailable({ reason: 'too large', maxBytes })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
