import { createAdaptiveTtl } from '../cache/adaptive-ttl.ts'
import type { Entry } from '../cache/entry.ts'
import type { Demand } from '../cache/in-flight-loads.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import { presentExecutionContact } from '../presentation/contact/execution-contact.ts'
import { createContactRef } from '../presentation/contact/pseudonyms.ts'
import { identityOf } from '../presentation/redaction/identity.ts'
import { withoutUrlSecrets } from '../presentation/redaction/urls.ts'
import type { HilosClient } from '../upstream/hilos-client.ts'
import { lifetimeOf } from './lifetime.ts'
import { bytesOf, type StoredContact, toStoredContact } from './stored-contact.ts'

/**
 * Loads one contact from Hilos and presents it: the entry holds only fields that the presentation names.
 * @param id a UUID in lower case
 * @param previous the stored entry that the load refreshes; undefined if there is none, or if the caller may not know of it,
 *   because refreshes lengthen the lifetimes of all contacts
 * @throws Failure, one of the `upstream_` codes or `overloaded`
 */
export type LoadContact = (
  id: string,
  demand: Demand,
  previous: Entry<StoredContact> | undefined,
) => Promise<Entry<StoredContact>>

export function createLoadContact({ cache, contact, hilos }: Config, client: HilosClient, clock: Clock): LoadContact {
  const adaptiveTtl = createAdaptiveTtl(hilos.maxCallsPerSecond, clock)
  const presentationOptions = { refOf: createContactRef(contact.refKey), metaKeys: contact.metaKeys }

  return async (id, demand, previous) => {
    const { content: document, ageMs } = await client.getExecutionContact(id, demand)
    const now = clock.now()
    const presented = document && withoutUrlSecrets(presentExecutionContact(document, presentationOptions), document)
    const value = presented && toStoredContact(presented, identityOf(document), previous?.value ?? null)

    const generatedAt = now - ageMs
    const options = { ageMs, scale: cache.lifetimeScale, ttlFactor: 1, random: clock.random() }
    if (previous) {
      const { freshMs } = lifetimeOf(presented, now, options)
      adaptiveTtl.recordRefresh(generatedAt - previous.generatedAt, freshMs - ageMs)
    }
    const lifetime = lifetimeOf(presented, now, { ...options, ttlFactor: adaptiveTtl.factor() })
    return { value, bytes: value === null ? 0 : bytesOf(value), generatedAt, ...lifetime }
  }
}
