import type { ExecutionContact } from './execution-contact.ts'
import { earliestOf } from './instant.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** How long "there is none" is remembered. */
const absenceMs = 10 * second

/** Of the time since the last change that a running contact stays fresh (RFC 9111 section 4.2.2 suggests a tenth). */
const heuristicFraction = 0.1
const shortestRunningMs = 3 * second
const longestRunningMs = minute

/** What Hilos may take to act on a deadline. */
const deadlineGraceMs = second

/**
 * For how long the presentation of an execution contact is fresh, in whole milliseconds.
 * @param contact null for an absence
 * @param now milliseconds since 1970 UTC
 * @param scale multiplies every lifetime; 0 remembers nothing
 */
export function freshnessLifetimeMs(contact: ExecutionContact | null, now: number, scale: number): number {
  const lifetimeMs = scale * (contact === null ? absenceMs : unscaledMs(contact, now))
  const untilChangeMs = contact?.status === 'RUNNING' ? untilNextDeadlineMs(contact, now) + deadlineGraceMs : lifetimeMs
  return Math.round(Math.min(lifetimeMs, untilChangeMs))
}

function unscaledMs(contact: ExecutionContact, now: number): number {
  switch (contact.status) {
    case 'READY':
    case 'UNKNOWN':
      return 5 * second
    case 'RUNNING':
      return runningMs(contact, now)
    case 'PAUSED':
      return 15 * second
    case 'COMPLETED':
    case 'CANCELED':
    case 'EXPIRED':
    case 'FAILED':
      return endedMs(contact, now)
  }
}

function runningMs({ lastActivityAt }: ExecutionContact, now: number): number {
  const unchangedMs = lastActivityAt === null ? 0 : now - Date.parse(lastActivityAt)
  return Math.min(Math.max(heuristicFraction * unchangedMs, shortestRunningMs), longestRunningMs)
}

/** Infinite without one. One that is over, Hilos's moment to act on it included, says nothing about what comes next. */
function untilNextDeadlineMs({ steps }: ExecutionContact, now: number): number {
  const deadlines = steps.filter(isOpen).flatMap(({ expiresAt, delayUntil }) => [expiresAt, delayUntil])
  const distances = deadlines.flatMap((at) => (at === null ? [] : Date.parse(at) - now))
  return earliestOf(distances.filter((ms) => ms > -deadlineGraceMs)) ?? Number.POSITIVE_INFINITY
}

function isOpen({ status }: ExecutionContact['steps'][number]): boolean {
  return status === 'RUNNING' || status === 'WAITING_TO_START' || status === 'UNKNOWN'
}

/** Delivery ticks still arrive after the end, and contacts can be erased later: so longer and longer, but never for ever. */
function endedMs({ endedAt, lastActivityAt }: ExecutionContact, now: number): number {
  // The earlier version of Hilos's contract does not say when a run ended.
  const end = endedAt ?? lastActivityAt
  const sinceEnd = end === null ? 0 : now - Date.parse(end)
  if (sinceEnd < 15 * minute) return 30 * second
  if (sinceEnd < 24 * hour) return 10 * minute
  return hour
}
