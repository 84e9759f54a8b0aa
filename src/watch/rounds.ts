/** What the turn of a watched key depends on. The times are on the monotonic clock, in milliseconds. */
export interface Turn {
  /** How long after an answer the key should be asked about again, in milliseconds, above 0. */
  readonly wishedMs: number
  /** When the last load of the key ended, whether it brought an answer or failed. */
  readonly askedAt: number
  /** When the key should be asked about again. */
  readonly dueAt: number
}

/** How late a key is: 1 when its wished interval is over, 2 when it has waited for twice as long. */
export function latenessOf({ wishedMs, askedAt }: Turn, now: number): number {
  return (now - askedAt) / wishedMs
}

/**
 * Returns whose turn is next: the latest in proportion of those that are due, or else the one that is due first. When more is
 * watched than may be asked about, all keys become late in the same proportion.
 * @param waits false for a key that is being asked about
 */
export function nextTurn<T extends Turn>(turns: Iterable<T>, waits: (turn: T) => boolean, now: number): T | undefined {
  let next: T | undefined
  for (const turn of turns) if (waits(turn) && (!next || comesBefore(turn, next, now))) next = turn
  return next
}

function comesBefore(one: Turn, other: Turn, now: number): boolean {
  if (one.dueAt > now || other.dueAt > now) return one.dueAt < other.dueAt
  return latenessOf(one, now) > latenessOf(other, now)
}

/**
 * Returns when a key becomes due: at the wished time or, while another key is due less than a turn before or after, at the last
 * time before that is free. So keys that were asked about at the same moment are late only when there are too many of them.
 * Without a free time from `now` on, it is the wished time.
 * @param othersDueAt when the other keys are due
 * @param turnMs the shortest time between two turns
 */
export function dueTime(wishedAt: number, othersDueAt: readonly number[], turnMs: number, now: number): number {
  let freeAt = wishedAt
  const ahead = othersDueAt.filter((dueAt) => dueAt > now - turnMs)
  for (const dueAt of ahead.sort((one, other) => other - one)) {
    if (dueAt <= freeAt - turnMs) break
    if (dueAt < freeAt + turnMs) freeAt = dueAt - turnMs
  }
  return freeAt < now ? wishedAt : freeAt
}
