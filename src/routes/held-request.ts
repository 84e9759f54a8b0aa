import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticate } from '../access/authentication.ts'
import { matchesIfNoneMatch } from '../cache/cache-status.ts'
import type { Entry, News } from '../cache/entry.ts'
import { demandsNothing } from '../cache/request-directives.ts'
import type { Clock } from '../common/clock.ts'
import type { ContactQuery, ReadContact } from '../contacts/read-contact.ts'
import type { StoredContact } from '../contacts/stored-contact.ts'
import { type Represent, type WatchContact, watchedContactOf } from '../contacts/watched-contact.ts'
import { variesOn } from '../plugins/negotiation.ts'
import type { Streams } from '../plugins/streams.ts'
import { waitSecondsOf } from './preferences.ts'

export interface HeldRequestOptions {
  readonly readContact: ReadContact
  readonly represent: Represent
  readonly watch: WatchContact
  readonly authenticate: Authenticate
  readonly streams: Pick<Streams, 'takeIfFree'>
  /** The longest time for which a request is held, in milliseconds. */
  readonly longestWaitMs: number
  /** Called with each response that is held, and for how long at most, in milliseconds. */
  readonly onHold: (reply: FastifyReply, ms: number) => void
  readonly clock: Pick<Clock, 'now' | 'schedule'>
}

/**
 * Holds a request that prefers to wait for a change (`Prefer: wait`, RFC 7240 section 4.3). It resolves when the request should
 * be answered, as any other is, and rejects with a failure of the first read, or of the caller's credential, which is checked
 * again. It returns null for a request that is not held: without `If-None-Match` there is nothing to wait for, and one that
 * demands something of the cache wants its answer now.
 */
export type HoldRequest = (request: FastifyRequest, reply: FastifyReply, query: ContactQuery) => Promise<void> | null

export function createHoldRequest(options: HeldRequestOptions): HoldRequest {
  const { readContact, represent, watch, authenticate, streams, longestWaitMs, onHold, clock } = options

  return (request, reply, query) => {
    const { prefer, 'if-none-match': known = '*', authorization } = request.headers
    const seconds = waitSecondsOf(String(prefer), longestWaitMs / 1000)
    const isHeld = seconds > 0 && request.method === 'GET' && known.trim() !== '*' && demandsNothing(query.directives)
    const place = isHeld ? streams.takeIfFree(query.askedBy) : null
    if (place === null) return null
    reply.header('preference-applied', `wait=${seconds}`).header('vary', variesOn(reply.getHeader('vary'), 'Prefer'))
    return untilChange().finally(place.leave)

    async function untilChange(): Promise<void> {
      const reading = await readContact(query)
      if (reading.representation === null) return
      const { etag } = await reading.representation
      const ms = Math.min(seconds * 1000, watchedContactOf(reading.entry).settledAt - clock.now())
      if (ms <= 0 || reply.raw.destroyed || !matchesIfNoneMatch(known, etag)) return
      onHold(reply, ms)
      await change(reading.entry, ms)
      request.caller = await authenticate(authorization)
    }

    /** Resolves at a change, when the time is over, or when the caller or the service leaves. */
    async function change(entry: Entry<StoredContact>, ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = watch(query.id, entry, (news) =>
        // What cannot be shown, such as a run that moved out of sight, is for the answer to tell.
        hasChanged(news).then((is) => is && resolve(), resolve),
      )
      const cancel = clock.schedule(resolve, ms)
      reply.raw.once('close', resolve)
      place?.open({ kind: 'poll', drain: () => resolve() })
      await promise
      cancel()
      stop()
    }

    async function hasChanged(news: News<StoredContact>): Promise<boolean> {
      if ('error' in news) return false
      const { etag } = await represent(query, news.entry)
      return !matchesIfNoneMatch(known, etag)
    }
  }
}
