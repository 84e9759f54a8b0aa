import type { Failure } from '../../failures/failure.ts'
import type { Permit } from './ration.ts'

/** While less urgent calls wait, this many calls are granted before one of those: a fifth is left for them. */
const grantsInARow = 4
/** The most waiting places for one caller, as a part of all, rounded up. */
const callerShare = 0.5

/** Who wants a call, by now. */
export interface CallDemand {
  /** The callers who asked for it; at least one. */
  readonly askedBy: ReadonlySet<string>
  /** How urgent it is by now: 0 for a refresh that no caller waits for, 1 for a call of a batch, 2 for any other. */
  readonly urgency: () => 0 | 1 | 2
}

/** A call that waits for a slot. */
export interface QueuedCall {
  readonly demand: CallDemand
  /** Whether it had a slot before. Such a call is granted first and refused last. */
  readonly isRequeued: boolean
  readonly expiresAt: number
  readonly grant: (permit: Permit) => void
  readonly refuse: (failure: Failure) => void
}

/**
 * The calls that wait for a slot. Callers take turns, so that none of them waits behind the calls of another.
 * @param maxCalls how many may wait
 */
export function createCallQueue(maxCalls: number) {
  const maxOfOneCaller = Math.ceil(maxCalls * callerShare)
  /** By expiry, the earliest first. */
  let calls: QueuedCall[] = []
  const turns = { 0: createTurns(), 1: createTurns(), 2: createTurns() }
  const [refreshShare, batchShare] = [createShare(), createShare()]

  /** Removes and returns the call that is granted next. */
  function takeNext(): QueuedCall | undefined {
    return remove(calls.find(({ isRequeued }) => isRequeued) ?? nextInTurn())
  }

  function nextInTurn(): QueuedCall | undefined {
    const { 0: refreshes = [], 1: ofBatches = [], 2: single = [] } = Object.groupBy(calls, urgencyOf)
    if (refreshShare(single.length + ofBatches.length, refreshes.length)) return turns[0].next(refreshes)
    return batchShare(single.length, ofBatches.length) ? turns[1].next(ofBatches) : turns[2].next(single)
  }

  /**
   * Removes and returns a call when there are too many, or too many of one caller: of the least urgent calls, of that caller if it
   * has too many, the last one of the longest queue. A call of several callers belongs to the one with the shortest queue.
   */
  function takeExcess(): QueuedCall | undefined {
    if (calls.length <= maxOfOneCaller) return undefined
    const lengths = queueLengths(calls)
    const longest = Math.max(...lengths)
    if (calls.length <= maxCalls && longest <= maxOfOneCaller) return undefined
    const ofOneCaller = longest > maxOfOneCaller
    const candidates = calls.filter((_call, index) =>
      ofOneCaller ? lengths[index] === longest : !calls[index]?.isRequeued,
    )
    const least = Math.min(...candidates.map(urgencyOf))
    const leastUrgent = candidates.filter((call) => urgencyOf(call) === least)
    const lengthOf = (call: QueuedCall) => lengths[calls.indexOf(call)] as number
    const longestOfThem = Math.max(...leastUrgent.map(lengthOf))
    return remove(leastUrgent.findLast((call) => lengthOf(call) === longestOfThem) ?? calls.at(-1))
  }

  function remove(call: QueuedCall | undefined): QueuedCall | undefined {
    calls = calls.filter((each) => each !== call)
    return call
  }

  return {
    add: (call: QueuedCall) => {
      const before = calls.findLastIndex(({ expiresAt }) => expiresAt <= call.expiresAt)
      calls.splice(before + 1, 0, call)
    },
    takeNext,
    takeExcess,
    /** Removes and returns the calls whose wait has ended; all calls by default. */
    takeExpired: (now = Number.POSITIVE_INFINITY) => {
      const expired = calls.filter(({ expiresAt }) => expiresAt <= now)
      calls = calls.slice(expired.length)
      return expired
    },
    /** When the next wait ends; undefined when no call waits. */
    nextExpiry: () => calls[0]?.expiresAt,
    length: () => calls.length,
  }
}

const urgencyOf = ({ demand }: QueuedCall) => demand.urgency()

/** For each call, how many wait of the caller to whom it belongs; 0 for a requeued call, which belongs to no caller. */
function queueLengths(calls: readonly QueuedCall[]): number[] {
  const lengths = new Map<string, number>()
  for (const { isRequeued, demand } of calls)
    for (const caller of demand.askedBy) lengths.set(caller, (lengths.get(caller) ?? 0) + Number(!isRequeued))
  const lengthOf = (caller: string) => lengths.get(caller) as number
  return calls.map(({ isRequeued, demand }) => (isRequeued ? 0 : Math.min(...Array.from(demand.askedBy, lengthOf))))
}

/** Returns whether it is the turn of less urgent calls, given how many more and less urgent ones wait: a fifth is left for them. */
function createShare(): (more: number, less: number) => boolean {
  let granted = 0
  return (more, less) => {
    const isTheirs = less > 0 && (more === 0 || granted >= grantsInARow)
    granted = isTheirs ? 0 : granted + 1
    return isTheirs
  }
}

/** Lets callers take turns. A caller who has had a turn, or who begins to wait, comes after all others who wait. */
function createTurns() {
  /** The callers who waited at the last turn, in the order of their next one. */
  const order = new Set<string>()
  return {
    /** Returns the first call of the caller whose turn it is. A call of several callers is the call of each of them. */
    next: (calls: readonly QueuedCall[]): QueuedCall | undefined => {
      const firstOf = new Map<string, QueuedCall>()
      for (const call of calls)
        for (const caller of call.demand.askedBy) if (!firstOf.has(caller)) firstOf.set(caller, call)
      for (const caller of order) if (!firstOf.has(caller)) order.delete(caller)
      for (const caller of firstOf.keys()) order.add(caller)
      const [caller = ''] = order
      order.delete(caller)
      order.add(caller)
      return firstOf.get(caller)
    },
  }
}
