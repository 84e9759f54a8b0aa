import { createAdaptiveTtl } from '../cache/adaptive-ttl.ts'
import type { Entry } from '../cache/entry.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import { createRecordPseudonym } from '../presentation/contact/pseudonyms.ts'
import type { ReportDrift } from '../upstream/document/drift.ts'
import type { HilosClient, HilosDemand } from '../upstream/hilos-client.ts'
import type { HilosBody } from '../upstream/transport/exchange.ts'
import type { Documents } from './documents.ts'
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
  demand: HilosDemand,
  previous: Entry<StoredContact> | undefined,
) => Promise<Entry<StoredContact>>

export interface LoadContactOptions {
  readonly config: Pick<Config, 'cache' | 'hilos' | 'disclosureKey'>
  readonly client: HilosClient
  readonly present: Documents['present']
  readonly drifted: ReportDrift
  /** How many replicas share the ration of calls. */
  readonly replicas: () => number
  readonly clock: Clock
}

export function createLoadContact(options: LoadContactOptions): LoadContact {
  const { config, client, present, drifted, replicas, clock } = options
  const { cache, hilos, disclosureKey } = config
  const adaptiveTtl = createAdaptiveTtl(() => hilos.maxCallsPerSecond / replicas(), clock)
  const pseudonymOf = createRecordPseudonym(disclosureKey)

  return async (id, demand, previous) => {
    const known = previous?.value ?? null
    const { content: value, ageMs } = await client.getExecutionContact(id, demand, (body, leftMs) =>
      storedContactOf(id, body, known, leftMs),
    )
    for (const { kind, path, count } of value?.drift ?? []) drifted(kind, path, count)
    const now = clock.now()
    const generatedAt = now - ageMs
    const given = { ageMs, scale: cache.lifetimeScale, ttlFactor: 1, random: clock.random() }
    const pace = value?.pace ?? null
    if (previous) {
      const { freshMs } = lifetimeOf(pace, now, given)
      adaptiveTtl.recordRefresh(generatedAt - previous.generatedAt, freshMs - ageMs)
    }
    const lifetime = lifetimeOf(pace, now, { ...given, ttlFactor: adaptiveTtl.factor() })
    return { value, bytes: value === null ? 0 : bytesOf(value), generatedAt, ...lifetime }
  }

  /** Most refreshes bring the same document: then nothing of it has to be decoded, read and presented again. */
  async function storedContactOf(id: string, body: HilosBody, known: StoredContact | null, leftMs: number) {
    if (known?.revision === body.revision) return known
    const document = await present({ bytes: await body.decoded(), id, tokens: body.tokens }, leftMs)
    return toStoredContact({ id, revision: body.revision, pseudonym: pseudonymOf(id) }, document, known)
  }
}
