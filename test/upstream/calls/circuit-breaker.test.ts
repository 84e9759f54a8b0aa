import t from 'tap'
import { Failure } from '../../../src/failures/failure.ts'
import type { FailureCode } from '../../../src/failures/failure-kinds.ts'
import { type CircuitBreakerOptions, createCircuitBreaker } from '../../../src/upstream/calls/circuit-breaker.ts'
import { UpstreamFailure } from '../../../src/upstream/failures.ts'
import { createClock } from '../../harness/clock.ts'
import { checkRows, difference } from '../../harness/table.ts'

/** The seconds are those of a pause that Hilos asked for. */
const failed =
  (code: FailureCode) =>
  (seconds = 0) =>
    new UpstreamFailure(code, { pauseMs: seconds * 1000, pauseScope: 'all', retryAfterSeconds: 99 })
const [broken, paused] = [failed('upstream_error'), failed('upstream_rate_limited')]
const unauthorized = () => new Failure('upstream_unauthorized')
const forbidden = () => new Failure('upstream_forbidden')
/** A Retry-After that may be about one contact, and one that is. */
const [closed, brokenFor] = (['suspected', 'contact'] as const).map(
  (pauseScope) =>
    (seconds = 7) =>
      new UpstreamFailure('upstream_rate_limited', { pauseMs: seconds * 1000, pauseScope, retryAfterSeconds: seconds }),
) as [(seconds?: number) => UpstreamFailure, (seconds?: number) => UpstreamFailure]

type Settings = Partial<CircuitBreakerOptions['circuitBreaker']>

function arrange(settings: Settings = {}, random = 0) {
  const clock = createClock(undefined, { random: () => random })
  const opened: string[] = []
  const reports: string[] = []
  const pauses: number[] = []
  const breaker = createCircuitBreaker({
    circuitBreaker: { maxFailedContacts: 3, openMs: 1000, refusalMs: 5000, maxPausedContacts: 3, ...settings },
    clock,
    onOpen: ({ code }, _refusal, isNews) => {
      opened.push(code)
      if (isNews) reports.push(code)
    },
    onPause: (ms) => pauses.push(ms),
    onClose: () => reports.push('closed'),
  })
  /** Starts a call and returns how to end it. */
  const begin = (id: string) => breaker.begin(id).end
  const call = (id: string, failure: Failure | null = null) => begin(id)(failure)
  const failAll = (ids: string) => {
    for (const id of ids) call(id, broken())
  }
  /** The failure that a call gets if it starts now, such as `upstream_rate_limited 7`; null when it may start. */
  const refused = (id = 'refused') => {
    if (breaker.refusal(id) === null) return null
    try {
      return breaker.begin(id)
    } catch (failure) {
      const { code, retryAfterSeconds } = failure as Failure
      return `${code} ${retryAfterSeconds}`
    }
  }
  const refusedAfter = (...steps: number[]) =>
    steps.map((ms) => {
      clock.advance(ms)
      return refused()
    })
  return {
    ...breaker,
    ...clock,
    refusal: (id = 'refused') => breaker.refusal(id),
    beginCall: breaker.begin,
    begin,
    call,
    failAll,
    refused,
    refusedAfter,
    opened,
    pauses,
    reports,
  }
}

/** A breaker that failures opened, at the end of its time: the next call is the probe. */
function arrangeProbe(openMs = 1000) {
  const arranged = arrange({ openMs })
  arranged.failAll('abc')
  arranged.reports.splice(0)
  arranged.advance(openMs)
  return arranged
}

const unavailable = (seconds: number) => `upstream_unavailable ${seconds}`
const rateLimited = (seconds: number) => `upstream_rate_limited ${seconds}`

t.test('the breaker opens when as many contacts as allowed have failed in a row', async (t) => {
  for (const maxFailedContacts of [1, 2, 10]) {
    const { failAll, call, refused, reports } = arrange({ maxFailedContacts })
    failAll('abcdefghij'.slice(0, maxFailedContacts - 1))
    t.equal(refused(), null)
    t.strictSame(reports, [])
    call('k', broken())
    t.equal(refused(), unavailable(1))
    t.strictSame(reports, ['upstream_unavailable'])
  }
})

t.test('a few contacts that always fail do not open the breaker', async (t) => {
  const { call, refused, reports } = arrange()
  for (let index = 0; index < 100; index += 1) call('a', broken())
  for (let index = 0; index < 100; index += 1) call('b', broken())
  t.equal(refused(), null)
  call('c', broken())
  t.equal(refused(), unavailable(1))
  t.strictSame(reports, ['upstream_unavailable'])
})

/** All kinds of answers: a document or its absence, and failures that are not transient. */
const answers = [
  null,
  new Failure('upstream_error'),
  new Failure('upstream_redirect'),
  new Failure('upstream_too_large'),
  new Failure('upstream_invalid_response'),
]

t.test('the breaker stays open for a random time, from the set one to twice as long', async (t) => {
  checkRows(
    t,
    [
      { random: 0, ms: 1000 },
      { random: 0.5, ms: 1500 },
      { random: 0.999, ms: 1999 },
    ],
    ({ random, ms }) => {
      const { failAll, refusedAfter } = arrange({}, random)
      failAll('abc')
      return difference(refusedAfter(ms - 1, 1), [unavailable(1), null])
    },
    'the breaker is open until then',
  )
})

t.test('an open breaker refuses with a transient failure that says how long to wait', async (t) => {
  const { failAll, refusedAfter, refusal } = arrange({ openMs: 2500 })
  failAll('abc')
  const failure = refusal()
  t.ok(failure instanceof UpstreamFailure)
  const facts = { reason: 'the circuit breaker is open' }
  t.match(failure, { code: 'upstream_unavailable', retryAfterSeconds: 3, facts, worthRetrying: false, pauseMs: 0 })
  t.strictSame(refusedAfter(0, 499, 1, 999, 1, 999, 1), [...[3, 3, 2, 2, 1, 1].map(unavailable), null])
})

t.test('after the open time exactly one call may start, and others are told to wait for the next probe', async (t) => {
  const { begin, refused, refusedAfter } = arrangeProbe(3500)
  t.equal(refused(), null)
  t.equal(refused(), null, 'a question starts no probe')
  begin('a')
  t.strictSame(refusedAfter(0, 3499), [unavailable(4), unavailable(1)])
})

t.test('another probe follows one that hangs, and the first answer of the two closes the breaker', async (t) => {
  for (const answered of [0, 1]) {
    const { begin, refused, reports, advance } = arrangeProbe()
    const probes = [begin('a')]
    advance(1000)
    probes.push(begin('b'))
    t.equal(refused(), unavailable(1))
    probes[answered]?.(null)
    t.equal(refused(), null)
    probes[1 - answered]?.(broken())
    t.equal(refused(), null, 'the other one changes nothing')
    t.strictSame(reports, ['closed'])
  }
})

t.test('an answer of any kind restarts the count of failures, and closes a half-open breaker', async (t) => {
  checkRows(
    t,
    answers.flatMap((answer) => [arrange, arrangeProbe].map((arrangeBreaker) => ({ answer, arrangeBreaker }))),
    ({ answer, arrangeBreaker }) => {
      const { begin, failAll, call, refused, reports } = arrangeBreaker()
      if (arrangeBreaker === arrange) failAll('ab')
      call('a', answer)
      for (const id of 'ef') begin(id)
      failAll('cd')
      const isClosed = refused() === null
      failAll('e')
      const closed = arrangeBreaker === arrange ? [] : ['closed']
      return difference([isClosed, refused(), reports], [true, unavailable(1), [...closed, 'upstream_unavailable']])
    },
    'the answer counts',
  )
})

t.test('one failed probe opens the breaker again and is not reported', async (t) => {
  const { call, refusedAfter, opened, reports } = arrangeProbe()
  for (let index = 0; index < 3; index += 1) {
    call('d', broken())
    t.strictSame(refusedAfter(999, 1), [unavailable(1), null])
  }
  t.equal(opened.length, 4)
  t.strictSame(reports, [])
  call('d')
  t.strictSame(reports, ['closed'])
})

t.test('Retry-After to one call holds for all calls, counted down and rounded up, until one probe', async (t) => {
  const { call, begin, refused, refusedAfter, reports, refusal } = arrange()
  call('a', paused(7))
  t.ok(refusal() instanceof UpstreamFailure)
  const steps = refusedAfter(0, 1, 998, 1, 5000, 999, 1)
  t.strictSame(steps, [...[7, 7, 7, 6, 1, 1].map(rateLimited), null])
  begin('b')
  t.equal(refused(), rateLimited(1))
  t.strictSame(reports, ['upstream_rate_limited'])
})

t.test('a requested pause is not lengthened at random, and restarts the count of failures', async (t) => {
  const { call, refused, refusedAfter, failAll } = arrange({}, 0.9)
  failAll('ab')
  call('c', paused(2))
  t.strictSame(refusedAfter(2000), [null])
  call('d')
  failAll('ef')
  t.equal(refused(), null)
})

/** The calls after which no call starts, whatever it is about. */
const refusedForAll = [
  ['a 401', unauthorized, 'a'],
  ['a 403 for a second contact', forbidden, 'ab'],
] as const

for (const [title, refusalOf, ids] of refusedForAll)
  t.test(`no call starts for a while after ${title}`, async (t) => {
    const { call, refused, begin, refusal, reports, advance, refusedAfter } = arrange({}, 0.9)
    const { code } = refusalOf()
    const refusedNow = () => {
      // A 403 may be about some contacts only, so a stale document may be served for the others.
      t.equal(refusal() instanceof UpstreamFailure, code === 'upstream_forbidden')
      t.strictSame(refusal()?.facts, { reason: 'the circuit breaker is open' })
      t.equal(refused(), `${code} null`)
    }
    for (const id of ids) call(id, refusalOf())
    refusedNow()
    advance(4999)
    refusedNow()
    t.strictSame(refusedAfter(1), [null])
    const end = begin('c')
    refusedNow()
    end(refusalOf())
    t.strictSame(refusedAfter(4999, 1), [`${code} null`, null], 'one is enough while it is not closed')
    call('d')
    t.strictSame(reports, [code, 'closed'], 'it is reported once')
  })

t.test('a 403, or a Retry-After that may be about one contact, is about that contact at first', async (t) => {
  checkRows(
    t,
    [
      [forbidden(), 5000, 'upstream_forbidden null', 'upstream_forbidden null', false],
      [closed(7), 7000, rateLimited(7), rateLimited(1), true],
      [closed(300), 300_000, rateLimited(300), rateLimited(1), true],
      [brokenFor(7), 7000, rateLimited(7), rateLimited(1), true],
    ] as const,
    ([failure, pauseMs, atFirst, atLast, isTransient]) => {
      const { call, refused, refusal, advance, reports } = arrange()
      call('a', failure)
      const found: unknown[] = [refused('a'), refusal('a') instanceof UpstreamFailure, refusal('a')?.facts.reason]
      advance(pauseMs - 1)
      found.push(refused('a'), refused('b'))
      call('b')
      advance(1)
      found.push(refused('a'), reports)
      const facts = 'calls about this contact pause'
      return difference(found, [atFirst, isTransient, facts, atLast, null, null, []])
    },
    'only that contact pauses, for that time',
  )
})

t.test(
  'a second contact that meets the same within that time confirms it, if no call was answered between',
  async (t) => {
    const isOpen = 'open'
    checkRows(
      t,
      [
        ['a second contact', isOpen, ['a', closed()], ['b', closed()]],
        ['in the last moment', isOpen, ['a', closed()], 6999, ['b', closed()]],
        ['too late', null, ['a', closed()], 7000, ['b', closed()]],
        ['a failure that is no answer between', isOpen, ['a', closed()], ['c', broken()], ['b', closed()]],
        ['an answer between', null, ['a', closed()], ['c', null], ['b', closed()]],
        ['an absence of the contact itself between', null, ['a', closed()], ['a', null], ['b', closed()]],
        [
          'an answer between, again and again',
          null,
          ['a', closed()],
          ['c', null],
          ['b', closed()],
          ['c', null],
          ['d', closed()],
        ],
        ['the same contact again', null, ['a', forbidden()], 4000, ['a', forbidden()]],
        [
          'the same contact, and then another',
          isOpen,
          ['a', forbidden()],
          4000,
          ['a', forbidden()],
          4000,
          ['b', forbidden()],
        ],
        ['something else', null, ['a', forbidden()], ['b', closed()]],
        ['something else between', null, ['a', forbidden()], ['b', closed()], ['c', forbidden()]],
        ['a Retry-After about one contact', null, ['a', brokenFor()], ['b', brokenFor()]],
      ] as const,
      ([, expected, ...steps]) => {
        const { begin, advance, state } = arrange({ maxFailedContacts: 10 })
        // The calls start together, before the first ends.
        const ends = steps.map((step) => (typeof step === 'number' ? null : begin(step[0])))
        for (const [index, step] of steps.entries()) {
          if (typeof step === 'number') advance(step)
          else ends[index]?.(step[1])
        }
        return difference(state().name === isOpen ? isOpen : null, expected)
      },
      'it opens if that is confirmed',
    )
  },
)

t.test('the second contact opens the breaker for as long as Hilos asked for then', async (t) => {
  const { call, refusedAfter, reports } = arrange()
  call('a', closed(300))
  call('b', closed(7))
  t.strictSame(refusedAfter(0, 6999, 1), [rateLimited(7), rateLimited(1), null])
  t.strictSame(reports, ['upstream_rate_limited'])
})

t.test(
  'a probe that may have failed because of its contact keeps the breaker open, but not for its Retry-After',
  async (t) => {
    for (const [failure, code] of [
      [closed(300), 'upstream_unavailable 1'],
      [forbidden(), 'upstream_forbidden null'],
    ] as const) {
      const { call, refused, refusedAfter } = arrangeProbe()
      call('d', failure)
      t.strictSame(refusedAfter(0, 999, 1), [code, code, null])
      t.not(refused('d'), null, 'its own contact pauses for longer')
      call('e', failure)
      t.strictSame(refusedAfter(1000).length, 1)
      t.not(refused(), null, 'a second contact confirms it')
    }
  },
)

t.test('a contact that pauses on its own is not the probe', async (t) => {
  const { call, failAll, advance, refused, state } = arrange()
  call('z', closed(300))
  failAll('ab')
  advance(1000)
  t.equal(refused('z'), rateLimited(299))
  t.equal(state().name, 'open')
})

t.test('a 401 is told before the pause of a contact', async (t) => {
  const { call, refused } = arrange()
  call('a', closed(300))
  call('b', unauthorized())
  t.equal(refused('a'), 'upstream_unauthorized null')
})

t.test(
  'as many contacts pause on their own as are remembered, and the one that was paused first is forgotten',
  async (t) => {
    const { begin, refused } = arrange({ maxFailedContacts: 10 })
    const pausedOf = (ids: string) => [...ids].filter((id) => refused(id) !== null).join('')
    const [a, b, again, c, d] = [...'abacd'].map((id) => begin(id))
    for (const end of [a, b, again, c]) end?.(brokenFor())
    t.equal(pausedOf('abcd'), 'abc')
    d?.(brokenFor())
    t.equal(pausedOf('abcd'), 'acd')
  },
)

t.test('contacts that are refused count as failed when nothing is answered between', async (t) => {
  const { call, advance, refused } = arrange()
  for (const id of 'ab') {
    call(id, forbidden())
    advance(5000)
  }
  t.equal(refused(), null)
  call('c', forbidden())
  t.equal(refused(), 'upstream_forbidden null')
})

t.test('a probe that fails for another reason is reported, and its pause holds', async (t) => {
  const { call, reports, refusedAfter } = arrange()
  call('a', unauthorized())
  t.strictSame(refusedAfter(5000), [null])
  call('a', forbidden())
  t.strictSame(refusedAfter(5000), [null])
  call('b', paused(7))
  t.strictSame(refusedAfter(6999, 1), [rateLimited(1), null])
  call('a', broken())
  t.strictSame(refusedAfter(0, 1000), [unavailable(1), null])
  call('a', failed('upstream_unavailable')(1))
  t.strictSame(refusedAfter(1000), [null])
  call('a')
  const codes = ['upstream_unauthorized', 'upstream_forbidden', 'upstream_rate_limited', 'upstream_unavailable']
  t.strictSame(reports, [...codes, 'closed'])
})

t.test('a call that started before the breaker opened or closed changes nothing when it ends', async (t) => {
  const { begin, failAll, refused, refusedAfter, reports, advance } = arrange({ openMs: 2000 })
  const early = [...'defghijk'].map((id) => begin(id))
  const endOne = (failure: Failure | null) => early.pop()?.(failure)
  failAll('abc')
  advance(500)
  endOne(null)
  t.equal(refused(), unavailable(2), 'an answer does not close it')
  endOne(broken())
  t.strictSame(refusedAfter(0, 1500), [unavailable(2), null], 'a failure does not extend it')

  const probe = begin('l')
  endOne(null)
  t.equal(refused(), unavailable(2), 'neither closes it during a probe')
  endOne(broken())
  t.equal(refused(), unavailable(2))
  t.strictSame(reports, ['upstream_unavailable'])
  probe(null)
  t.equal(refused(), null)

  for (const _ of 'abc') endOne(broken())
  t.equal(refused(), null, 'failures do not open it after it has closed')
  failAll('mn')
  endOne(null)
  failAll('o')
  t.equal(refused(), unavailable(2), 'an answer does not restart the count')
  t.strictSame(reports, ['upstream_unavailable', 'closed', 'upstream_unavailable'])
  t.equal(early.length, 0)
})

t.test('a pause of an earlier call replaces the current one only if it ends later', async (t) => {
  checkRows(
    t,
    [
      [5, 0, paused(3), rateLimited(5), 5000],
      [5, 2000, paused(4), rateLimited(4), 4000, 'upstream_rate_limited'],
      [7, 0, broken(7), rateLimited(7), 7000],
      [5, 2000, unauthorized(), 'upstream_unauthorized null', 5000, 'upstream_unauthorized'],
      [300, 1000, unauthorized(), rateLimited(299), 299_000],
    ] as const,
    ([seconds, afterMs, failure, refusal, leftMs, ...openedAgain]) => {
      const { begin, call, refused, refusedAfter, opened, reports, advance } = arrange()
      const early = begin('z')
      call('a', paused(seconds))
      advance(afterMs)
      early(failure)
      const found = [refused(), ...refusedAfter(leftMs - 1, 1).map((each) => each === null), opened, reports]
      const codes = ['upstream_rate_limited', ...openedAgain]
      return difference(found, [refusal, false, true, codes, [...new Set(codes)]])
    },
    'the pause that ends last holds, and its reason is reported if it is another one',
  )
})

t.test('a pause of an earlier call opens the breaker during a probe, and after the breaker has closed', async (t) => {
  const { begin, call, failAll, refused, refusedAfter, reports, advance } = arrange()
  const [early, other] = [begin('y'), begin('z')]
  failAll('abc')
  advance(1000)
  const probe = begin('d')
  early(paused(7))
  probe(null)
  t.strictSame(refusedAfter(0, 7000), [rateLimited(7), null], 'the probe changes nothing any more')
  t.strictSame(reports, ['upstream_unavailable', 'upstream_rate_limited'])
  call('d')
  other(paused(7))
  t.equal(refused(), rateLimited(7))
  t.strictSame(reports.slice(2), ['closed', 'upstream_rate_limited'])
})

t.test('calls that started before an answer count when they fail after it, and open the breaker once', async (t) => {
  const { begin, call, refusedAfter, reports, opened } = arrange()
  const ends = [...'abcefghijklmnop'].map((id) => begin(id))
  call('d')
  for (const end of ends) end(broken())
  t.strictSame(refusedAfter(0, 1000), [unavailable(1), null])
  t.strictSame([opened, reports], [['upstream_unavailable'], ['upstream_unavailable']])
})

t.test('a call may send another request until the breaker opens, and when it has closed again', async (t) => {
  const { beginCall, call, failAll, advance } = arrange()
  const early = beginCall('z')
  t.ok(early.mayGoOn())
  failAll('abc')
  t.notOk(early.mayGoOn())
  advance(1000)
  t.notOk(early.mayGoOn(), 'it is open until the next call starts')
  const probe = beginCall('d')
  t.notOk(early.mayGoOn(), 'during a probe')
  t.ok(probe.mayGoOn(), 'the probe itself')
  probe.end(null)
  t.ok(early.mayGoOn())
  call('e', unauthorized())
  t.notOk(early.mayGoOn())
})

t.test(
  'a pause that Hilos asked for all calls is told when it opens the breaker, and no other reason is',
  async (t) => {
    const rows: readonly (readonly [string, readonly (Failure | null)[], readonly number[]])[] = [
      ['contacts that failed', [broken(), broken(), broken()], []],
      ['a 401', [unauthorized()], []],
      ['two 403', [forbidden(), forbidden()], []],
      ['one contact', [brokenFor(7), closed(7)], []],
      ['a second contact', [closed(7), closed(8)], [8000]],
      ['a longer one', [paused(7), paused(7), paused(6), paused(9)], [7000, 9000]],
    ]
    for (const [title, failures, expected] of rows) {
      const { begin, pauses } = arrange()
      const ends = failures.map((_failure, index) => begin(`${index}`))
      for (const [index, failure] of failures.entries()) ends[index]?.(failure)
      t.strictSame(pauses, expected, title)
    }
  },
)

t.test('a pause that another process was asked for stops all calls, and is not told again', async (t) => {
  const { pause, refused, refusedAfter, reports, pauses, call, opened } = arrange()
  pause(2500)
  t.strictSame(refusedAfter(0, 500, 1000), [
    'upstream_rate_limited 3',
    'upstream_rate_limited 2',
    'upstream_rate_limited 1',
  ])
  pause(500)
  t.equal(refused(), 'upstream_rate_limited 1', 'the longer one holds')
  t.strictSame([opened, reports, pauses], [['upstream_rate_limited'], ['upstream_rate_limited'], []])
  t.strictSame(refusedAfter(1000).length, 1)
  call('probe')
  t.strictSame(reports, ['upstream_rate_limited', 'closed'])
})
