import t from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import { createHilosTokens } from '../../../src/upstream/calls/hilos-tokens.ts'

const [a, b, c] = [new Secret('token a'), new Secret('token b'), new Secret('token c')]

t.test('tokens, when there is one, have no other', async (t) => {
  const { inUse, otherThan, all } = createHilosTokens({ current: a, next: null })
  t.equal(inUse(), a)
  t.equal(otherThan(a), null)
  t.strictSame(all(), [a])
})

t.test('tokens, when there are two, are each the other of the other, until one is used instead', async (t) => {
  const { inUse, otherThan, use, all } = createHilosTokens({ current: a, next: b })
  t.equal(inUse(), a)
  t.equal(otherThan(a), b)
  t.equal(otherThan(b), a)
  t.strictSame(all(), [a, b])
  t.ok(use(b, a))
  t.equal(inUse(), b)
  t.equal(otherThan(b), a)
  t.notOk(use(b, a), 'the second time nothing changes')
  t.ok(use(a, b))
  t.equal(inUse(), a)
})

t.test('two tokens, when they are the same text, are one', async (t) => {
  t.equal(createHilosTokens({ current: a, next: new Secret(a.reveal()) }).otherThan(a), null)
})

t.test('the current token, when replaced, is in use at once, whichever was', async (t) => {
  for (const before of [a, b]) {
    const { inUse, otherThan, use, replace, all } = createHilosTokens({ current: a, next: b })
    use(before, a)
    replace('current', c)
    t.equal(inUse(), c)
    t.equal(otherThan(c), b)
    t.equal(otherThan(a), c, 'instead of one that is gone, the one in use')
    t.strictSame(all(), [c, b])
  }
})

t.test('the next token, when replaced, is in use only where the one before was', async (t) => {
  const spare = createHilosTokens({ current: a, next: b })
  spare.replace('next', c)
  t.equal(spare.inUse(), a)
  t.equal(spare.otherThan(a), c)
  const used = createHilosTokens({ current: a, next: b })
  used.use(b, a)
  used.replace('next', c)
  t.equal(used.inUse(), c)
  t.equal(used.otherThan(c), a)
  t.equal(used.otherThan(b), c, 'instead of one that is gone, the one in use')
  t.strictSame(used.all(), [a, c])
  const first = createHilosTokens({ current: a, next: null })
  first.replace('next', c)
  t.equal(first.otherThan(a), c)
  t.equal(first.inUse(), a)
})

t.test('a token, when it or the one it stands in for has been replaced meanwhile, is not used', async (t) => {
  const { inUse, use, replace } = createHilosTokens({ current: a, next: b })
  replace('next', c)
  t.notOk(use(b, a))
  t.equal(inUse(), a)
  replace('current', b)
  t.notOk(use(c, a))
  t.equal(inUse(), b)
})

t.test('the next token, when it is taken away, is not tried any more; one in use goes on', async (t) => {
  const spare = createHilosTokens({ current: a, next: b })
  spare.dropNext()
  t.equal(spare.otherThan(a), null)
  t.strictSame(spare.all(), [a])
  const used = createHilosTokens({ current: a, next: b })
  used.use(b, a)
  used.dropNext()
  t.equal(used.inUse(), b)
  t.equal(used.otherThan(b), a)
  t.strictSame(used.all(), [b, a], 'and is searched for in what Hilos says')
})

t.test('a token, since it is in use, says so; neither the other nor the same one changes that', async (t) => {
  let now = 1000
  const { inUseSince, use, replace, dropNext } = createHilosTokens({ current: a, next: b, now: () => now })
  const after = (change: () => unknown) => {
    now += 1000
    change()
    return inUseSince()
  }
  t.equal(inUseSince(), 1000)
  t.equal(after(dropNext), 1000)
  t.equal(
    after(() => replace('next', b)),
    1000,
    'not in use',
  )
  t.equal(
    after(() => use(b, c)),
    1000,
    'instead of one that is not in use',
  )
  t.equal(
    after(() => use(b, a)),
    5000,
  )
  t.equal(
    after(() => replace('next', c)),
    6000,
    'instead of the one in use',
  )
  t.equal(
    after(() => replace('current', a)),
    7000,
  )
})

t.test('a token, where no clock is given, is in use since it was by the clock', async (t) => {
  const before = Date.now()
  const since = createHilosTokens({ current: a, next: null }).inUseSince()
  t.ok(since >= before && since <= Date.now())
})
