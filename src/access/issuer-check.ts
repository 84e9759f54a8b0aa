import { createLocalJWKSet, errors, type FetchImplementation, type JSONWebKeySet, type JWK } from 'jose'
import { Failure } from '../failures/failure.ts'
import { algorithms } from './access-tokens.ts'
import { keySetText } from './issuer-keys.ts'

export interface IssuerCheckOptions {
  readonly jwksUrl: string
  /** For tests; Node's own by default. */
  readonly fetch?: FetchImplementation
  /** For the whole question, body included; 3000 by default, as when tokens are checked. */
  readonly timeoutMs?: number
}

export interface CountedKeys {
  /** All that the issuer publishes. */
  readonly published: number
  /** Those that access tokens of this service can be signed with. */
  readonly usable: number
}

/**
 * Asks the issuer of access tokens for its keys once, and counts them.
 * @throws Failure `token_issuer_unavailable`
 */
export async function countIssuerKeys(options: IssuerCheckOptions): Promise<CountedKeys> {
  const { jwksUrl, fetch = globalThis.fetch, timeoutMs = 3000 } = options
  try {
    const headers = new Headers({ accept: 'application/json, application/jwk-set+json' })
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(jwksUrl, { method: 'GET', headers, redirect: 'manual', signal })
    const keySet: JSONWebKeySet = JSON.parse(await keySetText(response))
    // It throws for what is no key set, as a whole.
    createLocalJWKSet(keySet)
    const usable = await Promise.all(keySet.keys.map(isUsable))
    return { published: usable.length, usable: usable.filter(Boolean).length }
  } catch (error) {
    throw error instanceof Failure
      ? error
      : new Failure('token_issuer_unavailable', { facts: { reason: reasonOf(error) } })
  }
}

/** Whether jose finds it and takes it for one of our algorithms: the same question that a token asks. */
async function isUsable(key: JWK): Promise<boolean> {
  const find = createLocalJWKSet({ keys: [key] })
  const found = await Promise.allSettled(algorithms.map((alg) => find({ alg })))
  return found.some((each) => each.status === 'fulfilled' && isLongEnough(each.value))
}

/** Of RSA keys, jose says so only when a token is verified (RFC 7518 section 3.3). */
function isLongEnough({ algorithm }: { readonly algorithm: object }): boolean {
  const { modulusLength = 2048 } = algorithm as { readonly modulusLength?: number }
  return modulusLength >= 2048
}

/** Codes and names are the libraries'; their messages may quote what the issuer said. */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError || error instanceof errors.JWKSInvalid) return 'not a key set'
  const { name, cause } = error as Error & { cause?: { code?: string } }
  return cause?.code ?? name
}
