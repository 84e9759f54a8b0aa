import t from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import { createHilosTokens } from '../../../src/upstream/calls/hilos-tokens.ts'
import { createClock } from '../../harness/clock.ts'

const [a, b, c] = [new Secret('token a'), new Secret('token b'), new Secret('token c')]

function arrange(next: Secret | null = b) {
  const clock = createClock()
  return { ...createHilosTokens(a, next, clock), clock }
}

t.test('a single token has no other, nor has one with the same text', async (t) => {
  const { inUse, otherThan, all } = arrange(null)
  t.equal(inUse(), a)
  t.equal(otherThan(a), null)
  t.strictSame(all(), [a])
  t.equal(arrange(new Secret(a.reveal())).otherThan(a), null)
})

t.test('of two tokens the current one is in use until the next one is used instead, and back', async (t) => {
  const { inUse, otherThan, use, all } = arrange()
  t.equal(inUse(), a)
  t.equal(otherThan(a), b)
  t.equal(otherThan(b), a)
  t.strictSame(all(), [a, b])
  t.ok(use(b, a))
  t.equal(inUse(), b)
  t.equal(otherThan(b), a)
  t.notOk(use(b, a), 'a second time changes nothing')
  t.ok(use(a, b))
  t.equal(inUse(), a)
})

t.test('a new current token is in use immediately, whichever was in use', async (t) => {
  for (const before of [a, b]) {
    const { inUse, otherThan, use, replace, all } = arrange()
    use(before, a)
    replace('current', c)
    t.equal(inUse(), c)
    t.equal(otherThan(c), b)
    t.equal(otherThan(a), c, 'the one in use replaces one that is gone')
    t.strictSame(all(), [c, b])
  }
})

t.test('a new next token is in use only if the previous one was', async (t) => {
  for (const next of [b, null]) {
    const spare = arrange(next)
    spare.replace('next', c)
    t.equal(spare.inUse(), a)
    t.equal(spare.otherThan(a), c)
  }
  const used = arrange()
  used.use(b, a)
  used.replace('next', c)
  t.equal(used.inUse(), c)
  t.equal(used.otherThan(c), a)
  t.equal(used.otherThan(b), c, 'the one in use replaces one that is gone')
  t.strictSame(used.all(), [a, c])
})

t.test('a token is not used after it, or the one in use before it, has been replaced', async (t) => {
  const { inUse, use, replace } = arrange()
  replace('next', c)
  t.notOk(use(b, a))
  t.equal(inUse(), a)
  replace('current', b)
  t.notOk(use(c, a))
  t.equal(inUse(), b)
})

t.test('a removed next token is not tried any more, but stays in use if it was', async (t) => {
  const spare = arrange()
  spare.dropNext()
  t.equal(spare.otherThan(a), null)
  t.strictSame(spare.all(), [a])
  const used = arrange()
  used.use(b, a)
  used.dropNext()
  t.equal(used.inUse(), b)
  t.equal(used.otherThan(b), a)
  t.strictSame(used.all(), [b, a], 'it is still searched for in bodies')
})

t.test('the time since when a token is in use changes only with the token in use', async (t) => {
  const { inUseSince, inUseMs, use, replace, dropNext, clock } = arrange()
  const start = clock.now()
  const changes = [
    dropNext,
    () => replace('next', b),
    () => use(b, c),
    () => use(b, a),
    () => replace('next', c),
    () => replace('current', a),
  ]
  const times = changes.map((change) => {
    clock.advance(1000)
    change()
    return [inUseSince() - start, inUseMs()]
  })
  t.strictSame(times, [
    [0, 1000],
    [0, 2000],
    [0, 3000],
    [4000, 0],
    [5000, 0],
    [6000, 0],
  ])
})

t.test('how long a token is in use does not depend on the wall clock', async (t) => {
  let [now, elapsed] = [3_600_000, 0]
  const { inUseMs } = createHilosTokens(a, null, { now: () => now, elapsed: () => elapsed })
  ;[now, elapsed] = [0, 5000]
  t.equal(inUseMs(), 5000)
})
