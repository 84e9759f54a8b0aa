import t from 'tap'
import { createCallQueue, type QueuedCall } from '../../../src/upstream/calls/call-queue.ts'

/** A queue of calls with names such as `a1`: the first call of caller a. `ab1` is a call of both a and b. */
function arrange(maxCalls = 100) {
  const queue = createCallQueue(maxCalls)
  const names = new Map<QueuedCall, string>()
  let added = 0

  /** Adds calls in this order. Names in capitals are refreshes, those with a stroke are of a batch. */
  function add(list: string, changes: Partial<QueuedCall> = {}): void {
    for (const name of list.split(' ')) {
      const askedBy = new Set(name.toLowerCase().replace(/\d+'?$/, ''))
      const urgency = () => (name !== name.toLowerCase() ? 0 : name.includes("'") ? 1 : 2)
      added += 1
      const rest = { isRequeued: false, expiresAt: added, grant: () => {}, refuse: () => {} }
      const call = { demand: { askedBy, urgency }, ...rest, ...changes }
      names.set(call, name)
      queue.add(call)
    }
  }

  const nameOf = (call: QueuedCall | undefined) => (call === undefined ? 'none' : names.get(call))
  const granted = (count: number) => Array.from({ length: count }, () => nameOf(queue.takeNext())).join(' ')
  /** Adds calls one by one, and returns the names of those that are refused. */
  const refused = (list: string, changes: Partial<QueuedCall> = {}) =>
    list
      .split(' ')
      .map((name) => {
        add(name, changes)
        return nameOf(queue.takeExcess())
      })
      .filter((name) => name !== 'none')
      .join(' ')
  return { ...queue, add, granted, refused, nameOf }
}

t.test('callers take turns, each with its calls in their order', async (t) => {
  const { add, granted } = arrange()
  add('a1 a2 a3 a4 b1 b2 c1')
  t.equal(granted(7), 'a1 b1 c1 a2 b2 a3 a4')
})

t.test(
  'a caller who begins to wait comes after those who wait, and no caller who comes later is before it',
  async (t) => {
    const { add, granted } = arrange()
    add('a1 a2 a3 b1 b2')
    t.equal(granted(1), 'a1')
    add('c1')
    t.equal(granted(1), 'b1')
    add('d1')
    t.equal(granted(1), 'a2')
    add('e1 f1')
    t.equal(granted(6), 'c1 b2 d1 a3 e1 f1')
  },
)

t.test('a caller who comes back comes after those who wait', async (t) => {
  const { add, granted } = arrange()
  add('a1 b1 b2 b3')
  t.equal(granted(2), 'a1 b1')
  add('a2 a3')
  t.equal(granted(4), 'b2 a2 b3 a3')
})

t.test('a call of several callers is granted in the turn of any of them, and costs only that turn', async (t) => {
  const { add, granted } = arrange()
  add('a1 a2 a3 ab4 b5 c1')
  t.equal(granted(6), 'a1 ab4 c1 a2 b5 a3')
})

t.test('a caller counts from the moment when it asks for the call of another', async (t) => {
  const { add, granted } = arrange()
  const askedBy = new Set('a')
  add('a1 a2')
  add('a3', { demand: { askedBy, urgency: () => 2 } })
  t.equal(granted(1), 'a1')
  askedBy.add('b')
  t.equal(granted(2), 'a2 a3')
})

t.test(
  'one slot of five goes to a refresh while both kinds wait, and all of them when only one kind does',
  async (t) => {
    const { add, granted } = arrange()
    add('A1 A2 A3 b1 b2 b3 b4 b5 b6 b7 b8 b9')
    t.equal(granted(12), 'b1 b2 b3 b4 A1 b5 b6 b7 b8 A2 b9 A3')
  },
)

t.test('a refresh that comes after four awaited calls does not wait', async (t) => {
  const { add, granted } = arrange()
  add('a1 a2 a3 a4 a5 a6')
  t.equal(granted(4), 'a1 a2 a3 a4')
  add('B1 B2')
  t.equal(granted(2), 'B1 a5')
})

t.test('callers take turns with refreshes, too, and one turn does not cost the other', async (t) => {
  const { add, granted } = arrange()
  add('A1 A2 A3 B1 b1')
  t.equal(granted(5), 'b1 A1 B1 A2 A3')
})

t.test('requeued calls go first, and cost no turn', async (t) => {
  const { add, granted } = arrange()
  add('a1 b1')
  add('b2 b3', { isRequeued: true })
  t.equal(granted(4), 'b2 b3 a1 b1')
})

t.test('no caller has more than half of the places, rounded up', async (t) => {
  for (const [maxCalls, expected] of [
    [0, 'a1 a2'],
    [1, 'a2'],
    [2, 'a2'],
    [3, ''],
    [4, ''],
  ] as const) {
    const { refused } = arrange(maxCalls)
    t.equal(refused('a1 a2'), expected, `${maxCalls} places`)
  }
  const { refused } = arrange(4)
  t.equal(refused('a1 a2 a3 A4 b1 b2 b3'), 'a3 A4 b3')
})

t.test('a full queue refuses the last call of the longest queue, not the newcomer', async (t) => {
  const { refused, length } = arrange(6)
  t.equal(refused('a1 a2 a3 b1 b2 c1'), '')
  t.equal(refused('d1'), 'a3')
  t.equal(refused('e1'), 'b2', 'the last one when two are as long')
  t.equal(refused('f1'), 'a2')
  t.equal(refused('g1'), 'g1', 'the newcomer when none is longer')
  t.equal(length(), 6)
})

t.test('a full queue refuses the last refresh of the longest queue', async (t) => {
  const { refused } = arrange(6)
  t.equal(refused('A1 A2 a3 B1 b2 c1'), '')
  t.equal(refused('d1'), 'A2')
  t.equal(refused('c2'), 'B1')
})

t.test('a call of several callers belongs to the one with the shortest queue', async (t) => {
  const { refused } = arrange(6)
  t.equal(refused('a1 a2 b1 b2 c1 abd3'), '')
  t.equal(refused('d1'), 'b2', 'a and b have three, and d has two')
})

t.test('a requeued call counts for no caller, and is refused only when all calls are requeued', async (t) => {
  const { refused } = arrange(4)
  t.equal(refused('a1 a2 a3', { isRequeued: true }), '')
  t.equal(refused('b1 b2'), 'b2')
  t.equal(refused('a4', { isRequeued: true }), 'b1')
  t.equal(refused('a5', { isRequeued: true }), 'a5')
  const other = arrange(4)
  t.equal(other.refused('a1 a2', { isRequeued: true }), '')
  t.equal(other.refused('a3 a4'), '')
})

t.test('waits end in the order of their expiry', async (t) => {
  const { add, takeExpired, nextExpiry, nameOf, length } = arrange()
  t.equal(nextExpiry(), undefined)
  add('a1', { expiresAt: 20 })
  add('a2', { expiresAt: 10 })
  add('a3', { expiresAt: 10 })
  t.equal(nextExpiry(), 10)
  t.strictSame(takeExpired(9).map(nameOf), [])
  t.strictSame(takeExpired(10).map(nameOf), ['a2', 'a3'])
  t.equal(length(), 1)
  t.strictSame(takeExpired().map(nameOf), ['a1'])
  t.equal(length(), 0)
})

t.test('refreshes get a fifth, and batches a fifth of the rest', (t) => {
  const { add, granted } = arrange()
  add("A1 A2 b1' b2' b3' b4' b5' b6' c1 c2 c3 c4 c5 c6 c7 c8 c9")
  t.equal(granted(17), "c1 c2 c3 c4 A1 b1' c5 c6 c7 A2 c8 b2' c9 b3' b4' b5' b6'")
  t.end()
})

t.test('of a caller with too many calls, the least urgent is refused', (t) => {
  const { refused } = arrange(8)
  t.equal(refused("a1 a2' A3 a4' A5 a6 a7' a8"), "A5 A3 a7' a4'")
  t.end()
})

t.test('when all places are taken, a call of a batch is refused before the second call of a person', (t) => {
  const { refused } = arrange(4)
  t.equal(refused("p1 p2 a1' b1' c1' D1 e1"), "c1' D1 b1'")
  t.end()
})
