import type { Failure } from '../../failures/failure.ts'

/** While less urgent calls wait, this many calls are granted before one of those: a fifth is left for them. */
const grantsInARow = 4
/** The most waiting places for one caller, as a part of all, rounded up. */
const callerShare = 0.5

/** Who wants a call, by now. */
export interface CallDemand {
  /** The callers who asked for it; at least one. */
  readonly askedBy: ReadonlySet<string>
  /** How urgent it is by now. A higher number goes first; 0 is a refresh that no caller waits for. */
  readonly urgency: () => number
}

/** A call that waits for a slot. */
export interface QueuedCall {
  readonly demand: CallDemand
  /** Whether it had a slot before. Such a call is granted first and refused last. */
  readonly isRequeued: boolean
  readonly expiresAt: number
  readonly grant: (call: symbol) => void
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
  const turnsOf = new Map<number, ReturnType<typeof createTurns>>()
  /** How many calls of each urgency were granted since one that is less urgent. */
  const grantedOf = new Map<number, number>()

  /** Removes and returns the call that is granted next. */
  function takeNext(): QueuedCall | undefined {
    return remove(calls.find(({ isRequeued }) => isRequeued) ?? nextInTurn())
  }

  function nextInTurn(): QueuedCall | undefined {
    const waiting = [...Map.groupBy(calls, urgencyOf)].sort(([one], [other]) => other - one)
    for (const [urgency, ofUrgency] of waiting) {
      const granted = grantedOf.get(urgency) ?? 0
      const isLeast = ofUrgency === waiting.at(-1)?.[1]
      grantedOf.set(urgency, granted < grantsInARow || isLeast ? granted + 1 : 0)
      if (granted < grantsInARow || isLeast) return turnsAt(urgency).next(ofUrgency)
    }
    return undefined
  }

  function turnsAt(urgency: number) {
    const turns = turnsOf.get(urgency) ?? createTurns()
    turnsOf.set(urgency, turns)
    return turns
  }

  /**
   * Removes and returns a call when there are too many, or too many of one caller: of the longest queue, the last of its least
   * urgent calls. A call of several callers belongs to the one with the shortest queue.
   */
  function takeExcess(): QueuedCall | undefined {
    if (calls.length <= maxOfOneCaller) return undefined
    const lengths = queueLengths(calls)
    const longest = Math.max(...lengths)
    if (calls.length <= maxCalls && longest <= maxOfOneCaller) return undefined
    const candidates = calls.filter((_call, index) => lengths[index] === longest)
    const least = Math.min(...candidates.map(urgencyOf))
    return remove(candidates.findLast((call) => urgencyOf(call) === least))
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
