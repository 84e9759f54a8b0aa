/** How long an answer may be used, in milliseconds. */
export interface Lifetime {
  /** Freshness lifetime since the origin generated the answer (RFC 9111 section 4.2.1); 0 means not stored. */
  readonly freshMs: number
  /** How long after that it may be served while it is refreshed in the background (RFC 5861 section 3); 0 for never. */
  readonly staleWhileRevalidateMs: number
  /** How long after freshness it may be served when the origin fails or is slow (RFC 5861 section 4); 0 for never. */
  readonly staleIfErrorMs: number
}

/** A cache entry. */
export interface Entry<V> extends Lifetime {
  /** Null is an absence: the origin has nothing under this key. */
  readonly value: V | null
  /** Memory that the value takes, in bytes. */
  readonly bytes: number
  /** When the origin generated the answer, by the age that it had when it arrived, in milliseconds since 1970 UTC. */
  readonly generatedAt: number
}

/** What a load brought: an entry, which may be an absence, or the error of the load. */
export type News<V> = { readonly entry: Entry<V> } | { readonly error: unknown }

/** The window of its lifetime that an entry is in. */
export type Usability = 'fresh' | 'stale-while-revalidate' | 'stale-if-error' | 'expired'

/** Milliseconds since the origin generated the answer. */
export function ageMs(entry: Pick<Entry<unknown>, 'generatedAt'>, now: number): number {
  return now - entry.generatedAt
}

/** Milliseconds of freshness that are left. A negative value says for how long the entry has been stale. */
export function remainingMs(entry: Entry<unknown>, now: number): number {
  return entry.freshMs - ageMs(entry, now)
}

/**
 * The window that the entry is in. The end of a window is not part of it. An entry from the future counts as expired:
 * the clock was set back, so its age is unknown.
 */
export function usabilityOf(entry: Entry<unknown>, now: number): Usability {
  const staleMs = -remainingMs(entry, now)
  if (ageMs(entry, now) < 0) return 'expired'
  if (staleMs < 0) return 'fresh'
  if (staleMs < entry.staleWhileRevalidateMs) return 'stale-while-revalidate'
  if (staleMs < entry.staleIfErrorMs) return 'stale-if-error'
  return 'expired'
}

/** Milliseconds from when the origin generated the answer to the end of the last window. */
export function usableMs({ freshMs, staleWhileRevalidateMs, staleIfErrorMs }: Lifetime): number {
  return freshMs > 0 ? freshMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs) : 0
}

/** The same entry without its stale windows. */
export function freshOnly<V>(entry: Entry<V>): Entry<V> {
  return { ...entry, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
}

/** The same entry as one that may be served only when the origin fails or is slow, until the end of its last window. */
export function errorOnly<V>(entry: Entry<V>, now: number): Entry<V> {
  const freshMs = Math.max(1, Math.min(ageMs(entry, now), entry.freshMs))
  return { ...entry, freshMs, staleWhileRevalidateMs: 0, staleIfErrorMs: usableMs(entry) - freshMs }
}
