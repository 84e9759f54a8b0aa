import { createHmac, hash } from 'node:crypto'
import type { Secret } from '../../common/secret.ts'

/** Returns the pseudonym of a contact. */
export type ContactRef = (contactId: string) => string

/**
 * Pseudonyms are `ct_` and 8 characters of Crockford's base 32: the first 40 bits of an HMAC-SHA-256 of the contact's id.
 * @param key with it, a guessed id can be checked against a pseudonym
 */
export function createContactRef(key: Secret): ContactRef {
  return (contactId) => {
    const digest = createHmac('sha256', key.reveal()).update(contactId).digest()
    return `ct_${base32(digest, 5)}`
  }
}

/**
 * Returns the pseudonym of a contact in the record of disclosure: the first half of HMAC-SHA-256(key, id) in hexadecimal.
 * With the key the lines about an id can be found, but not the id of a line.
 */
export function createRecordPseudonym(key: Secret): ContactRef {
  return (contactId) => createHmac('sha256', key.reveal()).update(contactId).digest('hex').slice(0, 32)
}

/**
 * Returns the pseudonym of an id, which is the same wherever the id stands in the documents of one contact, and another for
 * another contact.
 * @param scope what is the same for all documents of the contact
 */
export type IdPseudonym = (scope: string, id: string) => string

/**
 * Pseudonyms are `id_` and 16 characters of Crockford's base 32: the first 80 bits of SHA-512/256 of key, scope and id. A
 * document can have thousands of ids, and this takes a quarter of the time of an HMAC. It is as good a secret here: more
 * cannot be appended to a digest that is cut off.
 */
export function createIdPseudonym(key: Secret): IdPseudonym {
  return (scope, id) => `id_${base32(hash('sha512-256', `${key.reveal()} ${scope} ${id}`, 'buffer'), 10)}`
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** @param bytes how many bytes of the digest are written; a multiple of 5, because 5 bytes are 8 characters */
function base32(digest: Buffer, bytes: number): string {
  let [text, bits, value] = ['', 0, 0]
  for (let index = 0; index < bytes; index += 1) {
    value = ((value << 8) | (digest[index] as number)) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet.charAt((value >>> (bits - 5)) & 31)
  }
  return text
}
