import { createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose'
import { algorithms } from './access-tokens.ts'
import { issuerFailure, type KeySetOptions, keySetText } from './issuer-keys.ts'

export type CountedKeys = Readonly<Awaited<ReturnType<typeof countIssuerKeys>>>

/**
 * Fetches the keys of the token issuer once. Counts those that it publishes, and those of them that can verify access tokens
 * of this service.
 * @throws Failure `token_issuer_unavailable`
 */
export async function countIssuerKeys(options: KeySetOptions) {
  try {
    const keySet: JSONWebKeySet = JSON.parse(await keySetText(options))
    // It throws when the whole document is not a key set.
    createLocalJWKSet(keySet)
    const usable = await Promise.all(keySet.keys.map(isUsable))
    return { published: usable.length, usable: usable.filter(Boolean).length }
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } }
    throw issuerFailure(error, cause?.code ?? name)
  }
}

/** Whether jose would use the key for a token that is signed with one of our algorithms. */
async function isUsable(key: JWK): Promise<boolean> {
  const find = createLocalJWKSet({ keys: [key] })
  const found = await Promise.allSettled(algorithms.map((alg) => find({ alg })))
  return found.some((each) => each.status === 'fulfilled' && isLongEnough(each.value))
}

/** jose checks the length of RSA keys only when it verifies a token (RFC 7518 section 3.3). */
function isLongEnough({ algorithm }: { readonly algorithm: object }): boolean {
  const { modulusLength = 2048 } = algorithm as { readonly modulusLength?: number }
  return modulusLength >= 2048
}
