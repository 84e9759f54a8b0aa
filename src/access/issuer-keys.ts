import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from 'jose'
import { Failure, type FailureFacts } from '../failures/failure.ts'

export interface IssuerKeysOptions {
  /** Where the issuer publishes its keys, as a JSON Web Key Set (RFC 7517 section 5). */
  readonly jwksUrl: string
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** For tests; Node's own by default. */
  readonly fetch?: FetchImplementation
  /** For one question to the issuer, body included; 3000 by default. */
  readonly timeoutMs?: number
  /** Told each time the issuer could not be asked: known keys go on working, so no caller may notice. */
  readonly onOutage?: (failure: Failure) => void
}

/**
 * So often the issuer is asked, and for so long a verdict is remembered, in milliseconds: a key it has taken back is trusted
 * for no longer than both together, unless it cannot be asked.
 */
export const maxAgeMs = 10 * 60_000
/** Tokens naming keys that do not exist make us ask no more often than this. */
const cooldownMs = 30_000
/** For so long after it could not be asked it is not asked again, so that not every token waits for the deadline. */
const outageMs = 5000
const maxBytes = 1024 * 1024

/**
 * The issuer's public keys, asked for when first needed, when they are old and when a token names a new one.
 * The function it returns throws Failure `token_issuer_unavailable` for a key that is not known while the issuer cannot
 * be asked, and jose's errors for a key that does not exist or cannot be used.
 */
export function createIssuerKeys(options: IssuerKeysOptions): JWTVerifyGetKey {
  const { jwksUrl, elapsed, fetch = globalThis.fetch, timeoutMs = 3000, onOutage } = options
  let known = createLocalJWKSet({ keys: [] })
  /** Until it has been asked again with success. */
  let outage: { readonly facts: FailureFacts; readonly endsAt: number } | null = null

  const ask: FetchImplementation = async (url, init) => {
    if (outage !== null && elapsed() < outage.endsAt) throw unavailable(outage.facts)
    try {
      const text = await keySetText(await fetch(url, init))
      known = createLocalJWKSet(JSON.parse(text))
      outage = null
      return new Response(text)
    } catch (error) {
      // What else is thrown here speaks of addresses, or quotes what the issuer said.
      const failure = error instanceof Failure ? error : unavailable({ reason: reasonOf(error) })
      outage = { facts: failure.facts, endsAt: elapsed() + outageMs }
      onOutage?.(failure)
      throw failure
    }
  }

  const current = createRemoteJWKSet(new URL(jwksUrl), {
    cooldownDuration: cooldownMs,
    cacheMaxAge: maxAgeMs,
    timeoutDuration: timeoutMs,
    [customFetch]: ask,
  })

  return (header, token) => {
    const asked = current(header, token)
    if (outage !== null) {
      // Whether it is over is found out behind: only a token whose key is not known waits for that.
      asked.catch(ignore)
      return known(header, token).catch(() => asked)
    }
    return asked.catch((error) =>
      known(header, token).catch((reason) => {
        throw reason instanceof errors.JWKSNoMatchingKey ? error : reason
      }),
    )
  }
}

function unavailable(facts: FailureFacts): Failure {
  return new Failure('token_issuer_unavailable', { facts })
}

function reasonOf(error: unknown): string {
  return error instanceof SyntaxError || error instanceof errors.JWKSInvalid ? 'not a key set' : 'no answer'
}

/**
 * The body.
 * @throws Failure `token_issuer_unavailable` when the answer is an error, a redirect or too large
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

/** Whoever waits for it is told; nobody may. */
function ignore(): void {}
