/** What is remembered under one key. Times are milliseconds since 1970 UTC, durations milliseconds. */
export interface Entry<V> {
  /** Null is an absence: the origin said that there is nothing under this key. */
  readonly value: V | null
  /** Memory the value takes. */
  readonly bytes: number
  /** When the origin answered. */
  readonly fetchedAt: number
  /** Freshness lifetime (RFC 9111 section 4.2.1); 0 is not remembered at all. */
  readonly freshMs: number
}

/** How long ago the origin answered. */
export function ageMs(entry: Entry<unknown>, now: number): number {
  return now - entry.fetchedAt
}

/** How much of the freshness lifetime is left; below zero since when the entry is stale. */
export function remainingMs(entry: Entry<unknown>, now: number): number {
  return entry.freshMs - ageMs(entry, now)
}

/** Fresh until, and not at, the end of its lifetime. An entry from the future is not fresh: the clock was set back, and its age is unknown. */
export function isFresh(entry: Entry<unknown>, now: number): boolean {
  return remainingMs(entry, now) > 0 && ageMs(entry, now) >= 0
}
