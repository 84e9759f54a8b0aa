import t, { type Test } from 'tap'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { needsServer } from '../harness/valkey.ts'
import { createRandom, createRationRig, type RationRigOptions, worstSecond } from './ration-rig.ts'

interface Demand {
  readonly perSecond: number
  /** The share of calls that first open a connection, which takes up to 1.5 s. */
  readonly connecting?: number
  /** The longest time until an answer. */
  readonly answerMs?: number
}

type Arranged = Awaited<ReturnType<typeof arrange>>

const tooMuch: Demand = { perSecond: 9, connecting: 0.3 }

/** Three replicas, attached since two seconds, and random calls on them. */
async function arrange(t: Test, seed: number, options: Partial<RationRigOptions> = {}) {
  const random = createRandom(seed)
  const defaults = { maxCallsPerSecond: 5, random, maxLatencyMs: 20, expectedReplicas: 3 }
  const rig = await createRationRig(t, { ...defaults, ...options })
  for (let left = 3; left > 0; left -= 1) rig.add()
  const { clock, replicas, sentAt } = rig

  async function demand({ perSecond, connecting = 0, answerMs = 600 }: Demand, ms: number): Promise<void> {
    const end = clock.elapsed() + ms
    while (clock.elapsed() < end) {
      const burst = random() < 0.1 ? Math.ceil(random() * 8) : 1
      for (let left = burst; left > 0; left -= 1) {
        const replica = replicas[Math.floor(random() * replicas.length)]
        void replica?.call(random() < connecting ? random() * 1500 : 0, random() * answerMs)
      }
      await clock.advance(((random() * 2000) / perSecond) * burst)
    }
  }

  /** Attaches all, each after a random part of this time. */
  function attachAll(withinMs: number, isMemoryLost = false): void {
    for (const { attach } of replicas) clock.schedule(() => void attach(isMemoryLost), random() * withinMs)
  }
  function detachAll(withinMs: number): void {
    for (const { detach } of replicas) clock.schedule(detach, random() * withinMs)
  }
  const sentBetween = (from: number, to: number) => sentAt.filter((at) => at >= from && at < to).length

  attachAll(0)
  await clock.advance(2000)
  return { ...rig, random, demand, attachAll, detachAll, sentBetween }
}

/** Some of these have found faults. */
const seeds = [1, 5, 8, 14]

for (const [rate, most, mean] of [
  [5, 5, 4.6],
  [50, 50, 44],
  [500, 500, 440],
  [2.5, 2, 1.8],
  [1, 1, 0.88],
] as const)
  t.test(
    `all replicas together make no more than ${rate} calls a second, and hardly fewer`,
    needsServer(),
    async (t) => {
      const { demand, sentAt, sentBetween, clock } = await arrange(t, rate, { maxCallsPerSecond: rate })
      const ms = rate > 10 ? 4000 : 40_000
      const start = clock.elapsed()
      await demand({ perSecond: 3 * rate, answerMs: rate > 10 ? 60 : 600 }, ms)
      t.ok(worstSecond(sentAt) <= most, `${worstSecond(sentAt)} in the worst second`)
      const perSecond = (1000 * sentBetween(start + 2000, start + ms)) / (ms - 2000)
      t.ok(perSecond >= mean, `${perSecond} in the mean`)
    },
  )

/** How the tier fares while more calls are wanted than there may be, and some of them are slow to be sent. */
const spells = {
  'nothing happens': async ({ demand }: Arranged) => demand(tooMuch, 20_000),
  'the server loses its memory': async ({ demand, flush }: Arranged) => {
    for (let left = 4; left > 0; left -= 1) {
      await demand(tooMuch, 4000)
      await flush()
    }
    await demand(tooMuch, 4000)
  },
  'the server restarts': async ({ demand, restart, detachAll, attachAll, clock }: Arranged) => {
    for (const awayMs of [100, 2000, 8000]) {
      await demand(tooMuch, 6000)
      await restart()
      detachAll(40)
      await clock.advance(50)
      await demand(tooMuch, awayMs)
      attachAll(1000, true)
      await demand(tooMuch, 1000)
    }
    await demand(tooMuch, 4000)
  },
  'the server is frozen': async ({ demand, freeze, thaw, detachAll, attachAll }: Arranged) => {
    await demand(tooMuch, 6000)
    freeze()
    await demand(tooMuch, 300)
    detachAll(700)
    await demand(tooMuch, 8000)
    thaw()
    attachAll(1000)
    await demand(tooMuch, 6000)
  },
  'one replica comes and goes': async ({ demand, replicas }: Arranged) => {
    const [one] = replicas
    for (const awayMs of [500, 2000]) {
      await demand(tooMuch, 6000)
      one?.detach()
      await demand(tooMuch, awayMs)
      void one?.attach()
      await demand(tooMuch, 2000)
    }
  },
  'the clock of the server is set back': async ({ demand, skew }: Arranged) => {
    for (const ms of [-500, -4000, -3_600_000]) {
      await demand(tooMuch, 6000)
      skew(ms)
    }
    await demand(tooMuch, 20_000)
  },
}
for (const [title, spell] of Object.entries(spells))
  t.test(`no second has more than the ration while ${title}`, needsServer(), async (t) => {
    for (const seed of seeds) {
      const arranged = await arrange(t, seed)
      await spell(arranged)
      // Others do not notice at once that one is cut off, and is beginning to use its share.
      const most = title === 'one replica comes and goes' ? 6 : 5
      t.ok(worstSecond(arranged.sentAt) <= most, `seed ${seed}: ${worstSecond(arranged.sentAt)}`)
    }
  })

t.test('a pause holds for all replicas, the longer one of two, and is an event', needsServer(), async (t) => {
  const { replicas, clock, ask, sentAt } = await arrange(t, 1)
  const [one, other] = replicas
  one?.ration.pause(60_000)
  await clock.advance(100)
  one?.ration.pause(30_000)
  await clock.advance(100)
  void other?.call(0, 0)
  await clock.advance(100)
  const [leftMs = 0] = other?.pauses ?? []
  t.ok(leftMs > 30_000 && leftMs <= 60_000)
  t.strictSame([sentAt, one?.pauses], [[], []])
  t.equal(await ask('XLEN', '{test}:ev'), 1)
})

t.test(
  'the ration is kept while replicas are idle, and they give back what they do not need',
  needsServer(),
  async (t) => {
    const { replicas, clock, ask } = await arrange(t, 1)
    const tokens = () => ask('ZCARD', '{test}:gov:run0').then((count) => Number(count) - 1)
    for (let left = 8; left > 0; left -= 1) void replicas[0]?.call(0, 0)
    await clock.advance(1000)
    t.ok((await tokens()) >= 5)
    // Those that waited have gone, with the slots that were given to them ahead.
    replicas[0]?.limiter.rejectAll(new UpstreamFailure('overloaded'))
    await clock.advance(100)
    t.equal(await tokens(), 5)
    await clock.advance(2000)
    await ask('PEXPIRE', '{test}:gov:run0', 5000)
    await clock.advance(1100)
    t.ok(Number(await ask('PTTL', '{test}:gov:run0')) > 5000)
    void replicas[1]?.call(0, 0)
    await clock.advance(40)
    t.equal(replicas[1]?.calls.sent, 1, 'without a wait')
  },
)

t.test('while replicas are missing, the others leave them their shares, for a minute', needsServer(), async (t) => {
  const { replicas, clock, sentBetween } = await arrange(t, 1)
  const [one, other, missing] = replicas
  /** How many calls may start at once. */
  const burst = async () => {
    const start = clock.elapsed()
    for (let left = 4; left > 0; left -= 1) {
      void one?.call(0, 0)
      void other?.call(0, 0)
    }
    await clock.advance(100)
    const sent = sentBetween(start, clock.elapsed())
    await clock.advance(5000)
    return sent
  }
  t.equal(await burst(), 5)
  missing?.detach()
  await clock.advance(1500)
  t.equal(await burst(), 5, 'that is not noticed yet')
  t.equal(await burst(), 3)
  await clock.advance(55_000)
  t.equal(await burst(), 5)
})
