import { randomBytes } from 'node:crypto'
import { ageMs, usableMs } from '../cache/entry.ts'
import type { Demand } from '../cache/in-flight-loads.ts'
import type { Cancel, Clock } from '../common/clock.ts'
import type { SharedTierLimits } from '../config/limits.ts'
import type { LoadedContact, SecondTier, SecondTierListener, SharedQuery } from '../contacts/second-tier.ts'
import type { StoredContact } from '../contacts/stored-contact.ts'
import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'
import { isAnswered, UpstreamFailure } from '../upstream/failures.ts'
import { createChanges } from './changes.ts'
import { contactKeys, fail, look, open, put, putAbsence, renew } from './contact-scripts.ts'
import type { Events } from './events.ts'
import { allReaders, type Names } from './names.ts'
import type { PutVerdict, SharedTierObserver } from './observer.ts'
import type { SealedEntries, SharedEntry } from './sealed-entries.ts'
import type { SharedServer, SharedServerError } from './shared-server.ts'

export interface SharedContactsOptions {
  readonly server: SharedServer
  readonly names: Names
  readonly entries: SealedEntries
  readonly events: Pick<Events, 'encode'>
  /** Replicas that present documents differently do not use each other's entries. */
  readonly namespace: string
  /** Called for a contact that does not exist, of which other replicas could not be told. */
  readonly rememberGone: (id: string) => void
  /** How long a replica waits for the load of another one, in milliseconds. */
  readonly timeoutMs: number
  /** How long a failure is remembered, in milliseconds. */
  readonly failureTtlMs: () => number
  readonly limits: Pick<SharedTierLimits, 'leaseMs' | 'renewMs' | 'followMs' | 'maxEntryBytes'>
  readonly observer: Pick<SharedTierObserver, 'read' | 'put' | 'tookOver'>
  readonly clock: Clock
}

type LoadHere = Parameters<SecondTier['load']>[2]

/** What the server says about a contact: see the script. */
interface Opened {
  readonly verdict: 'hit' | 'stale' | 'absent' | 'failed' | 'lead' | 'follow'
  readonly details: readonly string[]
  readonly entry: SharedEntry | null
  /** Whether there was an entry that does not open. */
  readonly isUnopened: boolean
}

/** An entry as the scripts reply it. It is empty for nothing. */
type StoredReply =
  | readonly [age: Buffer, parts: readonly Buffer[], bytes: Buffer | null]
  | readonly [undefined?, undefined?, undefined?]

type OpenReply = readonly [verdict: Buffer, details: readonly Buffer[], stored: StoredReply]

/** A load that this replica leads: no other one loads the contact for the same readers. */
interface Lease {
  readonly id: string
  readonly place: string
  readonly token: string
}

/** Contacts in the shared tier: one entry for all replicas, and one load at a time. */
export function createSharedContacts(options: SharedContactsOptions) {
  const { server, names, entries, events, namespace, rememberGone, timeoutMs, failureTtlMs, limits, observer, clock } =
    options
  const keysOf = (id: string) => contactKeys(server.key, names.contact(id))
  const changes = createChanges(server, clock)

  async function load(query: SharedQuery, demand: Demand<StoredContact>, loadHere: LoadHere): Promise<SharedEntry> {
    const lease = { id: query.id, place: names.place(query.flows), token: randomBytes(9).toString('base64url') }
    const endsAt = clock.elapsed() + timeoutMs
    const change = changes.begin(query.id)
    let ignoresEntry = false
    try {
      while (clock.elapsed() < endsAt) {
        change.reset()
        const opened = await openContact(query, lease, demand.maxAgeMs, ignoresEntry)
        if (opened === null) return await loadAlone(query.id, demand, loadHere)
        const { verdict, details, entry } = opened
        ignoresEntry ||= opened.isUnopened
        observer.read(verdict)
        if (verdict === 'absent') return absenceOf(Number(details[0]), Number(details[1]))
        if (verdict === 'hit' || verdict === 'stale') {
          // It is looked for again, as if there were none, when it does not open.
          if (entry === null) continue
          return entry
        }
        if (entry !== null) demand.offer(entry)
        if (verdict === 'failed') throw failureOf(details)
        if (verdict === 'lead') {
          if (details[0] === '1') observer.tookOver()
          return await lead(lease, demand, loadHere)
        }
        demand.markAskedElsewhere()
        await change.next(Math.min(Number(details[0]), limits.followMs, endsAt - clock.elapsed()))
      }
    } finally {
      change.end()
    }
    throw new UpstreamFailure('upstream_timeout', { facts: { reason: 'while another replica asked', timeoutMs } })
  }

  async function loadAlone(id: string, demand: Demand<StoredContact>, loadHere: LoadHere): Promise<SharedEntry> {
    observer.read('skipped')
    const { entry, isGone } = await loadHere(demand)
    if (isGone) rememberGone(id)
    return entry
  }

  /** Null while the tier does not answer. */
  async function openContact(
    { id, flows, known }: SharedQuery,
    { place, token }: Lease,
    maxAgeMs: number,
    ignoresEntry: boolean,
  ): Promise<Opened | null> {
    const knownAge = known === undefined ? -1 : ageOf(known)
    const maxAge = maxAgeMs === Number.POSITIVE_INFINITY ? -1 : maxAgeMs
    const flowNames = Array.from(flows ?? [], names.flow)
    const args = [place, token, limits.leaseMs, maxAge, knownAge, namespace, Number(ignoresEntry), ...flowNames]
    const reply = server.run(open, keysOf(id), args)
    return await reply.then((said) => openedOf(id, said as OpenReply, known)).catch(() => null)
  }

  function openedOf(id: string, [verdict, details, stored]: OpenReply, known: SharedEntry | undefined): Opened {
    const entry = openStored(id, stored, known)
    const isUnopened = stored.length > 0 && entry === null
    return { verdict: String(verdict) as Opened['verdict'], details: details.map(String), entry, isUnopened }
  }

  async function lead(lease: Lease, demand: Demand<StoredContact>, loadHere: LoadHere): Promise<SharedEntry> {
    const stopRenewing = keepLease(lease)
    return await loadLeased(lease, demand, loadHere).finally(stopRenewing)
  }

  async function loadLeased(lease: Lease, demand: Demand<StoredContact>, loadHere: LoadHere): Promise<SharedEntry> {
    try {
      const loaded = await loadHere(demand)
      const verdict = await share(lease, loaded)
      observer.put(verdict)
      if (loaded.isGone && (verdict === 'skipped' || verdict === 'full')) rememberGone(lease.id)
      // It was forgotten meanwhile, or another replica has loaded it after this one.
      if (verdict === 'lost' || verdict === 'older') demand.abandon()
      return loaded.entry
    } catch (failure) {
      await giveUp(lease, failure)
      throw failure
    }
  }

  function keepLease({ id, place, token }: Lease): Cancel {
    let cancel: Cancel
    const renewLater = () => {
      cancel = clock.schedule(() => {
        server.run(renew, keysOf(id), [place, token, limits.leaseMs]).catch(() => {})
        renewLater()
      }, limits.renewMs)
    }
    renewLater()
    return () => cancel()
  }

  async function share(lease: Lease, { entry, isGone }: LoadedContact): Promise<PutVerdict> {
    const { id, place, token } = lease
    const isForPlace = place !== allReaders && entry.value === null
    const [keys, age] = [keysOf(id), ageOf(entry)]
    const absent = isForPlace && !isGone ? '' : 'absent'
    const revision = entry.value === null ? absent : names.revision(entry.value.revision)
    const { parts, bytes } = entries.seal(id, entry)
    const isTooLarge = bytes.length > limits.maxEntryBytes
    if (usableMs(entry) <= age || isTooLarge) {
      await giveUp(lease, null, revision)
      return isTooLarge ? 'too_large' : 'skipped'
    }
    const event = events.encode({ kind: 'landed', id, revision })
    try {
      const stored = isForPlace
        ? server.run(putAbsence, keys, [place, token, age, entry.freshMs, Number(isGone), ...event])
        : server.run(put, keys, [place, token, namespace, age, ...parts, bytes, ...event])
      return String(await stored) as PutVerdict
    } catch (error) {
      if ((error as SharedServerError).problem !== 'full') return 'skipped'
      await giveUp(lease, null, revision)
      return 'full'
    }
  }

  /**
   * Ends a lease with nothing to share but, if it is that of Hilos, the failure.
   * @param revision that of a document which could not be stored: what the others have may be older
   */
  async function giveUp({ id, place, token }: Lease, failure: unknown, revision = ''): Promise<void> {
    const code = failure instanceof Failure && isAnswered(failure) ? failure.code : ''
    const isTransient = failure === null || failure instanceof UpstreamFailure
    const event = events.encode({ kind: 'landed', id, revision })
    const args = [place, token, code, Number(isTransient), Math.ceil(failureTtlMs()), ...event]
    await server.run(fail, keysOf(id), args).catch(() => {})
  }

  async function lookFor(id: string, known: SharedEntry): Promise<SharedEntry | null> {
    const reply = server.run(look, keysOf(id), [ageOf(known), namespace])
    return await reply.then((stored) => openStored(id, stored as StoredReply, known)).catch(() => null)
  }

  function openStored(
    id: string,
    [age, parts, bytes]: StoredReply,
    known: SharedEntry | undefined,
  ): SharedEntry | null {
    return bytes ? entries.open(id, { parts: parts.map(String), bytes }, Number(age), known) : null
  }

  function ageOf(entry: SharedEntry): number {
    return Math.max(0, Math.round(ageMs(entry, clock.now())))
  }

  function absenceOf(age: number, freshMs: number): SharedEntry {
    const generatedAt = clock.now() - age
    return { value: null, bytes: 0, generatedAt, freshMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  }

  return {
    load,
    look: lookFor,
    /** Hears what other replicas have loaded. */
    listen: ({ changed }: Pick<SecondTierListener, 'changed'>) =>
      server.onEvent((event) => {
        if (event.kind !== 'landed' || event.revision === '') return
        const isSame = (contact: StoredContact) => names.revision(contact.revision) === event.revision
        changed(event.id, isSame, event.revision === 'absent')
      }),
  }
}

/** The failure that another replica met, as far as it is known here. */
function failureOf([code = '', isTransient]: readonly string[]): Failure {
  const isKnown = code.startsWith('upstream_') && Object.hasOwn(failureKinds, code)
  const known = isKnown ? (code as FailureCode) : 'upstream_error'
  const facts = { facts: { reason: 'another replica met it' } }
  return isTransient === '1' ? new UpstreamFailure(known, facts) : new Failure(known, facts)
}
