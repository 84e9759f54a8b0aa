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
  urgency: fc.constantFrom(0 as const, 1 as const, 2 as const),
})
/** What happens to a queue: calls arrive, and slots are granted. One caller asks for much more than the others. */
const events = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: asks },
    { weight: 2, arbitrary: fc.constant({ askedBy: ['a'], urgency: 2 as const }) },
    { weight: 3, arbitrary: fc.constant(null) },
  ),
  { minLength: 20, maxLength: 300 },
)

interface Ask {
  readonly askedBy: readonly string[]
  readonly urgency: 0 | 1 | 2
}

const callOf = ({ askedBy, urgency }: Ask, expiresAt: number): QueuedCall => ({
  demand: { askedBy: new Set(askedBy), urgency: () => urgency },
  isRequeued: false,
  expiresAt,
  grant: () => {},
  refuse: () => {},
})

t.test(
  'whatever arrives, each caller gets a slot after at most one turn of each other, and less urgent calls their fifth',
  async (t) => {
    const property = fc.property(events, (list) => {
      const queue = createCallQueue(1000)
      const waiting = new Set<QueuedCall>()
      /** How many slots went to other awaited calls since each caller began to wait, or had a slot. */
      const passed = new Map<string, number>()
      /** How many calls of each urgency were granted in a row while less urgent ones waited. */
      const inARow = new Map<number, number>()
      for (const [index, event] of list.entries()) {
        if (event) {
          const call = callOf(event, index)
          queue.add(call)
          waiting.add(call)
          continue
        }
        const before = [...waiting]
        const granted = queue.takeNext()
        if (granted === undefined) {
          if (before.length > 0) return false
          continue
        }
        if (!waiting.delete(granted)) return false
        const urgency = granted.demand.urgency()
        for (const level of [1, 2]) {
          const isPassedOver = urgency === level && before.some(({ demand }) => demand.urgency() < level)
          if (urgency <= level) inARow.set(level, isPassedOver ? (inARow.get(level) ?? 0) + 1 : 0)
          if ((inARow.get(level) ?? 0) > 4) return false
        }
        if (urgency < 2) continue
        const awaited = before.filter(({ demand }) => demand.urgency() === 2)
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

t.test(
  'whatever arrives, the places are kept, and no call is refused while a less urgent one of a queue as long is kept',
  async (t) => {
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
        const [before, lengths] = [[...waiting], new Map([...waiting].map((each) => [each, lengthOf(each)]))]
        const taken = call ? queue.takeExcess() : queue.takeNext()
        const isWorse = (each: QueuedCall) =>
          taken !== undefined &&
          each.demand.urgency() <= taken.demand.urgency() &&
          (lengths.get(each) ?? 0) > (lengths.get(taken) ?? 0)
        if (call && before.some(isWorse)) return false
        if (taken) waiting.delete(taken)
        if (queue.length() !== waiting.size || queue.length() > maxCalls) return false
      }
      return true
    })
    holds(t, property, { numRuns: 500 })
  },
)
