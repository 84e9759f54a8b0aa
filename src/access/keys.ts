import { hash, randomBytes } from 'node:crypto'

/** Every key begins with this, so that people and secret scanners recognize keys. */
export const keyPrefix = 'hbff_'

const secretBytes = 32
/** 32 bytes in base64url (RFC 4648 section 5) are 43 characters. */
const keyPattern = /^hbff_[\w-]{43}$/

/** Creates a caller's key: `hbff_` and 32 random bytes in base64url. */
export function createKey(): string {
  return `${keyPrefix}${randomBytes(secretBytes).toString('base64url')}`
}

/** Whether the text has the form of a key, which does not mean that it belongs to a caller. */
export function isKey(text: string): boolean {
  return keyPattern.test(text)
}

/**
 * The hash of a key for the callers file: SHA-256 of the whole key as it is sent, in lower-case hexadecimal. A key has 256
 * random bits, so it cannot be guessed from a fast hash, and a slow hash would only make every request slow.
 */
export function keyHash(key: string): string {
  return hash('sha256', key)
}
