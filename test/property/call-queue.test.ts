import fc from 'fast-check'
import t from 'tap'
import { createCallQueue, type QueuedCall } from '../../src/upstream/calls/call-queue.ts'
import { holds } from './holds.ts'

const callers = [...'abcdefgh']

/** A call of one or more callers. */
const asks = fc.record({
  askedBy: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...callers).map((caller) => [caller]) },
    { weight: 1, arbitrary: fc.subarray(callers, { minLength: 1 }) },
  ),
  isAwaited: fc.boolean(),
})
/** What happens to a queue: calls arrive, and slots are granted. One caller asks for much more than the others. */
const events = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: asks },
    { weight: 2, arbitrary: fc.constant({ askedBy: ['a'], isAwaited: true }) },
    { weight: 3, arbitrary: fc.constant(null) },
  ),
  { minLength: 20, maxLength: 300 },
)

interface Ask {
  readonly askedBy: readonly string[]
  readonly isAwaited: boolean
}

const callOf = ({ askedBy, isAwaited }: Ask, expiresAt: number): QueuedCall => ({
  demand: { askedBy: new Set(askedBy), isAwaited: () => isAwaited },
  isRequeued: false,
  expiresAt,
  grant: () => {},
  refuse: () => {},
})

t.test(
  'whatever arrives, each caller gets a slot after at most one turn of each other, and refreshes their fifth',
  async (t) => {
    const property = fc.property(events, (list) => {
      const queue = createCallQueue(1000)
      const waiting = new Set<QueuedCall>()
      /** How many slots went to other awaited calls since each caller began to wait, or had a slot. */
      const passed = new Map<string, number>()
      let awaitedWhileRefreshesWait = 0
      for (const [index, event] of list.entries()) {
        if (event) {
          const call = callOf(event, index)
          queue.add(call)
          waiting.add(call)
          continue
        }
        const isEmpty = waiting.size === 0
        const wants = (isAwaited: boolean) => [...waiting].filter(({ demand }) => demand.isAwaited() === isAwaited)
        const [awaited, refreshes] = [wants(true), wants(false)]
        const granted = queue.takeNext()
        if (granted === undefined) {
          if (!isEmpty) return false
          continue
        }
        if (!waiting.delete(granted)) return false
        if (!granted.demand.isAwaited()) {
          awaitedWhileRefreshesWait = 0
          continue
        }
        awaitedWhileRefreshesWait = refreshes.length > 0 ? awaitedWhileRefreshesWait + 1 : 0
        if (awaitedWhileRefreshesWait > 4) return false
        const waited = new Set(awaited.flatMap(({ demand }) => [...demand.askedBy]))
        for (const caller of callers) {
          const isPassed = waited.has(caller) && !granted.demand.askedBy.has(caller)
          passed.set(caller, isPassed ? (passed.get(caller) ?? 0) + 1 : 0)
          if ((passed.get(caller) ?? 0) >= callers.length) return false
        }
      }
      return true
    })
    holds(t, property, { numRuns: 500 })
  },
)

t.test('whatever arrives, the places are kept, and the call that is refused is of the longest queue', async (t) => {
  const property = fc.property(events, fc.integer({ min: 0, max: 12 }), (list, maxCalls) => {
    const queue = createCallQueue(maxCalls)
    const waiting = new Set<QueuedCall>()
    const lengthOf = (call: QueuedCall) =>
      Math.min(
        ...[...call.demand.askedBy].map(
          (caller) => [...waiting].filter(({ demand }) => demand.askedBy.has(caller)).length,
        ),
      )
    for (const [index, event] of list.entries()) {
      const call = event ? callOf(event, index) : undefined
      if (call) queue.add(call)
      if (call) waiting.add(call)
      const longest = Math.max(0, ...[...waiting].map(lengthOf))
      const taken = call ? queue.takeExcess() : queue.takeNext()
      if (call && taken && lengthOf(taken) < longest) return false
      if (taken) waiting.delete(taken)
      if (queue.length() !== waiting.size || queue.length() > maxCalls) return false
    }
    return true
  })
  holds(t, property, { numRuns: 500 })
})
