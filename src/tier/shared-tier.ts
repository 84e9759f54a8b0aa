import { randomBytes } from 'node:crypto'
import { type Clock, sleep } from '../common/clock.ts'
import { version } from '../common/version.ts'
import type { CacheKeys } from '../config/cache-keys.ts'
import type { Config } from '../config/config.ts'
import type { SharedTierConfig } from '../config/shared-tier.ts'
import { packedForm } from '../contacts/packed-contact.ts'
import type { SecondTier } from '../contacts/second-tier.ts'
import { createRecordPseudonym } from '../presentation/contact/pseudonyms.ts'
import type { CreateRation } from '../upstream/calls/ration.ts'
import { createAttachment } from './attachment.ts'
import { createEnvelope } from './envelope.ts'
import { createEvents } from './events.ts'
import { createForgetting } from './forgetting.ts'
import { createNames } from './names.ts'
import type { SharedTierObserver } from './observer.ts'
import { createSealedEntries } from './sealed-entries.ts'
import { createSharedContacts } from './shared-contacts.ts'
import { createSharedRation } from './shared-ration.ts'
import { connectValkey } from './valkey.ts'

export interface SharedTierOptions {
  readonly config: Pick<Config, 'hilos' | 'cache' | 'contact' | 'disclosureKey'>
  readonly settings: SharedTierConfig
  /** The keys in use. */
  readonly cacheKeys: () => CacheKeys
  readonly observer: SharedTierObserver
  readonly clock: Clock
}

/** Puts the parts of the shared tier together. */
export function createSharedTier({ config, settings, cacheKeys, observer, clock }: SharedTierOptions) {
  const { hilos, cache, contact } = config
  const replica = randomBytes(9).toString('base64url')
  const envelope = createEnvelope(cacheKeys)
  const names = createNames(settings.cacheKeys.names)
  const events = createEvents(replica, envelope, observer)
  const attachment = createAttachment({
    keyPrefix: settings.keyPrefix,
    expectedReplicas: settings.expectedReplicas,
    connect: () => connectValkey({ server: settings.server, clock, limits: settings }),
    replica,
    events,
    observer,
    limits: settings,
    clock,
  })
  const { server } = attachment
  const forgetting = createForgetting({ server, names, events, observer, limits: settings, clock })
  const namespace = names.namespace([
    version,
    packedForm,
    JSON.stringify(contact.metaKeys),
    contact.refKey.fingerprint(),
    hilos.baseUrl,
  ])
  const pseudonymOf = createRecordPseudonym(config.disclosureKey)
  const entries = createSealedEntries({
    envelope,
    namespace,
    pseudonymOf,
    names,
    maxSkewMs: settings.maxSkewMs,
    observer,
    clock,
  })
  const contacts = createSharedContacts({
    server,
    names,
    entries,
    events,
    namespace,
    rememberGone: forgetting.rememberGone,
    timeoutMs: hilos.timeoutMs,
    failureTtlMs: () => cache.failureTtlMs * Math.min(cache.lifetimeScale, 1) * (1 + clock.random()),
    limits: settings,
    observer,
    clock,
  })
  const secondTier: SecondTier = {
    ...contacts,
    forget: forgetting.forget,
    replicas: server.replicas,
    listen: (listener) => {
      forgetting.listen(listener)
      contacts.listen(listener)
    },
  }
  const createRation: CreateRation = (listener) =>
    createSharedRation({ ...hilos, server, events, observer, limits: settings, clock }, listener)

  return {
    secondTier,
    createRation,
    status: attachment.status,
    /** Begins to attach, and waits for it, but not for long: without the server, this replica serves by itself. */
    start: () => Promise.race([attachment.start(), sleep(clock, settings.startMs)]),
    close: attachment.close,
  }
}
