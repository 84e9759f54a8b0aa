import type { Lifetime } from '../cache/entry.ts'
import type { ExecutionContact } from '../presentation/contact/execution-contact.ts'
import { earliestOf } from '../presentation/contact/instant.ts'
import { hasEnded } from '../presentation/contact/status.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

export interface LifetimeOptions {
  /** The age of the answer when it arrived, in milliseconds. */
  readonly ageMs: number
  /** Multiplies every lifetime and window; with 0 nothing is stored. */
  readonly scale: number
  /** The factor of the adaptive TTL, at least 1. It lengthens freshness lifetimes below a minute, to a minute at most. */
  readonly ttlFactor: number
  /** In [0, 1). It changes freshness by a tenth at most, so that contacts loaded together do not expire together. */
  readonly random: number
}

/** What the lifetime of an answer depends on. */
export interface Pace extends Pick<ExecutionContact, 'status' | 'endedAt' | 'lastActivityAt'> {
  /** The deadlines of the open steps of a running contact, in milliseconds since 1970 UTC. */
  readonly deadlines: readonly number[]
}

const lifetime = (freshMs: number, staleWhileRevalidateMs: number, staleIfErrorMs: number): Lifetime => ({
  freshMs,
  staleWhileRevalidateMs,
  staleIfErrorMs,
})

/** An absence has no stale windows: a new contact must appear soon, and an erased one must not come back. */
const absenceLifetime = lifetime(10 * second, 0, 0)

/** A running contact stays fresh for this part of the time since its last change (a tenth: RFC 9111 section 4.2.2). */
const heuristicFraction = 0.1
const shortestRunningMs = 3 * second
const longestRunningMs = minute

/** The time that Hilos needs to act on a deadline. */
const deadlineGraceMs = second

/** The adaptive TTL lengthens freshness to this at most. */
const longestAdaptedMs = minute
const jitterFraction = 0.1

export function paceOf({ status, endedAt, lastActivityAt, steps }: ExecutionContact): Pace {
  const open = status === 'RUNNING' ? steps.filter(isOpen) : []
  const deadlines = open.flatMap(({ expiresAt, delayUntil }) => [expiresAt, delayUntil])
  return { status, endedAt, lastActivityAt, deadlines: deadlines.flatMap((at) => (at === null ? [] : Date.parse(at))) }
}

function isOpen({ status }: ExecutionContact['steps'][number]): boolean {
  return status === 'RUNNING' || status === 'WAITING_TO_START' || status === 'UNKNOWN'
}

/**
 * How long an answer about an execution contact may be used, in whole milliseconds from when it was generated.
 * @param pace null for an absence
 * @param now when the answer arrived, in milliseconds since 1970 UTC
 */
export function lifetimeOf(pace: Pace | null, now: number, options: LifetimeOptions): Lifetime {
  const { ageMs, scale, ttlFactor, random } = options
  const { freshMs, staleWhileRevalidateMs, staleIfErrorMs } = pace ? contactLifetime(pace, now) : absenceLifetime
  const jitter = 1 - jitterFraction + 2 * jitterFraction * random
  const adapted = (ms: number) =>
    scale * jitter * (pace ? Math.max(ms, Math.min(ms * ttlFactor, longestAdaptedMs)) : ms)
  // Also an answer that was old when it arrived is fresh for a moment: asked again at once, Hilos would send the same.
  const arrivedMs = Math.max(adapted(freshMs) - ageMs, adapted(Math.min(freshMs, shortestRunningMs)))
  return {
    freshMs: Math.round(ageMs + Math.min(arrivedMs, untilNextDeadlineMs(pace, now) + deadlineGraceMs)),
    staleWhileRevalidateMs: Math.round(staleWhileRevalidateMs * scale),
    staleIfErrorMs: Math.round(staleIfErrorMs * scale),
  }
}

/** A watched contact is asked about at most this often. */
const shortestIntervalMs = second

/**
 * How long after an answer a watched contact should be asked about again, in milliseconds: when its freshness would end without
 * the adaptive TTL and the jitter, because watched contacts take turns.
 * @param scale as in the options of a lifetime; 0 counts as 1
 */
export function watchIntervalOf(pace: Pace | null, now: number, scale: number): number {
  const options = { ageMs: 0, scale: scale || 1, ttlFactor: 1, random: 0.5 }
  return Math.max(lifetimeOf(pace, now, options).freshMs, shortestIntervalMs)
}

/** Ticks of delivery still arrive for this long after the end of a run. */
const settleMs = 15 * minute

/**
 * When little is expected of a run any more, in milliseconds since 1970 UTC: some time after its end. Infinity while it goes on;
 * a run that ended at an unknown time is settled already.
 */
export function settledAt(pace: Pace): number {
  return hasEnded(pace.status) ? (endOf(pace) ?? Number.NEGATIVE_INFINITY) + settleMs : Number.POSITIVE_INFINITY
}

function contactLifetime(pace: Pace, now: number): Lifetime {
  switch (pace.status) {
    case 'READY':
      return lifetime(5 * second, 30 * second, 10 * minute)
    case 'RUNNING':
      return lifetime(runningMs(pace, now), 30 * second, 10 * minute)
    case 'PAUSED':
      return lifetime(15 * second, minute, 10 * minute)
    case 'COMPLETED':
    case 'CANCELED':
    case 'EXPIRED':
    case 'FAILED':
      return endedLifetime(pace, now)
    case 'UNKNOWN':
      return lifetime(5 * second, 15 * second, 10 * minute)
  }
}

function runningMs({ lastActivityAt }: Pace, now: number): number {
  const unchangedMs = lastActivityAt === null ? 0 : now - Date.parse(lastActivityAt)
  return Math.min(Math.max(heuristicFraction * unchangedMs, shortestRunningMs), longestRunningMs)
}

/** Infinity when there is no deadline ahead. A deadline counts until Hilos has had time to act on it. */
function untilNextDeadlineMs(pace: Pace | null, now: number): number {
  const distances = pace?.deadlines.map((at) => at - now) ?? []
  return earliestOf(distances.filter((ms) => ms > -deadlineGraceMs)) ?? Number.POSITIVE_INFINITY
}

/** The lifetime grows with the time since the end, but stays finite: delivery ticks still arrive, and contacts are erased. */
function endedLifetime(pace: Pace, now: number): Lifetime {
  const sinceEndMs = now - (endOf(pace) ?? now)
  if (sinceEndMs < settleMs) return lifetime(30 * second, 2 * minute, hour)
  if (sinceEndMs < day) return lifetime(10 * minute, hour, 6 * hour)
  return lifetime(hour, hour, day)
}

/** When an ended run ended, in milliseconds since 1970 UTC, or was last active: the earlier contract of Hilos does not say. */
function endOf({ endedAt, lastActivityAt }: Pace): number | null {
  const end = endedAt ?? lastActivityAt
  return end === null ? null : Date.parse(end)
}
