/** For how long an answer may be used, in milliseconds from when the origin gave it. */
export interface Lifetime {
  /** Freshness lifetime (RFC 9111 section 4.2.1); 0 is not remembered at all. */
  readonly freshMs: number
  /** For how long after that it may be served while it is refreshed behind (RFC 5861 section 3); 0 is never. */
  readonly staleWhileRevalidateMs: number
  /** For how long after freshness it may be served when the origin fails (RFC 5861 section 4); 0 is never. */
  readonly staleIfErrorMs: number
}

/** What is remembered under one key. Times are milliseconds since 1970 UTC, durations milliseconds. */
export interface Entry<V> extends Lifetime {
  /** Null is an absence: the origin said that there is nothing under this key. */
  readonly value: V | null
  /** Memory the value takes. */
  readonly bytes: number
  /** When the origin answered. */
  readonly fetchedAt: number
}

/** What an entry may be used for: anything; at once, with a refresh behind; when the origin fails or is slow; nothing. */
export type Usability = 'fresh' | 'stale-while-revalidate' | 'stale-if-error' | 'over'

/** How long ago the origin answered. */
export function ageMs(entry: Entry<unknown>, now: number): number {
  return now - entry.fetchedAt
}

/** What is left of freshness; when negative, for how long the entry has been stale. */
export function remainingMs(entry: Entry<unknown>, now: number): number {
  return entry.freshMs - ageMs(entry, now)
}

/** Each window lasts until, and not at, its end. An entry from the future is over: the clock was set back, and its age is unknown. */
export function usabilityOf(entry: Entry<unknown>, now: number): Usability {
  const staleMs = -remainingMs(entry, now)
  if (ageMs(entry, now) < 0) return 'over'
  if (staleMs < 0) return 'fresh'
  if (staleMs < entry.staleWhileRevalidateMs) return 'stale-while-revalidate'
  if (staleMs < entry.staleIfErrorMs) return 'stale-if-error'
  return 'over'
}

/** From when the origin answered until the entry can no longer be used for anything. */
export function usableMs({ freshMs, staleWhileRevalidateMs, staleIfErrorMs }: Lifetime): number {
  return freshMs > 0 ? freshMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs) : 0
}

/** The same entry, to be used only as long as it is fresh. */
export function freshOnly<V>(entry: Entry<V>): Entry<V> {
  return { ...entry, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
}
