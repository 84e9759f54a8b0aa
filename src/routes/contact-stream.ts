import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticate } from '../access/authentication.ts'
import { ageSeconds } from '../cache/cache-status.ts'
import type { News } from '../cache/entry.ts'
import type { Clock } from '../common/clock.ts'
import type { ContactQuery, ShownReading } from '../contacts/read-contact.ts'
import { staleWordOf } from '../contacts/stale-word.ts'
import type { StoredContact } from '../contacts/stored-contact.ts'
import {
  checkRights,
  isOverdue,
  type Represent,
  type WatchContact,
  watchedContactOf,
} from '../contacts/watched-contact.ts'
import { Failure } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import { presentProblem } from '../failures/problem.ts'
import { failureOf, pathOf } from '../plugins/problems.ts'
import type { RecordDisclosure } from '../plugins/request-log.ts'
import type { Place, Watcher } from '../plugins/streams.ts'
import { type Representation, tagOf } from '../presentation/views/view.ts'
import { EventStream, eventStart, eventText, retryText } from './event-stream.ts'

export interface ContactStreamOptions {
  readonly authenticate: Authenticate
  readonly represent: Represent
  readonly watch: WatchContact
  readonly recordDisclosure: RecordDisclosure
  /** Whether the log can take no further record of a disclosure. */
  readonly isLogFull: () => boolean
  /** Called for each state that is sent. */
  readonly onState: () => void
  /** Called at the end of a stream, with its duration in milliseconds. */
  readonly onEnd: (durationMs: number) => void
  /** The limits of a stream, in milliseconds. */
  readonly limits: Readonly<Record<'heartbeatMs' | 'stalledMs' | 'shortestLifetimeMs' | 'longestLifetimeMs', number>>
  readonly clock: Clock
}

/** One watcher's request, after its first read. */
export interface WatchRequest {
  readonly query: ContactQuery
  readonly reading: ShownReading
  readonly representation: Representation
  readonly place: Place
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** After these a watcher cannot go on. After any other failure it may come back at once. */
const finalCodes: readonly FailureCode[] = ['unauthenticated', 'forbidden', 'execution_contact_not_found']

/** A browser waits for about this long after a stream that was cut, and for this long after one that was closed. */
const retryMs = { usual: [2400, 3600], closed: [1000, 5000] } as const

/**
 * Follows a contact for one watcher. It sends whole states, each after the rights of the caller have been checked again, and
 * something else at least once per heartbeat.
 */
export function streamContact(options: ContactStreamOptions, watchRequest: WatchRequest): EventStream {
  const { authenticate, represent, watch, recordDisclosure, isLogFull, onState, onEnd, limits, clock } = options
  const { query, reading, representation, place, request, reply } = watchRequest
  const { id, view, profile } = query
  // A closure that uses `reading` would keep its document in memory as long as the stream is open.
  const { pseudonym } = reading
  const { authorization } = request.headers
  const body = new EventStream(clock.elapsed)
  const openedAt = clock.elapsed()
  const closesAt = openedAt + within([limits.shortestLifetimeMs, limits.longestLifetimeMs])

  let { caller } = query
  let contact = watchedContactOf(reading.entry)
  /** The tag of the last state that the reader has or will get. */
  let shown = request.headers['last-event-id']
  /** Why the contact is not fresh, as far as the last load says; null after one that succeeded. */
  let stale = reading.cache.use.detail
  let hasProblem = false
  /** When something was last sent, or waits to be. */
  let lastEventAt = openedAt
  let states = 0
  let newsHeard = 0
  let reason: string | null = null

  function within([least, most]: readonly [number, number]): number {
    return least + clock.random() * (most - least)
  }

  function offer(kind: string, write: () => string | readonly Buffer[]): void {
    lastEventAt = clock.elapsed()
    body.offer(kind, write)
  }

  /** @throws what `authenticate` throws */
  async function authenticateAgain(): Promise<ContactQuery> {
    caller = await authenticate(authorization)
    return { ...query, caller }
  }

  async function hear(news: News<StoredContact>): Promise<void> {
    if ('error' in news) return await hearError(news.error)
    newsHeard += 1
    const turn = newsHeard
    const current = await represent(await authenticateAgain(), news.entry)
    // While a large contact was rendered, a newer one may have come.
    if (turn !== newsHeard) return
    if (tagOf(current) !== shown && isLogFull()) throw new Failure('overloaded', { facts: { reason: 'log' } })
    contact = watchedContactOf(news.entry)
    stale = null
    hasProblem = false
    show(current)
  }

  async function hearError(error: unknown): Promise<void> {
    checkRights(await authenticateAgain(), contact)
    stale = staleWordOf(error) ?? 'origin-failed'
    if (hasProblem || stale === 'rationed') return
    hasProblem = true
    offer('problem', () => eventText('problem', problemOf(error)))
  }

  function show(current: Representation): void {
    const tag = tagOf(current)
    if (tag === shown) {
      showAge()
      return
    }
    shown = tag
    offer('state', () => {
      states += 1
      onState()
      recordDisclosure(request, reply, { kind: caller.kind, profile, view, contact: pseudonym, stream: true })
      return [Buffer.from(eventStart('state', tag)), current.body, Buffer.from('\n\n')]
    })
    endIfSettled()
  }

  function showAge(): void {
    offer('checked', () => {
      const now = clock.now()
      const word = stale ?? (isOverdue(contact, now, limits.stalledMs) ? 'rationed' : null)
      return eventText('checked', JSON.stringify({ age: ageSeconds(contact, now), stale: word }))
    })
    endIfSettled()
  }

  function endIfSettled(): void {
    if (contact.settledAt <= clock.now()) end('settled', eventText('end', '{"reason":"settled"}'))
  }

  function problemOf(error: unknown): string {
    return JSON.stringify(presentProblem(failureOf(error as FastifyError), pathOf(request.url), request.id))
  }

  function fail(error: unknown): void {
    const failure = failureOf(error as FastifyError)
    if (failure.code === 'internal_error') request.log.error({ err: failure }, 'stream failed')
    body.discard()
    // The rest of a large state is for a caller who may see it.
    if (body.isWithinEvent()) cut(failure.code)
    end(failure.code, finalCodes.includes(failure.code) ? eventText('end', problemOf(failure)) : '')
  }

  function end(why: string, lastEvent = ''): void {
    reason ??= why
    stop()
    body.finish(retryText(within(retryMs.closed)) + lastEvent)
  }

  function cut(why: string): void {
    reason ??= why
    reply.raw.destroy()
  }

  async function sendHeartbeat(): Promise<void> {
    lastEventAt = clock.elapsed()
    checkRights(await authenticateAgain(), contact)
    showAge()
  }

  const watcher: Watcher = {
    kind: 'stream',
    tick: () => {
      const now = clock.elapsed()
      if (body.stalledMs() >= limits.stalledMs) cut('stalled')
      if (now >= closesAt) end('lifetime')
      // Also after the end: a state may wait for a slow reader.
      if (now - lastEventAt >= limits.heartbeatMs) sendHeartbeat().catch(fail)
    },
    drain: (graceMs) => {
      end('shutdown')
      clock.schedule(() => cut('shutdown'), graceMs)
    },
  }

  body.once('close', () => {
    stop()
    place.leave()
    const durationMs = clock.elapsed() - openedAt
    onEnd(durationMs)
    const seconds = Math.round(durationMs / 100) / 10
    request.log.info({ caller: caller.name, states, seconds, reason: reason ?? 'left' }, 'stream ended')
  })
  request.log.info({ caller: caller.name, view, profile }, 'stream opened')
  const stop = watch(id, reading.entry, (news) => void hear(news).catch(fail))
  body.offer('retry', () => retryText(within(retryMs.usual)))
  show(representation)
  place.open(watcher)
  return body
}
