import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { CacheKeys } from '../config/cache-keys.ts'

const version = 1
const nonceBytes = 12
const tagBytes = 16
const headBytes = 2 + nonceBytes + tagBytes

/** Seals what is stored on the server. */
export interface Envelope {
  /** @param boundTo what it belongs to: it opens for nothing else */
  readonly seal: (plain: Buffer, boundTo: string) => Buffer
  /** Null for what does not open: it was changed, is sealed with an unknown key, or belongs to something else. */
  readonly open: (sealed: Buffer, boundTo: string) => Buffer | null
}

/**
 * AES-256-GCM. What is sealed has the form: version (one byte), id of the key (one byte), nonce (12), tag (16), ciphertext.
 * @param keys those in use: the first one seals, all open
 */
export function createEnvelope(keys: () => CacheKeys): Envelope {
  const prepared = new WeakMap<CacheKeys, ReadonlyMap<number, KeyObject>>()

  function prepare(): ReadonlyMap<number, KeyObject> {
    const current = keys()
    const known = prepared.get(current)
    if (known !== undefined) return known
    const made = new Map(current.seal.map(({ id, key }) => [id, createSecretKey(key.reveal(), 'base64')]))
    prepared.set(current, made)
    return made
  }

  return {
    seal: (plain, boundTo) => {
      const [[id, key]] = [...prepare()] as [[number, KeyObject]]
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(boundTo))
      const sealed = [cipher.update(plain), cipher.final()]
      return Buffer.concat([Buffer.of(version, id), nonce, cipher.getAuthTag(), ...sealed])
    },
    open: (sealed, boundTo) => {
      const key = prepare().get(sealed[1] ?? -1)
      if (key === undefined || sealed[0] !== version || sealed.length < headBytes) return null
      const nonce = sealed.subarray(2, 2 + nonceBytes)
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(boundTo)).setAuthTag(sealed.subarray(2 + nonceBytes, headBytes))
      try {
        return Buffer.concat([decipher.update(sealed.subarray(headBytes)), decipher.final()])
      } catch {
        return null
      }
    },
  }
}
