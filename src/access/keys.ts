import { hash, randomBytes } from 'node:crypto'

/** What every key begins with, so that people and secret scanners know one when they see one. */
export const keyPrefix = 'hbff_'

const secretBytes = 32
/** 32 bytes in base64url (RFC 4648 section 5) are 43 characters. */
const keyPattern = /^hbff_[\w-]{43}$/

/** A new caller's key: 32 random bytes, written `hbff_` and base64url. */
export function createKey(): string {
  return `${keyPrefix}${randomBytes(secretBytes).toString('base64url')}`
}

/** Whether the text is written as a key is; whether it opens anything is another question. */
export function isKey(text: string): boolean {
  return keyPattern.test(text)
}

/**
 * What the callers' file holds instead of the key: SHA-256 of the whole key as it is sent, in lower-case hexadecimal.
 * A key is 256 random bits, so nobody guesses it from its hash: a slow hash would only make every request slow.
 */
export function keyHash(key: string): string {
  return hash('sha256', key)
}
