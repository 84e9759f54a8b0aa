/** A watched key, as far as its turn depends on it. */
export interface Watched {
  /** How long after an answer it should be asked about again, in milliseconds, above 0. */
  readonly wishedMs: number
  /** When Hilos last answered about it, or the last try ended, on the monotonic clock. */
  readonly askedAt: number
  /** Whether it is being asked about. */
  readonly isUnderWay: boolean
}

/** How late a key is: 1 when it is just due, 2 when it has waited for twice its wished interval. */
export function latenessOf({ wishedMs, askedAt }: Watched, now: number): number {
  return (now - askedAt) / wishedMs
}

/**
 * Returns the key that is asked about next, and when: the latest in proportion if one is due, or else the one that is due first.
 * Under a budget, all keys are late in the same proportion then. Undefined if there is none but those under way.
 */
export function nextTurn<W extends Watched>(watched: Iterable<W>, now: number): { whose: W; at: number } | undefined {
  let [latest, first]: (W | undefined)[] = []
  for (const each of watched) {
    if (each.isUnderWay) continue
    if (!latest || latenessOf(each, now) > latenessOf(latest, now)) latest = each
    if (!first || dueAt(each) < dueAt(first)) first = each
  }
  if (!latest || !first) return undefined
  return latenessOf(latest, now) >= 1 ? { whose: latest, at: now } : { whose: first, at: dueAt(first) }
}

function dueAt({ askedAt, wishedMs }: Watched): number {
  return askedAt + wishedMs
}
