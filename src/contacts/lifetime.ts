import type { ExecutionContact } from '../presentation/contact/execution-contact.ts'
import { earliestOf } from '../presentation/contact/instant.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** For how long a presentation may be used, in whole milliseconds. */
export interface Lifetime {
  /** From when Hilos answered. */
  readonly freshMs: number
  /** From the end of freshness, while it is refreshed behind. */
  readonly staleWhileRevalidateMs: number
  /** From the end of freshness, when Hilos fails or is slow. */
  readonly staleIfErrorMs: number
}

export interface LifetimeOptions {
  /** Multiplies every lifetime and window; 0 remembers nothing. */
  readonly scale: number
  /** Multiplies the freshness of contacts, up to a minute, when more are watched than may be asked about; at least 1. */
  readonly stretch: number
  /** From 0 to, and not, 1; moves freshness by a tenth at most, so that what was loaded together does not expire together. */
  readonly random: number
}

const lifetime = (freshMs: number, staleWhileRevalidateMs: number, staleIfErrorMs: number): Lifetime => ({
  freshMs,
  staleWhileRevalidateMs,
  staleIfErrorMs,
})

/** "There is none" has no stale windows: what appears meanwhile must not wait, and what was erased must not come back. */
const absenceLifetime = lifetime(10 * second, 0, 0)

/** Of the time since the last change that a running contact stays fresh (RFC 9111 section 4.2.2 suggests a tenth). */
const heuristicFraction = 0.1
const shortestRunningMs = 3 * second
const longestRunningMs = minute

/** What Hilos may take to act on a deadline. */
const deadlineGraceMs = second

/** The furthest that stretching goes. */
const longestStretchedMs = minute
const jitterFraction = 0.1

/**
 * For how long the presentation of an execution contact may be used.
 * @param contact null for an absence
 * @param now milliseconds since 1970 UTC
 */
export function lifetimeOf(contact: ExecutionContact | null, now: number, options: LifetimeOptions): Lifetime {
  const { scale, stretch, random } = options
  const { freshMs, staleWhileRevalidateMs, staleIfErrorMs } = contact ? contactLifetime(contact, now) : absenceLifetime
  const stretchedMs = contact ? Math.max(freshMs, Math.min(freshMs * stretch, longestStretchedMs)) : freshMs
  const jitter = 1 - jitterFraction + 2 * jitterFraction * random
  return {
    freshMs: Math.round(Math.min(stretchedMs * scale * jitter, untilNextDeadlineMs(contact, now) + deadlineGraceMs)),
    staleWhileRevalidateMs: Math.round(staleWhileRevalidateMs * scale),
    staleIfErrorMs: Math.round(staleIfErrorMs * scale),
  }
}

function contactLifetime(contact: ExecutionContact, now: number): Lifetime {
  switch (contact.status) {
    case 'READY':
      return lifetime(5 * second, 30 * second, 10 * minute)
    case 'RUNNING':
      return lifetime(runningMs(contact, now), 30 * second, 10 * minute)
    case 'PAUSED':
      return lifetime(15 * second, minute, 10 * minute)
    case 'COMPLETED':
    case 'CANCELED':
    case 'EXPIRED':
    case 'FAILED':
      return endedLifetime(contact, now)
    case 'UNKNOWN':
      return lifetime(5 * second, 15 * second, 10 * minute)
  }
}

function runningMs({ lastActivityAt }: ExecutionContact, now: number): number {
  const unchangedMs = lastActivityAt === null ? 0 : now - Date.parse(lastActivityAt)
  return Math.min(Math.max(heuristicFraction * unchangedMs, shortestRunningMs), longestRunningMs)
}

/** Infinite without one, and for what is not running. One that is over, Hilos's moment to act on it included, says nothing about what comes next. */
function untilNextDeadlineMs(contact: ExecutionContact | null, now: number): number {
  const steps = contact?.status === 'RUNNING' ? contact.steps.filter(isOpen) : []
  const deadlines = steps.flatMap(({ expiresAt, delayUntil }) => [expiresAt, delayUntil])
  const distances = deadlines.flatMap((at) => (at === null ? [] : Date.parse(at) - now))
  return earliestOf(distances.filter((ms) => ms > -deadlineGraceMs)) ?? Number.POSITIVE_INFINITY
}

function isOpen({ status }: ExecutionContact['steps'][number]): boolean {
  return status === 'RUNNING' || status === 'WAITING_TO_START' || status === 'UNKNOWN'
}

/** Delivery ticks still arrive after the end, and contacts can be erased later: so longer and longer, but never for ever. */
function endedLifetime({ endedAt, lastActivityAt }: ExecutionContact, now: number): Lifetime {
  // The earlier version of Hilos's contract does not say when a run ended.
  const end = endedAt ?? lastActivityAt
  const sinceEndMs = end === null ? 0 : now - Date.parse(end)
  if (sinceEndMs < 15 * minute) return lifetime(30 * second, 2 * minute, hour)
  if (sinceEndMs < day) return lifetime(10 * minute, hour, 6 * hour)
  return lifetime(hour, hour, day)
}
