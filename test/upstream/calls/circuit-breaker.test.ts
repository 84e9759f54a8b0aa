import t from 'tap'
import { Failure } from '../../../src/failures/failure.ts'
import type { FailureCode } from '../../../src/failures/failure-kinds.ts'
import { type CircuitBreakerOptions, createCircuitBreaker } from '../../../src/upstream/calls/circuit-breaker.ts'
import { UpstreamFailure } from '../../../src/upstream/upstream-failure.ts'
import { createClock } from '../../harness/clock.ts'

const broken = () => new UpstreamFailure('upstream_error', { retryAfterSeconds: 99 })
const paused = (seconds: number, code: FailureCode = 'upstream_rate_limited') =>
  new UpstreamFailure(code, { pauseMs: seconds * 1000, retryAfterSeconds: 99 })
const refusedWith = (code: FailureCode) => new Failure(code)

function arrange(options: Partial<CircuitBreakerOptions> = {}) {
  const clock = createClock()
  const opened: string[] = []
  const told: string[] = []
  const breaker = createCircuitBreaker({
    maxFailedContacts: 3,
    openMs: 1000,
    refusalMs: 5000,
    elapsed: clock.now,
    random: () => 0,
    onOpen: ({ code }, _refusal, isNews) => {
      opened.push(code)
      if (isNews) told.push(code)
    },
    onClose: () => told.push('close'),
    ...options,
  })
  /** A call about one contact that ends when told how. */
  const begin = (id: string) => breaker.begin(id).end
  /** One that ends at once. */
  const call = (id: string, failure: Failure | null = null) => begin(id)(failure)
  const failAll = (ids: string) => {
    for (const id of ids) call(id, broken())
  }
  const code = () => breaker.refusal()?.code ?? null
  const seconds = () => breaker.refusal()?.retryAfterSeconds
  return { ...breaker, begin, beginCall: breaker.begin, ...clock, opened, told, call, failAll, code, seconds }
}

/** One that was opened by failures, at the end of its pause: the next call is the probe. */
function arrangeProbe(options: Partial<CircuitBreakerOptions> = {}) {
  const arranged = arrange(options)
  arranged.failAll('abc')
  arranged.told.splice(0)
  arranged.advance(1000)
  return arranged
}

t.test('calls, when nothing has failed, may be made', async (t) => {
  const { code, call, told } = arrange()
  for (let index = 0; index < 10; index += 1) call('a')
  t.equal(code(), null)
  t.strictSame(told, [], 'and nobody is told that they go on')
})

t.test('the breaker, when as many contacts as allowed failed in a row, opens', async (t) => {
  for (const maxFailedContacts of [1, 2, 10]) {
    const { failAll, call, code, told, begin } = arrange({ maxFailedContacts })
    failAll('abcdefghij'.slice(0, maxFailedContacts - 1))
    t.equal(code(), null)
    t.strictSame(told, [])
    call('k', broken())
    t.equal(code(), 'upstream_unavailable')
    t.strictSame(told, ['upstream_unavailable'])
    t.throws(() => begin('l'), { code: 'upstream_unavailable' })
  }
})

t.test('contacts, when they are few that always fail, open nothing', async (t) => {
  const { call, code, told } = arrange()
  for (let index = 0; index < 100; index += 1) call('a', broken())
  for (let index = 0; index < 100; index += 1) call('b', broken())
  t.equal(code(), null)
  call('c', broken())
  t.equal(code(), 'upstream_unavailable')
  t.strictSame(told, ['upstream_unavailable'])
})

t.test('an answer of any kind, when it comes between failures, begins the count anew', async (t) => {
  const answers: Record<string, Failure | null> = {
    'a document or an absence': null,
    'a status like 400': new Failure('upstream_error'),
    'a redirect': new Failure('upstream_redirect'),
    'a wrong address': new Failure('upstream_misconfigured'),
    'a document that is too large': new Failure('upstream_too_large'),
    'a document of the wrong shape': new Failure('upstream_invalid_response'),
  }
  for (const [name, answer] of Object.entries(answers)) {
    const { failAll, call, code, told } = arrange()
    failAll('ab')
    call('a', answer)
    failAll('cd')
    t.equal(code(), null, name)
    failAll('e')
    t.equal(code(), 'upstream_unavailable', name)
    t.strictSame(told, ['upstream_unavailable'])
  }
})

t.test('the breaker, when open, stays so for a time and up to twice as long', async (t) => {
  for (const [random, ms] of [
    [0, 1000],
    [0.5, 1500],
    [0.999, 1999],
  ] as const) {
    const { failAll, advance, code, begin } = arrange({ random: () => random })
    failAll('abc')
    advance(ms - 1)
    t.equal(code(), 'upstream_unavailable')
    t.throws(() => begin('d'), { code: 'upstream_unavailable' })
    advance(1)
    t.equal(code(), null)
    t.type(begin('d'), 'function')
  }
})

t.test(
  'what is refused while open, when looked at, is transient, not worth a retry, and says for how long',
  async (t) => {
    const { failAll, advance, begin, refusal } = arrange({ openMs: 2500 })
    failAll('abc')
    const facts = { reason: 'calls to Hilos pause' }
    for (const [ms, retryAfterSeconds] of [
      [0, 3],
      [499, 3],
      [1, 2],
      [999, 2],
      [1, 1],
      [999, 1],
    ] as const) {
      advance(ms)
      const failure = refusal()
      t.ok(failure instanceof UpstreamFailure)
      t.match(failure, { code: 'upstream_unavailable', retryAfterSeconds, facts, worthRetrying: false, pauseMs: 0 })
      t.throws(() => begin('d'), { code: 'upstream_unavailable', retryAfterSeconds })
    }
    advance(1)
    t.equal(refusal(), null)
  },
)

t.test('the breaker, when its pause is over, lets exactly one call begin, whoever else asks', async (t) => {
  const { begin, code, seconds, advance } = arrangeProbe({ openMs: 1000 })
  t.equal(code(), null)
  t.equal(code(), null, 'asking is not beginning')
  begin('a')
  for (const ms of [0, 999]) {
    advance(ms)
    t.equal(code(), 'upstream_unavailable')
    t.equal(seconds(), 1)
    t.throws(() => begin('b'), { code: 'upstream_unavailable' })
  }
})

t.test('a probe, when it hangs, is followed by another before long; whichever is answered first, closes', async (t) => {
  for (const answered of [0, 1]) {
    const { begin, code, told, advance } = arrangeProbe({ openMs: 1000 })
    const probes = [begin('a')]
    advance(1000)
    probes.push(begin('b'))
    t.equal(code(), 'upstream_unavailable')
    t.throws(() => begin('c'), { code: 'upstream_unavailable' })
    probes[answered]?.(null)
    t.equal(code(), null)
    probes[1 - answered]?.(broken())
    t.equal(code(), null, 'what the other says, is not news')
    t.strictSame(told, ['close'])
  }
})

t.test('the wait, when there is a probe, is given as that of a usual pause', async (t) => {
  const { begin, seconds, advance } = arrange({ openMs: 3500, maxFailedContacts: 1 })
  begin('a')(broken())
  advance(3500)
  begin('b')
  t.equal(seconds(), 4)
})

t.test('a probe, when answered in any way, closes the breaker, and all may call', async (t) => {
  for (const answer of [null, new Failure('upstream_error'), new Failure('upstream_invalid_response')]) {
    const { begin, call, code, told, failAll } = arrangeProbe()
    call('d', answer)
    t.equal(code(), null)
    t.strictSame(told, ['close'])
    begin('e')
    begin('f')
    failAll('ab')
    t.equal(code(), null, 'and the count begins anew')
    failAll('c')
    t.equal(code(), 'upstream_unavailable')
    t.strictSame(told, ['close', 'upstream_unavailable'], 'told again')
  }
})

t.test('a probe, when it fails, opens the breaker again, and that is no news', async (t) => {
  const { call, code, opened, told, advance } = arrangeProbe()
  for (let index = 0; index < 3; index += 1) {
    call('d', broken())
    advance(999)
    t.equal(code(), 'upstream_unavailable')
    advance(1)
    t.equal(code(), null)
  }
  t.equal(opened.length, 4)
  t.strictSame(told, [])
  call('d')
  t.strictSame(told, ['close'])
})

t.test('a probe, when it fails, is one failure, whatever failed before', async (t) => {
  const { call, code } = arrangeProbe()
  call('d', broken())
  t.equal(code(), 'upstream_unavailable')
})

t.test('Retry-After, when Hilos sends it to one, holds for everyone, counted down and rounded up', async (t) => {
  const { call, begin, code, seconds, told, advance, refusal } = arrange()
  call('a', paused(7))
  t.strictSame(told, ['upstream_rate_limited'])
  for (const [ms, left] of [
    [0, 7],
    [1, 7],
    [998, 7],
    [1, 6],
    [5000, 1],
    [999, 1],
  ] as const) {
    advance(ms)
    t.equal(code(), 'upstream_rate_limited')
    t.equal(seconds(), left)
    t.ok(refusal() instanceof UpstreamFailure)
    t.throws(() => begin('b'), { code: 'upstream_rate_limited', retryAfterSeconds: left })
  }
  advance(1)
  t.equal(code(), null)
  begin('b')
  t.throws(() => begin('c'), { code: 'upstream_rate_limited', retryAfterSeconds: 1 }, 'the next is a probe')
  t.strictSame(told, ['upstream_rate_limited'])
})

t.test('a pause, when asked for, is neither lengthened at random nor counted among the failures', async (t) => {
  const { call, code, advance, failAll } = arrange({ random: () => 0.9 })
  failAll('ab')
  call('c', paused(2))
  advance(2000)
  t.equal(code(), null)
  call('d')
  failAll('ef')
  t.equal(code(), null, 'what failed before the pause is forgotten')
})

for (const refused of ['upstream_unauthorized', 'upstream_forbidden'] as const)
  t.test(`our key, when refused with ${refused}, is not shown again for a while`, async (t) => {
    const { call, code, begin, refusal, told, advance } = arrange({ random: () => 0.9 })
    // A 403 may be about one contact only.
    const aboutOne = refused === 'upstream_forbidden'
    call('a', refusedWith(refused))
    t.strictSame(told, [refused])
    for (const ms of [0, 4999]) {
      advance(ms)
      const failure = refusal()
      t.equal(failure?.code, refused)
      t.equal(failure instanceof UpstreamFailure, aboutOne, 'nothing stale stands in for what is about our key')
      t.equal(failure?.retryAfterSeconds, null)
      t.strictSame(failure?.facts, { reason: 'calls to Hilos pause' })
      t.throws(() => begin('b'), { code: refused })
    }
    advance(1)
    t.equal(code(), null)
    const settle = begin('b')
    t.equal(code(), refused)
    t.equal(refusal() instanceof UpstreamFailure, aboutOne)
    settle(refusedWith(refused))
    t.equal(code(), refused)
    advance(4999)
    t.equal(code(), refused)
    advance(1)
    call('b')
    t.strictSame(told, [refused, 'close'], 'told once')
  })

t.test('the reason, when it becomes another, is told', async (t) => {
  const { call, told, advance, code } = arrange()
  call('a', refusedWith('upstream_unauthorized'))
  advance(5000)
  call('a', refusedWith('upstream_forbidden'))
  advance(5000)
  call('a', paused(1))
  advance(1000)
  call('a', broken())
  t.equal(code(), 'upstream_unavailable')
  advance(1000)
  call('a', paused(1, 'upstream_unavailable'))
  advance(1000)
  call('a')
  t.strictSame(told, [
    'upstream_unauthorized',
    'upstream_forbidden',
    'upstream_rate_limited',
    'upstream_unavailable',
    'close',
  ])
})

t.test('calls, when begun before the breaker opened, say nothing by their end', async (t) => {
  const { begin, failAll, code, seconds, told, advance, call } = arrange({ openMs: 2000 })
  const early = ['d', 'e', 'f', 'g', 'h', 'i', 'j', 'k'].map((id) => begin(id))
  const endOne = (failure: Failure | null) => early.pop()?.(failure)
  failAll('abc')
  advance(500)
  endOne(null)
  t.equal(code(), 'upstream_unavailable', 'an answer does not close')
  endOne(broken())
  t.equal(seconds(), 2, 'a failure does not extend')
  advance(1500)
  t.equal(code(), null)

  const probe = begin('l')
  endOne(null)
  t.equal(code(), 'upstream_unavailable', 'neither closes while there is a probe')
  endOne(broken())
  t.equal(code(), 'upstream_unavailable')
  t.strictSame(told, ['upstream_unavailable'])
  probe(null)
  t.equal(code(), null)

  for (const _ of 'abc') endOne(broken())
  t.equal(code(), null, 'nor opens when all is well again')
  call('m', broken())
  call('n', broken())
  endOne(null)
  call('o', broken())
  t.equal(code(), 'upstream_unavailable', 'nor makes others be forgotten')
  t.strictSame(told, ['upstream_unavailable', 'close', 'upstream_unavailable'])
  t.equal(early.length, 0)
})

t.test('a call from before, when it brings a pause, extends to the later end and never shortens', async (t) => {
  const { begin, call, code, seconds, told, advance } = arrange()
  const early = Array.from({ length: 6 }, () => begin('z'))
  call('a', paused(5))
  early.pop()?.(paused(3))
  t.equal(seconds(), 5)
  advance(2000)
  early.pop()?.(paused(4))
  t.equal(seconds(), 4)
  early.pop()?.(paused(4))
  t.equal(seconds(), 4)
  early.pop()?.(refusedWith('upstream_unauthorized'))
  t.equal(seconds(), null)
  t.equal(code(), 'upstream_unauthorized', 'the reason is that of the end')
  advance(4999)
  t.equal(code(), 'upstream_unauthorized')
  advance(1)
  t.equal(code(), null)
  t.strictSame(told, ['upstream_rate_limited', 'upstream_unauthorized'])
})

t.test(
  'a refusal of our key, when it comes within a longer pause, does not give its name to the rest of it',
  async (t) => {
    const { begin, call, code, seconds, told, advance } = arrange()
    const early = begin('z')
    call('a', paused(300))
    advance(1000)
    early(refusedWith('upstream_unauthorized'))
    t.equal(code(), 'upstream_rate_limited')
    t.equal(seconds(), 299)
    t.strictSame(told, ['upstream_rate_limited'])
  },
)

t.test('a pause, when it comes within another of the same length, is neither news nor another reason', async (t) => {
  const { begin, call, code, opened } = arrange()
  const early = begin('z')
  call('a', paused(7))
  early(paused(7, 'upstream_unavailable'))
  t.equal(code(), 'upstream_rate_limited')
  t.strictSame(opened, ['upstream_rate_limited'])
})

t.test(
  'a call from before, when it brings a pause while there is a probe, opens, and the probe says nothing',
  async (t) => {
    const { begin, failAll, code, seconds, told, advance } = arrange()
    const early = begin('z')
    failAll('abc')
    advance(1000)
    const probe = begin('d')
    early(paused(7))
    t.equal(code(), 'upstream_rate_limited')
    probe(null)
    t.equal(seconds(), 7)
    advance(7000)
    t.equal(code(), null)
    t.strictSame(told, ['upstream_unavailable', 'upstream_rate_limited'])
  },
)

t.test('a call from before, when it brings a pause after all is well again, opens', async (t) => {
  const { begin, call, code, told, failAll, advance } = arrange()
  const early = begin('z')
  failAll('abc')
  advance(1000)
  call('d')
  early(paused(7))
  t.equal(code(), 'upstream_rate_limited')
  t.strictSame(told, ['upstream_unavailable', 'close', 'upstream_rate_limited'])
})

t.test('a probe, when it brings a pause, opens for so long', async (t) => {
  const { call, code, advance } = arrangeProbe()
  call('d', paused(7))
  advance(6999)
  t.equal(code(), 'upstream_rate_limited')
  advance(1)
  t.equal(code(), null)
})

t.test('calls under way, when another is answered and then they all fail, are failures in a row', async (t) => {
  const { begin, call, code } = arrange()
  const calls = ['a', 'b', 'c'].map((id) => begin(id))
  call('d')
  for (const end of calls) end(broken())
  t.equal(code(), 'upstream_unavailable')
})

t.test('calls at the same time, when they all fail, open the breaker once', async (t) => {
  const { begin, code, told, advance } = arrange()
  const calls = 'abcdefghijklmnop'.split('').map((id) => begin(id))
  for (const end of calls) end(broken())
  t.equal(code(), 'upstream_unavailable')
  t.strictSame(told, ['upstream_unavailable'])
  advance(1000)
  t.equal(code(), null)
})

t.test(
  'a call, when it needs another request, may go on while nothing has opened since, or all is well again',
  async (t) => {
    const { beginCall, call, failAll, advance } = arrange()
    const early = beginCall('z')
    t.ok(early.mayGoOn())
    failAll('abc')
    t.notOk(early.mayGoOn(), 'open')
    advance(1000)
    t.notOk(early.mayGoOn(), 'open until the next call begins')
    const probe = beginCall('d')
    t.notOk(early.mayGoOn(), 'there is a probe')
    t.ok(probe.mayGoOn(), 'which is that call')
    probe.end(null)
    t.ok(early.mayGoOn())
    call('e', refusedWith('upstream_unauthorized'))
    t.notOk(early.mayGoOn())
  },
)
