import { hash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../common/secret.ts'
import { invalidCredential, withoutCredential } from './access-failure.ts'
import { bearerOf } from './authentication.ts'

/**
 * Returns a function that throws AccessFailure `unauthenticated` unless the value of `Authorization` has this token. How long
 * it takes says nothing about the token.
 */
export function createAdminTokenCheck(token: Secret): (authorization: string | undefined) => void {
  const digestOf = (text: string) => hash('sha256', text, 'buffer')
  const expected = digestOf(token.reveal())
  return (authorization) => {
    if (authorization === undefined) throw withoutCredential('no credential')
    if (!timingSafeEqual(digestOf(bearerOf(authorization)), expected)) throw invalidCredential('unknown key')
  }
}
