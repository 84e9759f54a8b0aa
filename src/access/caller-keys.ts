import { hash, randomBytes } from 'node:crypto'
import type { Caller } from './caller.ts'
import type { CallerEntry } from './caller-entry.ts'
import { isKey, keyHash } from './keys.ts'

/** The caller who holds this key; null when nobody does. */
export type CallerKeys = (key: string) => Caller | null

/** The table of all keys. Only what is written as a key is looked up: the hash of a word somebody made up lets nobody in. */
export function createCallerKeys(entries: readonly CallerEntry[]): CallerKeys {
  // A map finds its entry in a time that depends on how the stored hashes begin. Blinded by a salt nobody knows, those of
  // guesses are random to whoever guesses, so their times say nothing about a key, nor about how many there are.
  const salt = randomBytes(32).toString('hex')
  const blinded = (keySha256: string) => hash('sha256', salt + keySha256)

  const callers = new Map<string, Caller>()
  for (const { name, keySha256, profile, flows } of entries)
    callers.set(blinded(keySha256), { name, kind: 'key', profile, flows })
  return (key) => (isKey(key) ? (callers.get(blinded(keyHash(key))) ?? null) : null)
}
