import type { HilosDocument, HilosMessage, HilosStepExecution } from '../../upstream/document/hilos-document.ts'

/**
 * The steps of a document in the order of their times, with their messages in the order of theirs. A message that a step
 * lists twice is there once. A message is deleted if Hilos says so in any way, in any place that lists it.
 */
export function stepsInOrder({ execution_steps }: HilosDocument): HilosStepExecution[] {
  const messages = execution_steps.flatMap((step) => step.messages)
  const deletedIds = new Set(messages.filter(isDeleted).flatMap(({ id }) => id ?? []))
  const isGone = (message: HilosMessage) => isDeleted(message) || (message.id !== null && deletedIds.has(message.id))
  // Messages of one second do not tell in which order they are, but those of other steps do.
  const usually = execution_steps.some((step) => isNewestFirst(step.messages, timestamp))
    ? 'newest first'
    : 'oldest first'
  return inOrder(execution_steps, ({ created_on }) => created_on).map((step) => ({
    ...step,
    messages: inOrder(withoutRepeats(step.messages, messageId), timestamp, usually).map((message) =>
      isGone(message) ? { ...message, is_deleted: true } : message,
    ),
  }))
}

const timestamp = (message: HilosMessage) => message.timestamp
const messageId = ({ id }: HilosMessage) => id
const isDeleted = ({ is_deleted, status }: HilosMessage) => is_deleted || status?.toLowerCase() === 'deleted'

/** The first of the elements with the same id, and all elements without one. */
export function withoutRepeats<T>(list: readonly T[], idOf: (element: T) => string | null): T[] {
  const seen = new Set<string>()
  return list.filter((element) => {
    const id = idOf(element)
    const isFirst = id === null || !seen.has(id)
    if (id !== null) seen.add(id)
    return isFirst
  })
}

type TimeOf<T> = (element: T) => number | null

/**
 * The order of Hilos, which lists either the oldest or the newest first, and then the order of the times.
 * @param usually the order of a list whose elements are all of one second
 */
export function inOrder<T>(
  list: readonly T[],
  timeOf: TimeOf<T>,
  usually: 'oldest first' | 'newest first' = 'oldest first',
): T[] {
  const isReversed = isNewestFirst(list, timeOf) || (usually === 'newest first' && isOfOneSecond(list, timeOf))
  return byTime(isReversed ? list.toReversed() : list, timeOf)
}

const secondsOf = <T>(list: readonly T[], timeOf: TimeOf<T>) =>
  list.flatMap((element) => secondOf(timeOf(element)) ?? [])

function isNewestFirst<T>(list: readonly T[], timeOf: TimeOf<T>): boolean {
  const seconds = secondsOf(list, timeOf)
  return (seconds[0] ?? 0) > (seconds.at(-1) ?? 0) && seconds.every(isNotAfterPrevious)
}

function isOfOneSecond<T>(list: readonly T[], timeOf: TimeOf<T>): boolean {
  const seconds = secondsOf(list, timeOf)
  return seconds.length > 1 && new Set(seconds).size === 1
}

const isNotAfterPrevious = (second: number, index: number, seconds: readonly number[]) =>
  index === 0 || second <= (seconds[index - 1] as number)

/**
 * The oldest first. Times are compared in whole seconds, as WhatsApp has them, and within a second the order of the list
 * stands. An element without a time stays behind its predecessor.
 * @param timeOf milliseconds since 1970 UTC; null where the time is not known
 */
export function byTime<T>(list: readonly T[], timeOf: TimeOf<T>): T[] {
  let second = Number.MIN_SAFE_INTEGER
  const placed = list.map((element) => {
    second = secondOf(timeOf(element)) ?? second
    return { element, second }
  })
  return placed.sort((one, other) => one.second - other.second).map(({ element }) => element)
}

const secondOf = (ms: number | null) => (ms === null ? null : Math.floor(ms / 1000))
