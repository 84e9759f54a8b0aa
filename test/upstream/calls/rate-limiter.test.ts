import t from 'tap'
import { type Clock, sleep } from '../../../src/common/clock.ts'
import type { CallDemand } from '../../../src/upstream/calls/call-queue.ts'
import { createLocalRation } from '../../../src/upstream/calls/local-ration.ts'
import { createRateLimiter, type RateLimiterOptions, type Slot } from '../../../src/upstream/calls/rate-limiter.ts'
import { UpstreamFailure } from '../../../src/upstream/failures.ts'
import { checkRowsInTurn, difference } from '../../harness/table.ts'
import { createTimers, settled } from '../../harness/timers.ts'

interface Event {
  readonly name: string
  /** Milliseconds since the start. */
  readonly at: number
}

const waiting: CallDemand['urgency'] = () => 2
const refreshing: CallDemand['urgency'] = () => 0

const noLimits = {
  maxCallsPerSecond: 0,
  rateMargin: 0,
  maxConnections: 10_000,
  maxQueuedCalls: 10_000,
  maxWaitMs: 60_000,
}

/**
 * A limiter that has only the given limits, without a margin, on a clock by hand.
 * @param sendsLater whether the test sends the requests of `ask`; they are sent at once by default
 */
function arrange(
  settings: Partial<Omit<RateLimiterOptions, 'clock'>> = {},
  clock: Partial<Clock> = {},
  sendsLater = false,
) {
  const timers = createTimers(0)
  const options = { ...noLimits, ...settings, clock: { ...timers, ...clock } }
  const limiter = createRateLimiter(options, createLocalRation(options))
  const started: Event[] = []
  const refused: Event[] = []
  const failures: unknown[] = []
  const slots = new Map<string, Slot>()

  function record(name: string, slot: Promise<unknown>): void {
    slot.then(
      () => started.push({ name, at: timers.elapsed() }),
      (failure: unknown) => {
        refused.push({ name, at: timers.elapsed() })
        failures.push(failure)
      },
    )
  }

  /**
   * Asks for a slot for each of these names, and waits until those that can start have started.
   * @param callers who asks for each; a caller for each by default
   */
  async function ask(names: string, urgency = waiting, callers?: string): Promise<void> {
    for (const name of names.split(' ')) {
      const slot = limiter.slot({ askedBy: new Set((callers ?? name).split(' ')), urgency })
      record(name, slot)
      slot
        .then((granted) => {
          slots.set(name, granted)
          if (!sendsLater) granted.sent()
        })
        .catch(() => {})
    }
    await settled()
  }

  /** Requeues calls. They are recorded under their names with a prime. */
  async function requeue(names: string, mostMs = 60_000): Promise<void> {
    for (const name of names.split(' ')) {
      const slot = slots.get(name)
      record(`${name}'`, slot?.requeue(mostMs).then(slot.sent) ?? Promise.reject(name))
    }
    await settled()
  }

  async function release(name: string): Promise<void> {
    slots.get(name)?.release()
    slots.delete(name)
    await settled()
  }

  const send = (name: string) => slots.get(name)?.sent()

  return { ...timers, ...limiter, ask, requeue, release, send, slots, started, refused, failures }
}

const namesOf = (events: readonly Event[]) => events.map(({ name }) => name).join(' ')
const timesOf = (events: readonly Event[]) => events.map(({ at }) => at)

/** The same numbers from 0 to 1 for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const rateMargin = 0.05

/** How many calls fit into how many milliseconds where Hilos counts them, and how far apart calls are that wait. */
const rates = [
  [1, 1, 1000, 1050],
  [2, 2, 1000, 525],
  [5, 5, 1000, 210],
  [50, 50, 1000, 21],
  [100, 100, 1000, 10.5],
  // Two in one second and three in the next would be more than two and a half in a second between them.
  [2.5, 2, 1000, 525],
  [1.99, 1, 1000, 1050],
  [0.8, 1, 1250, 1312.5],
  [0.5, 1, 2000, 2100],
  [0.25, 1, 4000, 4200],
] as const

t.test('no sliding window has more arrivals than the rate allows, however calls come and travel', async (t) => {
  await checkRowsInTurn(
    t,
    rates.flatMap((rate) => [1, 2, 3].map((seed) => [...rate, seed] as const)),
    async ([maxCallsPerSecond, count, windowMs, , seed]) => {
      const random = createRandom(seed)
      const limits = { maxCallsPerSecond, rateMargin, maxConnections: 2 * count + 60 }
      const { slot, advance, elapsed, schedule } = arrange(limits)
      const arrivals: number[] = []
      /** Sends a request at once, or after a connection was opened, and lets it travel for up to the margin. */
      const request = async ({ sent }: Slot) => {
        if (random() < 0.5) await sleep({ schedule }, random() * 3000)
        sent()
        arrivals.push(elapsed() + random() * windowMs * rateMargin)
        await sleep({ schedule }, random() * windowMs)
      }
      const call = async () => {
        const granted = await slot({ askedBy: new Set(['a']), urgency: () => (random() < 0.5 ? 2 : 0) })
        await request(granted)
        if (random() < 0.1) await granted.requeue(60_000).then(() => request(granted))
        granted.release()
      }
      while (arrivals.length < 4 * count + 30) {
        // Bursts, trickles and silences.
        const meanMs = [0, 10, windowMs / count, 3 * windowMs][Math.floor(random() * 4)] ?? 0
        for (let left = Math.ceil(random() * 2 * count); left > 0; left -= 1) {
          call().catch(() => {})
          await advance(random() * meanMs)
        }
      }
      const times = arrivals.sort((one, other) => one - other)
      const gaps = times.slice(count).map((at, index) => at - (times[index] ?? Number.NaN))
      return difference([gaps.length > 20, Math.min(...gaps) >= windowMs], [true, true])
    },
    'the rate is kept',
  )
})

t.test('a burst takes all tokens at once, and those that wait are granted at an even pace', async (t) => {
  await checkRowsInTurn(
    t,
    rates,
    async ([maxCallsPerSecond, count, windowMs, paceMs]) => {
      const { ask, advance, started } = arrange({ maxCallsPerSecond, rateMargin })
      for (let left = 4 * count; left > 0; left -= 1) await ask(`${left}`)
      await advance(6 * windowMs)
      const firstMs = windowMs * (1 + rateMargin)
      const waited = Array.from({ length: 3 * count }, (_, index) => firstMs + index * paceMs)
      return difference(timesOf(started), [...Array(count).fill(0), ...waited])
    },
    'calls start at the rate',
  )
})

t.test('each token comes back exactly one second after it was taken, and unused ones do not add up', async (t) => {
  const { ask, advance, started, armed } = arrange({ maxCallsPerSecond: 3 })
  for (const name of 'abcdef') {
    await ask(name)
    await advance(300)
  }
  t.strictSame(armed(), [])
  t.strictSame(timesOf(started), [0, 300, 600, 1000, 1300, 1600])
  // Tokens come back at 2000, 2300 and 2600; it is 1800.
  await ask('g')
  t.strictSame(armed(), [200])
  await advance(199)
  t.equal(started.length, 6)
  await advance(1)
  t.equal(namesOf(started), 'a b c d e f g')
  t.strictSame(armed(), [])
  await advance(60_000)
  await ask('h i j k')
  t.equal(namesOf(started), 'a b c d e f g h i j')
})

t.test('a timer that fires early is set again for the rest', async (t) => {
  const runs: (() => void)[] = []
  const delays: number[] = []
  const schedule = (run: () => void, ms: number) => {
    runs.push(run)
    delays.push(ms)
    return () => {}
  }
  const { ask, started } = arrange({ maxCallsPerSecond: 1 }, { schedule })
  await ask('a b')
  runs.at(-1)?.()
  await settled()
  t.equal(namesOf(started), 'a')
  // The first one was set before the request was sent.
  t.strictSame(delays, [60_000, 1000, 1000])
})

t.test('a call that ends makes room for exactly one', async (t) => {
  for (const maxCallsPerSecond of [0, 100]) {
    const { ask, release, advance, started, armed } = arrange({ maxCallsPerSecond, maxConnections: 2 })
    await ask('a b c d e')
    t.equal(namesOf(started), 'a b')
    // For the first wait to end: a token that comes back would not help.
    t.strictSame(armed(), [60_000])
    await release('b')
    t.equal(namesOf(started), 'a b c')
    await advance(10)
    await release('a')
    t.equal(namesOf(started), 'a b c d')
    await advance(10)
    await release('d')
    t.equal(namesOf(started), 'a b c d e')
    t.strictSame(armed(), [])
    await release('c')
    await ask('f g')
    t.equal(namesOf(started), 'a b c d e f')
  }
})

t.test('a call needs both a token and a connection', async (t) => {
  const { ask, release, advance, started, armed } = arrange({ maxCallsPerSecond: 1, maxConnections: 1 })
  await ask('a b')
  t.strictSame(armed(), [60_000])
  await release('a')
  t.strictSame(armed(), [1000])
  await advance(999)
  t.equal(namesOf(started), 'a')
  await advance(1)
  t.equal(namesOf(started), 'a b')
  t.strictSame(armed(), [])
  await ask('c')
  await advance(5000)
  t.equal(namesOf(started), 'a b')
  await release('b')
  t.equal(namesOf(started), 'a b c')
})

t.test('calls that a caller waits for by now go before refreshes, and each kind in its order', async (t) => {
  const { ask, advance, started } = arrange({ maxCallsPerSecond: 1 })
  let urgency: 0 | 2 = 0
  await ask('first')
  await ask('refresh-1', refreshing)
  await ask('refresh-2', () => urgency)
  await ask('caller-1')
  await ask('refresh-3', refreshing)
  await advance(999)
  urgency = 2
  await ask('caller-2')
  await advance(4001)
  t.equal(namesOf(started), 'first refresh-2 caller-1 caller-2 refresh-1 refresh-3')
})

t.test('the queue is limited by its length and by the calls that can start in time', async (t) => {
  const rows = [
    [5, 4000, 100, 20],
    [5, 4000, 20, 20],
    [5, 4000, 19, 19],
    [5, 4001, 100, 21],
    [0.5, 4000, 100, 2],
    [0.5, 2001, 100, 2],
    [0.5, 1, 100, 1],
    [2.5, 4000, 100, 8],
    [0, 4000, 100, 100],
    [5, 4000, 0, 0],
  ] as const
  const overloaded = { code: 'overloaded', retryAfterSeconds: 2, worthRetrying: false, pauseMs: 0 }
  await checkRowsInTurn(
    t,
    rows,
    async ([maxCallsPerSecond, maxWaitMs, maxQueuedCalls, expected]) => {
      const settings = { maxCallsPerSecond, maxConnections: 1, maxQueuedCalls, maxWaitMs }
      const { ask, refused, failures, armed } = arrange(settings)
      for (let index = 0; index <= expected; index += 1) await ask(`${index}`)
      const before = refused.length
      await ask('last')
      const [failure] = failures
      if (!(failure instanceof UpstreamFailure)) return 'the failure is not transient'
      const { code, retryAfterSeconds, worthRetrying, pauseMs } = failure
      return difference(
        [before, refused, armed().length, { code, retryAfterSeconds, worthRetrying, pauseMs }],
        [0, [{ name: 'last', at: 0 }], expected === 0 ? 0 : 1, overloaded],
      )
    },
    'one call more is refused immediately',
  )
})

t.test('a full queue refuses its last refresh, or else the newcomer', async (t) => {
  const { ask, refused, advance, started } = arrange({ maxCallsPerSecond: 1, maxQueuedCalls: 5 })
  let urgency: 0 | 2 = 0
  await ask('first')
  await ask('refresh-1', refreshing)
  await ask('refresh-2', () => urgency)
  await ask('caller-1')
  await ask('refresh-3', refreshing)
  await ask('caller-2')
  t.equal(namesOf(refused), '')
  await ask('refresh-4', refreshing)
  t.equal(namesOf(refused), 'refresh-4')
  await ask('caller-3')
  t.equal(namesOf(refused), 'refresh-4 refresh-3')
  urgency = 2
  await ask('caller-4')
  t.equal(namesOf(refused), 'refresh-4 refresh-3 refresh-1')
  await ask('caller-5')
  t.equal(namesOf(refused), 'refresh-4 refresh-3 refresh-1 caller-5')
  t.strictSame(timesOf(refused), [0, 0, 0, 0])
  await advance(5000)
  t.equal(namesOf(started), 'first refresh-2 caller-1 caller-2 caller-3 caller-4')
})

t.test('each wait ends after the longest wait, and takes no slot', async (t) => {
  const { ask, release, advance, refused, failures, started, armed } = arrange({ maxConnections: 1, maxWaitMs: 500 })
  await ask('first a')
  await advance(200)
  await ask('b', refreshing)
  await advance(100)
  await ask('c')
  await advance(199)
  t.strictSame(refused, [])
  t.strictSame(armed(), [1])
  await advance(1)
  t.strictSame(refused, [{ name: 'a', at: 500 }])
  t.strictSame(armed(), [200])
  await advance(1000)
  t.strictSame(refused.slice(1), [
    { name: 'b', at: 700 },
    { name: 'c', at: 800 },
  ])
  t.ok(failures.every((failure) => failure instanceof UpstreamFailure && failure.code === 'overloaded'))
  t.strictSame(armed(), [])
  await release('first')
  t.equal(namesOf(started), 'first')
  await ask('d')
  t.equal(namesOf(started), 'first d')
})

t.test('a wait does not last until a token that comes back after its end, or exactly at it', async (t) => {
  for (const [maxCallsPerSecond, maxWaitMs] of [
    [0.5, 500],
    [1, 1000],
  ] as const) {
    const { ask, advance, refused, armed } = arrange({ maxCallsPerSecond, maxWaitMs })
    await ask('a b')
    t.strictSame(armed(), [maxWaitMs])
    await advance(5000)
    t.strictSame(refused, [{ name: 'b', at: maxWaitMs }])
  }
})

t.test('timers that are up to 50 ms late do not slow down the pace', async (t) => {
  await checkRowsInTurn(
    t,
    // Milliseconds by which each timer is late, and when calls are granted that could be 100 ms apart.
    [
      [0, [0, 1000, 1100, 1200, 1300]],
      [1, [0, 1001, 1101, 1201, 1301]],
      [50, [0, 1050, 1150, 1250, 1350]],
      [51, [0, 1051, 1152, 1253, 1354]],
      [120, [0, 1120, 1290, 1460, 1630]],
    ] as const,
    async ([lateMs, expected]) => {
      const timers = createTimers(0)
      const schedule = (run: () => void, ms: number) => timers.schedule(run, ms + lateMs)
      const options = { ...noLimits, maxCallsPerSecond: 10, clock: { ...timers, schedule } }
      const limiter = createRateLimiter(options, createLocalRation(options))
      const times: number[] = []
      for (let left = 14; left > 0; left -= 1) {
        const slot = limiter.slot({ askedBy: new Set([`${left}`]), urgency: waiting })
        slot
          .then(({ sent }) => {
            sent()
            times.push(timers.elapsed())
          })
          .catch(() => {})
      }
      await timers.advance(2000)
      return difference(times.slice(9), expected)
    },
    'the pace is kept',
  )
})

t.test('calls that have waited for a connection are granted at an even pace', async (t) => {
  const { ask, release, advance, started } = arrange({ maxCallsPerSecond: 10, maxConnections: 2 })
  await ask('a b c d')
  await advance(5000)
  await release('a')
  await release('b')
  t.equal(namesOf(started), 'a b c')
  await advance(49)
  t.equal(namesOf(started), 'a b c')
  await advance(1)
  t.equal(namesOf(started), 'a b c d')
})

t.test('a token is held until the request is sent or its call ends, and for a second from then on', async (t) => {
  const { ask, requeue, send, release, advance, started } = arrange({ maxCallsPerSecond: 2 }, {}, true)
  await ask('a b')
  await advance(5000)
  await ask('c d')
  t.equal(namesOf(started), 'a b')
  send('b')
  await advance(100)
  send('a')
  await release('a')
  await advance(899)
  t.equal(namesOf(started), 'a b')
  await advance(1)
  t.equal(namesOf(started), 'a b c', 'the token of b')
  await advance(500)
  t.equal(namesOf(started), 'a b c d', 'that of a, at the pace')
  await release('c')
  await ask('e')
  await advance(999)
  t.equal(namesOf(started), 'a b c d')
  await advance(1)
  t.equal(namesOf(started), 'a b c d e', 'that of c, which was not sent')
  send('d')
  await requeue('d')
  await advance(1000)
  t.equal(namesOf(started), "a b c d e d'", 'its first one has come back')
})

t.test('when timers are late, the next call grants free slots and refuses ended waits', async (t) => {
  const schedule = () => () => {}
  const inTime = arrange({ maxCallsPerSecond: 3 }, { schedule })
  await inTime.ask('a b c d e')
  await inTime.advance(3000)
  await inTime.ask('f g')
  t.equal(namesOf(inTime.started), 'a b c d', 'not several at once')

  const tooLate = arrange({ maxCallsPerSecond: 1, maxWaitMs: 1500 }, { schedule })
  await tooLate.ask('a b c')
  await tooLate.advance(2000)
  await tooLate.ask('d')
  t.equal(namesOf(tooLate.refused), 'b c')
  t.equal(namesOf(tooLate.started), 'a d')
})

t.test('rejectAll refuses all calls that wait, and none that has a slot', async (t) => {
  const { ask, release, rejectAll, started, refused, failures, armed } = arrange({ maxConnections: 1 })
  await ask('a b c')
  const failure = new UpstreamFailure('upstream_rate_limited')
  rejectAll(failure)
  await settled()
  t.equal(namesOf(refused), 'b c')
  t.strictSame(failures, [failure, failure])
  t.strictSame(armed(), [])
  await ask('d')
  await release('a')
  t.equal(namesOf(started), 'a d')
})

t.test('requeued calls go before all that wait, and their release is that of their last slot', async (t) => {
  const { ask, requeue, release, slots, started } = arrange({ maxConnections: 2 })
  await ask('a b c d')
  const slot = slots.get('a')
  await requeue('a b')
  t.equal(namesOf(started), "a b a' b'", 'all slots, without a deadlock')
  await release('a')
  t.equal(namesOf(started), "a b a' b' c")
  slot?.release()
  await settled()
  t.equal(namesOf(started), "a b a' b' c", 'a second release does nothing')
  await release('b')
  t.equal(namesOf(started), "a b a' b' c d")
})

t.test('a requeued call holds no slot, and gets the next token', async (t) => {
  const { ask, requeue, advance, started } = arrange({ maxCallsPerSecond: 2, maxConnections: 2 })
  await ask('a b c d')
  await requeue('a b')
  await ask('e')
  await advance(999)
  t.equal(namesOf(started), 'a b')
  await advance(1)
  t.equal(namesOf(started), "a b a'")
  await advance(500)
  t.equal(namesOf(started), "a b a' b'")
})

t.test('a requeued call waits as long as it asks for, also longer than others', async (t) => {
  await checkRowsInTurn(
    t,
    [
      [300, 300],
      [499, 499],
      [500, 500],
      [700, 700],
      [0, 0],
      [-1, 0],
    ] as const,
    async ([mostMs, waitedMs]) => {
      const { ask, requeue, advance, refused, failures } = arrange({ maxCallsPerSecond: 5, maxWaitMs: 500 })
      await ask('a 1 2 3 4 b')
      await advance(100)
      await ask('c')
      await requeue('a', mostMs)
      await advance(1000)
      const codes = failures.map((failure) => (failure as UpstreamFailure).code)
      const times = Object.fromEntries(refused.map(({ name, at }) => [name, at]))
      return difference([times, codes], [{ "a'": 100 + waitedMs, b: 500, c: 600 }, Array(3).fill('overloaded')])
    },
    'the wait ends then',
  )
})

t.test('a full queue refuses other calls before a requeued one', async (t) => {
  const { ask, requeue, refused, started, advance } = arrange({ maxCallsPerSecond: 1, maxQueuedCalls: 2 })
  await ask('a b')
  await ask('c', refreshing)
  await requeue('a')
  t.equal(namesOf(refused), 'c')
  await ask('d')
  t.equal(namesOf(refused), 'c d')
  await advance(1000)
  t.equal(namesOf(started), "a a'")
})

t.test('rejectAll refuses requeued calls too, which then hold no slot', async (t) => {
  const settings = { maxCallsPerSecond: 1, maxConnections: 1 }
  const { ask, requeue, release, refused, started, advance, rejectAll } = arrange(settings)
  await ask('a')
  await requeue('a')
  rejectAll(new UpstreamFailure('upstream_unavailable'))
  await release('a')
  t.equal(namesOf(refused), "a'")
  await ask('b c')
  await advance(1000)
  t.equal(namesOf(started), 'a b', 'one at a time')
})

t.test('the ration hears how many calls wait, and how many of them could start', async (t) => {
  const timers = createTimers(0)
  const wants: string[] = []
  let at = Number.POSITIVE_INFINITY
  const ration = {
    want: (waiting: number, startable: number) => wants.push(`${waiting} ${startable}`),
    nextAt: () => at,
    take: () => ({ sent: () => {} }),
    pause: () => {},
  }
  const limiter = createRateLimiter({ ...noLimits, maxConnections: 2, maxWaitMs: 500, clock: timers }, ration)
  const heard = () => [wants.at(-1), wants.splice(0).length > 0]
  const slots = ['a', 'b', 'c'].map((name) => limiter.slot({ askedBy: new Set([name]), urgency: waiting }))
  for (const slot of slots) slot.catch(() => {})
  t.strictSame(heard(), ['3 2', true])
  at = 0
  limiter.serveQueue()
  t.strictSame(wants.splice(0), ['3 2', '1 0'], 'those that were granted wait no more, and have the connections')
  ;(await slots[0])?.release()
  t.strictSame(wants.splice(0), ['1 1', '0 0'])
  limiter.slot({ askedBy: new Set(['d']), urgency: waiting }).catch(() => {})
  t.strictSame(heard(), ['1 0', true])
  await timers.advance(500)
  t.strictSame(heard(), ['0 0', true], 'its wait has ended')
  limiter.slot({ askedBy: new Set(['e']), urgency: waiting }).catch(() => {})
  heard()
  limiter.rejectAll(new UpstreamFailure('upstream_rate_limited'))
  t.strictSame(heard(), ['0 0', true])
})

t.test('a call that need not wait needs no timer, although time passes while it is granted', async (t) => {
  for (const maxCallsPerSecond of [0, 5]) {
    let elapsed = 0
    let timersArmed = 0
    const clock = {
      elapsed: () => {
        elapsed += 0.01
        return elapsed
      },
      schedule: () => {
        timersArmed += 1
        return () => {}
      },
    }
    const options = { ...noLimits, maxCallsPerSecond, clock }
    const limiter = createRateLimiter(options, createLocalRation(options))
    const slot = limiter.slot({ askedBy: new Set(['a']), urgency: waiting })
    t.equal(timersArmed, 0)
    t.ok(await slot)
  }
})
