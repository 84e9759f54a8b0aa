import { createHmac, createSecretKey } from 'node:crypto'
import type { Secret } from '../common/secret.ts'

export type Names = Readonly<ReturnType<typeof createNames>>

/** The place of the readers who may see every flow. */
export const allReaders = '*'

/**
 * What contacts, flows, documents and readers are called on the server: keyed hashes, from which they cannot be found without the
 * key, not even by trying.
 * @param key 32 bytes in base64
 */
export function createNames(key: Secret) {
  const secret = createSecretKey(key.reveal(), 'base64')
  const nameOf = (use: string, text: string, length = 22) =>
    createHmac('sha256', secret).update(`${use} ${text}`).digest('base64url').slice(0, length)
  const places = new WeakMap<ReadonlySet<string>, string>()

  return {
    /** @param id a UUID in lower case */
    contact: (id: string) => nameOf('contact', id),
    /** @param flowId null where Hilos names no flow */
    flow: (flowId: string | null) => nameOf('flow', JSON.stringify(flowId)),
    /** @param revision that of a document, as Hilos sent it */
    revision: (revision: string) => nameOf('revision', revision, 16),
    /** Readers who may see the same flows share a place. @param flows null for all */
    place: (flows: ReadonlySet<string> | null) => {
      if (flows === null) return allReaders
      const place = places.get(flows) ?? nameOf('place', JSON.stringify([...flows].sort()))
      places.set(flows, place)
      return place
    },
    /** Differs whenever one of the texts does. */
    namespace: (texts: readonly string[]) => nameOf('namespace', JSON.stringify(texts), 8),
  }
}
