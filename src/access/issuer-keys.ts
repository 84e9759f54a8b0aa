import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from 'jose'
import type { Clock } from '../common/clock.ts'
import { Failure, type FailureFacts } from '../failures/failure.ts'

export interface IssuerKeysOptions {
  /** Where the token issuer publishes its keys, as a JSON Web Key Set (RFC 7517 section 5). */
  readonly jwksUrl: string
  readonly clock: Pick<Clock, 'elapsed'>
  /** `fetch` of Node.js by default. */
  readonly fetch?: FetchImplementation
  /** The time limit of one request to the token issuer, including the body; 3000 by default. */
  readonly timeoutMs?: number
  /** Called each time a request to the token issuer fails. Keys that are cached stay in use, so callers may not notice. */
  readonly onOutage?: (failure: Failure) => void
}

export const defaultTimeoutMs = 3000
/**
 * How long fetched keys are used, and how long the verification of a token is cached, in milliseconds. A revoked key is
 * trusted for the sum of both at most, unless the token issuer is unavailable.
 */
export const maxAgeMs = 10 * 60_000
/** The shortest time between two fetches because of tokens that name an unknown key. */
const cooldownMs = 30_000
/** How long requests pause after one that failed, so that not every token waits for the timeout, in milliseconds. */
const outageMs = 5000
const maxBytes = 1024 * 1024

/**
 * Keeps the public keys of the token issuer. They are fetched when they are first needed, when they are old, and when a
 * token names an unknown key. The returned function throws Failure `token_issuer_unavailable` when a key is unknown and
 * the issuer is unavailable, and an error of jose when a key does not exist or cannot be used.
 */
export function createIssuerKeys(options: IssuerKeysOptions): JWTVerifyGetKey {
  const { jwksUrl, clock, fetch = globalThis.fetch, timeoutMs = defaultTimeoutMs, onOutage } = options
  let cached = createLocalJWKSet({ keys: [] })
  /** Null before the first request that fails, and after a request that succeeds. */
  let outage: { readonly facts: FailureFacts; readonly endsAt: number } | null = null

  const fetchKeys: FetchImplementation = async (url, init) => {
    if (outage !== null && clock.elapsed() < outage.endsAt) throw unavailable(outage.facts)
    try {
      const text = await keySetText(await fetch(url, init))
      cached = createLocalJWKSet(JSON.parse(text))
      outage = null
      return new Response(text)
    } catch (error) {
      const failure = issuerFailure(error, 'no answer')
      outage = { facts: failure.facts, endsAt: clock.elapsed() + outageMs }
      onOutage?.(failure)
      throw failure
    }
  }

  const current = createRemoteJWKSet(new URL(jwksUrl), {
    cooldownDuration: cooldownMs,
    cacheMaxAge: maxAgeMs,
    timeoutDuration: timeoutMs,
    [customFetch]: fetchKeys,
  })

  return (header, token) => {
    const currentKey = current(header, token)
    if (outage !== null) {
      // Only a token with an unknown key waits for the request that shows whether the outage is over. For any other token
      // its failure is handled here.
      currentKey.catch(() => {})
      return cached(header, token).catch(() => currentKey)
    }
    return currentKey.catch((error) =>
      cached(header, token).catch((reason) => {
        throw reason instanceof errors.JWKSNoMatchingKey ? error : reason
      }),
    )
  }
}

function unavailable(facts: FailureFacts): Failure {
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
 * Reads the body of a response.
 * @throws Failure `token_issuer_unavailable` when the response is an error, a redirect or too large
 */
export async function keySetText(response: Response): Promise<string> {
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
