import t, { type Test } from 'tap'
import { createGovernor, type GovernorOptions, type Turn } from '../../../src/upstream/calls/rate-limiter.ts'
import { UpstreamFailure } from '../../../src/upstream/upstream-failure.ts'
import { createTimers, settled } from '../../harness/timers.ts'

interface Event {
  readonly name: string
  /** Milliseconds since the beginning. */
  readonly at: number
}

/** A governor without bounds but for those given, on a clock of the test's. */
function arrange(options: Partial<GovernorOptions> = {}) {
  const timers = createTimers()
  const startedAt = timers.elapsed()
  const governor = createGovernor({
    maxPerSecond: 0,
    maxConcurrent: 10_000,
    maxQueued: 10_000,
    maxWaitMs: 60_000,
    elapsed: timers.elapsed,
    schedule: timers.schedule,
    ...options,
  })
  const begun: Event[] = []
  const refused: Event[] = []
  const failures: unknown[] = []
  const releases = new Map<string, () => void>()
  const turns = new Map<string, Turn>()
  const event = (name: string): Event => ({ name, at: timers.elapsed() - startedAt })

  function ask(name: string, isAwaited: () => boolean = () => true): void {
    governor.turn(isAwaited).then(
      (turn) => {
        begun.push(event(name))
        releases.set(name, turn.end)
        turns.set(name, turn)
      },
      (failure: unknown) => {
        refused.push(event(name))
        failures.push(failure)
      },
    )
  }

  /** As another event of that name with a prime. */
  function askAgain(name: string, mostMs = 60_000): void {
    turns
      .get(name)
      ?.again(mostMs)
      .then(
        () => begun.push(event(`${name}'`)),
        (failure: unknown) => {
          refused.push(event(`${name}'`))
          failures.push(failure)
        },
      )
  }

  async function release(name: string): Promise<void> {
    releases.get(name)?.()
    releases.delete(name)
    await settled()
  }

  return { ...timers, ask, askAgain, release, releases, begun, refused, failures, refuseAll: governor.refuseAll }
}

const namesOf = (events: readonly Event[]) => events.map(({ name }) => name).join(' ')
const timesOf = (events: readonly Event[]) => events.map(({ at }) => at)
const refreshing = () => false

/** The same numbers from 0 to 1 for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Fails when more than so many events lie in any window of so many milliseconds, its end not included. */
function atMost(t: Test, count: number, windowMs: number, times: readonly number[], name: string): void {
  const gaps = times.slice(count).map((at, index) => at - (times[index] ?? Number.NaN))
  t.ok(gaps.length > 20, `${name}: ${times.length} begun`)
  t.ok(
    gaps.every((gap) => gap >= windowMs),
    `${name}: no more than ${count} within ${windowMs} ms, the closest ${Math.min(...gaps)} ms`,
  )
}

const rates = [
  [1, 1, 1000],
  [2, 2, 1000],
  [5, 5, 1000],
  [50, 50, 1000],
  // Two in one second and three in the next would be more than two and a half in some second between.
  [2.5, 2, 1000],
  [1.99, 1, 1000],
  [0.8, 1, 1250],
  [0.5, 1, 2000],
  [0.25, 1, 4000],
] as const
for (const [maxPerSecond, count, windowMs] of rates)
  t.test(`a rate of ${maxPerSecond} a second, however calls arrive, is kept in every second there is`, async (t) => {
    for (const seed of [1, 2, 3]) {
      const random = createRandom(seed)
      const { ask, release, releases, advance, begun, armed } = arrange({ maxPerSecond, maxConcurrent: 60 })
      for (let index = 0; timesOf(begun).length < 4 * count + 30; index += 1) {
        // Bursts, trickles and silences.
        const mean = [0, 10, windowMs / count, 3 * windowMs][Math.floor(random() * 4)] ?? 0
        for (let left = Math.ceil(random() * 2 * count); left > 0; left -= 1) {
          ask(`${index}`, () => random() < 0.5)
          await advance(Math.floor(random() * mean))
          if (armed().length > 1) t.fail('more than one timer')
        }
        for (const name of releases.keys()) if (random() < 0.7) await release(name)
      }
      atMost(t, count, windowMs, timesOf(begun), `seed ${seed}`)
    }
  })

for (const [maxPerSecond, count, windowMs] of rates)
  t.test(`a rate of ${maxPerSecond} a second, when more is always wanted, is used to the full`, async (t) => {
    const { ask, advance, begun } = arrange({ maxPerSecond })
    const bunches = 4
    for (let index = 0; index < bunches * count; index += 1) ask(`${index}`)
    await advance((bunches - 1) * windowMs)
    t.strictSame(
      timesOf(begun),
      Array.from({ length: bunches * count }, (_, index) => Math.floor(index / count) * windowMs),
    )
  })

t.test('tokens, when taken, come back exactly one second later, each by itself', async (t) => {
  const { ask, advance, begun, armed } = arrange({ maxPerSecond: 3 })
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    ask(name)
    await advance(300)
  }
  t.strictSame(armed(), [])
  t.strictSame(timesOf(begun), [0, 300, 600, 1000, 1300, 1600])
  // Tokens are back at 2000, 2300 and 2600; it is 1800.
  ask('g')
  t.strictSame(armed(), [200])
  await advance(199)
  t.equal(begun.length, 6)
  await advance(1)
  t.equal(namesOf(begun), 'a b c d e f g')
  t.strictSame(armed(), [])
})

t.test('tokens, when nobody took them for long, are no more than the bucket holds', async (t) => {
  const { ask, advance, begun } = arrange({ maxPerSecond: 2 })
  await advance(60_000)
  for (const name of ['a', 'b', 'c']) ask(name)
  await settled()
  t.equal(namesOf(begun), 'a b')
})

t.test('a timer, when it rings early, is set again for what is left', async (t) => {
  const rings: (() => void)[] = []
  const delays: number[] = []
  const { ask, begun } = arrange({
    maxPerSecond: 1,
    schedule: (run, ms) => {
      rings.push(run)
      delays.push(ms)
      return () => {}
    },
  })
  ask('a')
  ask('b')
  rings.at(-1)?.()
  await settled()
  t.equal(namesOf(begun), 'a')
  t.strictSame(delays, [1000, 1000])
})

t.test('no rate, when there is none, lets everything begin at once', async (t) => {
  const { ask, begun, armed } = arrange({ maxPerSecond: 0 })
  for (let index = 0; index < 1000; index += 1) ask(`${index}`)
  await settled()
  t.equal(begun.length, 1000)
  t.strictSame(armed(), [])
})

t.test('a call, when it is over, makes room for exactly one', async (t) => {
  for (const maxPerSecond of [0, 100]) {
    const { ask, release, begun, armed } = arrange({ maxPerSecond, maxConcurrent: 2 })
    for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name)
    await settled()
    t.equal(namesOf(begun), 'a b')
    // For the one who waits longest to give up; a token that comes back would not help.
    t.strictSame(armed(), [60_000])
    await release('b')
    t.equal(namesOf(begun), 'a b c')
    await release('a')
    t.equal(namesOf(begun), 'a b c d')
    await release('d')
    t.equal(namesOf(begun), 'a b c d e')
    t.strictSame(armed(), [])
    await release('c')
    ask('f')
    ask('g')
    await settled()
    t.equal(namesOf(begun), 'a b c d e f')
  }
})

t.test('a call, when it ends while no token is there, makes room all the same', async (t) => {
  const { ask, release, advance, begun, armed } = arrange({ maxPerSecond: 1, maxConcurrent: 1 })
  ask('a')
  ask('b')
  await settled()
  t.strictSame(armed(), [60_000])
  await release('a')
  t.strictSame(armed(), [1000])
  await advance(999)
  t.equal(namesOf(begun), 'a')
  await advance(1)
  t.equal(namesOf(begun), 'a b')
  // And a token that is there is of no use before a call ends.
  ask('c')
  await advance(5000)
  t.equal(namesOf(begun), 'a b')
  await release('b')
  t.equal(namesOf(begun), 'a b c')
})

t.test('callers, when refreshes came before them, go first, and each kind in the order it came', async (t) => {
  const { ask, advance, begun } = arrange({ maxPerSecond: 1 })
  ask('first')
  ask('refresh-1', refreshing)
  ask('caller-1')
  ask('refresh-2', refreshing)
  ask('caller-2')
  ask('refresh-3', refreshing)
  await advance(5000)
  t.equal(namesOf(begun), 'first caller-1 caller-2 refresh-1 refresh-2 refresh-3')
})

t.test('a refresh, when somebody begins to wait for it, is a caller from then on', async (t) => {
  const { ask, advance, begun } = arrange({ maxPerSecond: 1 })
  let isAwaited = false
  ask('first')
  ask('refresh-1', refreshing)
  ask('refresh-2', () => isAwaited)
  ask('refresh-3', refreshing)
  await advance(999)
  isAwaited = true
  ask('caller')
  await advance(3001)
  t.equal(namesOf(begun), 'first refresh-2 caller refresh-1 refresh-3')
})

t.test('the queue, when it is full by count or by what can have its turn in time, takes no more', async (t) => {
  const table = [
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
  for (const [maxPerSecond, maxWaitMs, maxQueued, expected] of table) {
    const { ask, refused, failures, armed } = arrange({ maxPerSecond, maxConcurrent: 1, maxQueued, maxWaitMs })
    ask('under way')
    for (let index = 0; index < expected; index += 1) ask(`${index}`)
    await settled()
    t.strictSame(refused, [], `${maxPerSecond} a second, ${maxWaitMs} ms, ${maxQueued}`)
    ask('too many')
    await settled()
    t.strictSame(refused, [{ name: 'too many', at: 0 }])
    t.equal(armed().length, expected === 0 ? 0 : 1)
    const [failure] = failures
    if (!(failure instanceof UpstreamFailure)) throw new Error('not transient', { cause: failure })
    t.match(failure, { code: 'overloaded', retryAfterSeconds: 2, worthRetrying: false, pauseMs: 0 })
  }
})

t.test('the queue, when full, gives up the last that nobody waits for, or else the newcomer', async (t) => {
  const { ask, refused, advance, begun } = arrange({ maxPerSecond: 1, maxQueued: 5 })
  let isAwaited = false
  ask('first')
  ask('refresh-1', refreshing)
  ask('refresh-2', () => isAwaited)
  ask('caller-1')
  ask('refresh-3', refreshing)
  ask('caller-2')
  await settled()
  t.equal(namesOf(refused), '')
  ask('refresh-4', refreshing)
  await settled()
  t.equal(namesOf(refused), 'refresh-4')
  ask('caller-3')
  await settled()
  t.equal(namesOf(refused), 'refresh-4 refresh-3')
  isAwaited = true
  ask('caller-4')
  await settled()
  t.equal(namesOf(refused), 'refresh-4 refresh-3 refresh-1')
  ask('caller-5')
  await settled()
  t.equal(namesOf(refused), 'refresh-4 refresh-3 refresh-1 caller-5')
  t.strictSame(timesOf(refused), [0, 0, 0, 0])
  await advance(5000)
  t.equal(namesOf(begun), 'first refresh-2 caller-1 caller-2 caller-3 caller-4')
})

t.test('a wait, when it is as long as it may be, is over, for each at its own time', async (t) => {
  const { ask, release, advance, refused, failures, begun, armed } = arrange({ maxConcurrent: 1, maxWaitMs: 500 })
  ask('under way')
  ask('a')
  await advance(200)
  ask('b', refreshing)
  await advance(100)
  ask('c')
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
  for (const failure of failures) {
    t.ok(failure instanceof UpstreamFailure)
    t.match(failure, { code: 'overloaded', pauseMs: 0 })
  }
  t.strictSame(armed(), [])
  await release('under way')
  t.equal(namesOf(begun), 'under way')
  ask('d')
  await settled()
  t.equal(namesOf(begun), 'under way d', 'and those who gave up took nothing with them')
})

t.test('a wait, when a token comes back only after it, does not last until then', async (t) => {
  const { ask, advance, refused, armed } = arrange({ maxPerSecond: 0.5, maxWaitMs: 500 })
  ask('a')
  ask('b')
  t.strictSame(armed(), [500])
  await advance(5000)
  t.strictSame(refused, [{ name: 'b', at: 500 }])
})

t.test('turns, when a timer is late, are all given out by the next who comes', async (t) => {
  const { ask, advance, begun } = arrange({ maxPerSecond: 3, schedule: () => () => {} })
  for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name)
  await advance(3000)
  ask('f')
  ask('g')
  await settled()
  t.equal(namesOf(begun), 'a b c d e f')
})

t.test('a turn, when it comes at the very end of the wait or is late, comes too late', async (t) => {
  const atTheEnd = arrange({ maxPerSecond: 1, maxWaitMs: 1000, maxQueued: 10 })
  atTheEnd.ask('a')
  atTheEnd.ask('b')
  await atTheEnd.advance(1000)
  t.strictSame(atTheEnd.refused, [{ name: 'b', at: 1000 }])

  // A process that was busy for long, so that the timer rings late and a newcomer is there first.
  const deaf = arrange({ maxPerSecond: 1, maxWaitMs: 1500, schedule: () => () => {} })
  for (const name of ['a', 'b', 'c']) deaf.ask(name)
  await deaf.advance(2000)
  deaf.ask('d')
  await settled()
  t.equal(namesOf(deaf.refused), 'b c')
  t.equal(namesOf(deaf.begun), 'a d')
})

t.test('a timer, when the queue is empty again for whatever reason, is not left behind', async (t) => {
  const served = arrange({ maxPerSecond: 1, maxConcurrent: 1 })
  served.ask('a')
  t.strictSame(served.armed(), [])
  served.ask('b')
  t.strictSame(served.armed(), [60_000])
  await served.advance(1000)
  await served.release('a')
  t.equal(namesOf(served.begun), 'a b')
  t.strictSame(served.armed(), [])

  const givenUp = arrange({ maxConcurrent: 1, maxWaitMs: 500 })
  givenUp.ask('a')
  givenUp.ask('b')
  await givenUp.advance(500)
  t.equal(namesOf(givenUp.refused), 'b')
  t.strictSame(givenUp.armed(), [])
})

t.test('all who wait, when that is no use any more, are refused at once; who has a turn keeps it', async (t) => {
  const { ask, release, refuseAll, begun, refused, failures, armed } = arrange({ maxConcurrent: 1 })
  for (const name of ['a', 'b', 'c']) ask(name)
  await settled()
  const failure = new UpstreamFailure('upstream_rate_limited')
  refuseAll(failure)
  await settled()
  t.equal(namesOf(refused), 'b c')
  t.strictSame(failures, [failure, failure])
  t.strictSame(armed(), [])
  ask('d')
  await release('a')
  t.equal(namesOf(begun), 'a d')
})

t.test('a thousand calls, when they come at once, are a few now, a few soon, and the rest refused', async (t) => {
  const { ask, release, releases, advance, begun, refused, armed } = arrange({
    maxPerSecond: 5,
    maxConcurrent: 16,
    maxQueued: 100,
    maxWaitMs: 4000,
  })
  for (let index = 0; index < 1000; index += 1) ask(`${index}`, () => index % 3 === 0)
  await settled()
  t.strictSame([begun.length, refused.length], [5, 975])
  t.equal(armed().length, 1)
  for (let second = 1; second <= 4; second += 1) {
    await advance(1000)
    for (const name of releases.keys()) await release(name)
  }
  t.equal(begun.length, 20)
  t.equal(begun.length + refused.length, 1000)
  t.ok(
    begun.every(({ name, at }) => at === 0 || Number(name) % 3 === 0),
    'callers rather than refreshes',
  )
  t.equal(new Set([...begun, ...refused].map(({ name }) => name)).size, 1000, 'each hears once')
  t.strictSame(armed(), [])
})

t.test('timers, when none are given, are Node’s, keep no process alive and are called off', async (t) => {
  const log: unknown[] = []
  const rings: (() => void)[] = []
  t.intercept(globalThis, 'setTimeout', {
    value: (run: () => void, ms: number) => {
      rings.push(run)
      const timer = { unref: () => log.push('unref') && timer }
      log.push(ms)
      return timer
    },
  })
  t.intercept(globalThis, 'clearTimeout', { value: (timer: unknown) => log.push(timer ? 'clear' : 'nothing to clear') })
  let now = 1000
  const governor = createGovernor({
    maxPerSecond: 1,
    maxConcurrent: 1,
    maxQueued: 10,
    maxWaitMs: 4000,
    elapsed: () => now,
  })
  const first = await governor.turn(() => true)
  const second = governor.turn(() => true)
  t.strictSame(log.splice(0), [4000, 'unref'])
  first.end()
  t.strictSame(log.splice(0), ['clear', 1000, 'unref'])
  now += 1000
  rings.at(-1)?.()
  t.type((await second).end, 'function')
  t.strictSame(log, ['clear'])
})

t.test(
  'a call, when it asks for another turn, gives its own to nobody else and goes before all who wait',
  async (t) => {
    const { ask, askAgain, release, begun } = arrange({ maxConcurrent: 2 })
    for (const name of 'abcd') ask(name)
    await settled()
    askAgain('a')
    askAgain('b')
    await settled()
    t.equal(namesOf(begun), "a b a' b'", 'all slots, and no deadlock')
    await release('a')
    t.equal(namesOf(begun), "a b a' b' c", 'its end is that of the turn it has')
    await release('a')
    t.equal(namesOf(begun), "a b a' b' c", 'and ends once')
    await release('b')
    t.equal(namesOf(begun), "a b a' b' c d")
  },
)

t.test('a call, when it waits for another turn, holds no slot, and has the next token', async (t) => {
  const { ask, askAgain, advance, begun } = arrange({ maxPerSecond: 2, maxConcurrent: 2 })
  for (const name of 'abcd') ask(name)
  await settled()
  askAgain('a')
  askAgain('b')
  ask('e')
  await advance(999)
  t.equal(namesOf(begun), 'a b')
  await advance(1)
  t.equal(namesOf(begun), "a b a' b'")
})

t.test('a call, when it waits for another turn, waits no longer than it says, nor than anybody', async (t) => {
  for (const [mostMs, waitedMs] of [
    [300, 300],
    [499, 499],
    [500, 500],
    [501, 500],
    [0, 0],
    [-1, 0],
  ] as const) {
    const { ask, askAgain, advance, refused, failures } = arrange({ maxPerSecond: 5, maxWaitMs: 500 })
    for (const name of 'a1234') ask(name)
    await settled()
    ask('b')
    await advance(100)
    ask('c')
    askAgain('a', mostMs)
    await advance(1000)
    const times = Object.fromEntries(refused.map(({ name, at }) => [name, at]))
    t.strictSame(times, { "a'": 100 + waitedMs, b: 500, c: 600 }, `${mostMs} ms`)
    t.match(failures[0], { code: 'overloaded' })
  }
})

t.test('calls, when too many wait, are turned away before one that waits for another turn', async (t) => {
  const { ask, askAgain, refused, begun, advance, refuseAll } = arrange({ maxPerSecond: 1, maxQueued: 2 })
  ask('a')
  await settled()
  ask('b')
  ask('c', refreshing)
  askAgain('a')
  await settled()
  t.equal(namesOf(refused), 'c')
  ask('d')
  await settled()
  t.equal(namesOf(refused), 'c d')
  await advance(1000)
  t.equal(namesOf(begun), "a a'")
  refuseAll(new UpstreamFailure('upstream_unavailable'))
  await settled()
  t.equal(namesOf(refused), 'c d b')
})

t.test('a call, when all are refused while it waits for another turn, holds nothing', async (t) => {
  const { ask, askAgain, release, refused, begun, advance, refuseAll } = arrange({ maxPerSecond: 1, maxConcurrent: 1 })
  ask('a')
  await settled()
  askAgain('a')
  refuseAll(new UpstreamFailure('upstream_unavailable'))
  await release('a')
  t.equal(namesOf(refused), "a'")
  ask('b')
  ask('c')
  await advance(1000)
  t.equal(namesOf(begun), 'a b', 'one at a time')
})
