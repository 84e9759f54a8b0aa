import t from 'tap'
import { createSharedRation } from '../../src/tier/shared-ration.ts'
import { type Reply, type SharedEvent, type SharedServer, SharedServerError } from '../../src/tier/shared-server.ts'
import { createTimers, settled } from '../harness/timers.ts'

const ration = { aheadMs: 250, retryMs: 50, keepMs: 1000, rejoinMs: 60_000 }
const bucket = [5, 1050, 250, 6050]

type Run = readonly [name: string, key: string, ...args: unknown[]]

/**
 * A ration with a server that replies what the test says.
 * @param replicas how many the server says there are
 */
function arrange({ maxCallsPerSecond = 5, replicas = 2, isAttached = true } = {}) {
  const timers = createTimers(0)
  const runs: Run[] = []
  const slots: string[] = []
  const told: string[] = []
  /** The replies to `take`, in turn. */
  const replies: (Reply | Promise<Reply>)[] = []
  const hooks = {
    attaching: (async () => {}) as Parameters<SharedServer['onAttaching']>[0],
    attached: () => {},
    detached: () => {},
    event: (_event: SharedEvent) => {},
  }
  const state = { isAttached: false, replicas, isFailing: false }
  const run: SharedServer['run'] = async (script, [key = ''], args) => {
    runs.push([script.name, key, ...args])
    if (state.isFailing) throw new SharedServerError('timeout')
    if (script.name !== 'take') return 1
    return replies.shift() ?? [Buffer.from('slots'), 1000]
  }
  const server: SharedServer = {
    isAttached: () => state.isAttached,
    runId: () => 'r1',
    replicas: () => state.replicas,
    key: (name) => name,
    run: async (...given) => {
      if (!state.isAttached) throw new SharedServerError('detached')
      return await run(...given)
    },
    onAttaching: (prepare) => {
      hooks.attaching = prepare
    },
    onAttached: (hear) => {
      hooks.attached = hear
    },
    onDetached: (hear) => {
      hooks.detached = hear
    },
    onEvent: (hear) => {
      hooks.event = hear
    },
    isHeardByAll: () => Promise.resolve(true),
  }
  const shared = createSharedRation(
    {
      ...{ maxCallsPerSecond, rateMargin: 0.05, timeoutMs: 5000 },
      server,
      events: { encode: ({ kind }) => ['kind', kind] },
      observer: { slot: (verdict) => slots.push(verdict) },
      limits: { ration },
      clock: timers,
    },
    { changed: () => told.push('changed'), paused: (ms) => told.push(`paused ${ms}`) },
  )
  const attach = async (isMemoryLost = false) => {
    await hooks.attaching(run, { isMemoryLost, hasMissed: false })
    state.isAttached = true
    hooks.attached()
    await settled()
  }
  const detach = () => {
    state.isAttached = false
    hooks.detached()
  }
  /** What was asked since the last time, without tokens' names. */
  const asked = () =>
    runs.splice(0).map(([name, key, ...args]) => {
      const rest = args.slice(0, 4).join() === bucket.join() ? args.slice(4) : args
      return [name, key, ...rest.map((arg) => (typeof arg === 'string' && arg.length > 6 ? 'token' : arg))].join(' ')
    })
  const want = async (count: number) => {
    shared.want(count, count)
    await settled()
  }
  const slotsIn = (...waits: number[]) => replies.push([Buffer.from('slots'), 0, ...waits])
  const start = async () => {
    if (isAttached) await attach()
    asked()
    told.splice(0)
  }
  const rest = { slots, told, replies, hooks, state, attach, detach, asked, want, slotsIn, runs, start }
  return { ...timers, ...shared, ...rest }
}

async function attached(options?: Parameters<typeof arrange>[0]) {
  const arranged = arrange(options)
  await arranged.start()
  return arranged
}

t.test('without a limit, nothing is asked', async (t) => {
  const { want, nextAt, take, asked, slots } = await attached({ maxCallsPerSecond: 0 })
  await want(3)
  t.equal(nextAt(), 0)
  take().sent()
  t.strictSame([asked(), slots], [[], []])
})

t.test('calls get the permits that the server gives, in the order of their times', async (t) => {
  const { want, nextAt, take, asked, slots, told, slotsIn, advance } = await attached()
  t.equal(nextAt(), Number.POSITIVE_INFINITY)
  slotsIn(0, 200)
  await want(2)
  t.strictSame(asked(), ['take gov:r1 1 token token'])
  t.strictSame(told, ['changed'])
  t.equal(nextAt(), 0)
  const permit = take()
  t.equal(nextAt(), 200)
  permit.sent()
  permit.sent()
  await advance(200)
  take().sent()
  await settled()
  t.strictSame(asked(), ['keep_tokens gov:r1 token 1050', 'keep_tokens gov:r1 token 1050'])
  t.strictSame(slots, ['now', 'later'])
})

t.test('one question at a time, and as many tokens as calls may start', async (t) => {
  const { want, asked, replies, nextAt } = await attached()
  const reply = Promise.withResolvers<Reply>()
  replies.push(reply.promise)
  await want(1)
  await want(3)
  t.strictSame(asked(), ['take gov:r1 1 token'])
  reply.resolve([Buffer.from('slots'), 0, 100])
  await settled()
  t.equal(nextAt(), 100)
  await want(3)
  t.strictSame(asked(), ['take gov:r1 1 token token'])
})

t.test('what is not given is asked for again when the server says, and not without calls', async (t) => {
  const { want, asked, replies, advance, armed, slotsIn, nextAt } = await attached()
  replies.push([Buffer.from('slots'), 300, 20])
  await want(2)
  t.equal(asked().length, 1)
  await want(2)
  t.ok(armed().includes(300))
  await advance(299)
  t.strictSame(asked(), [])
  slotsIn(10)
  await advance(1)
  t.strictSame(asked(), ['take gov:r1 1 token'])
  t.equal(nextAt(), 20)
  replies.push([Buffer.from('slots'), 300])
  await want(3)
  asked()
  await want(3)
  await want(2)
  t.notOk(armed().includes(300))
})

t.test('permits whose calls have gone are given back, the latest first', async (t) => {
  const { want, asked, slotsIn, nextAt, runs } = await attached()
  slotsIn(0, 100, 200)
  await want(3)
  const [[, , , , , , , one, two, three] = []] = runs.splice(0)
  await want(1)
  t.strictSame(runs.splice(0), [['give_back', 'gov:r1', two, three]])
  t.equal(nextAt(), 0)
  await want(0)
  t.strictSame(runs.splice(0), [['give_back', 'gov:r1', one]])
  t.strictSame(asked(), [])
})

t.test('tokens of a question without a reply are given back, and asked for again after a moment', async (t) => {
  const { want, state, advance, runs, asked, nextAt, slotsIn } = await attached()
  state.isFailing = true
  await want(1)
  const [[, , , , , , , token] = [], second] = runs.splice(0)
  t.strictSame(second, ['give_back', 'gov:r1', token])
  t.equal(nextAt(), Number.POSITIVE_INFINITY)
  state.isFailing = false
  slotsIn(0)
  await want(1)
  await advance(49)
  t.strictSame(asked(), [])
  await advance(1)
  t.strictSame(asked(), ['take gov:r1 1 token'])
  t.equal(nextAt(), 50)
  await advance(950)
  t.strictSame(runs.at(-1), ['give_back', 'gov:r1', token], 'that has failed as well')
})

t.test('the server is told of all tokens each second, while the tier is attached', async (t) => {
  const { want, advance, take, asked, slotsIn, detach, state } = await attached()
  slotsIn(0, 0, 10)
  await want(3)
  const [sent] = [take(), take()]
  await advance(400)
  sent.sent()
  await settled()
  asked()
  await advance(600)
  t.strictSame(asked(), ['keep_tokens gov:r1 token 450 token 6050 token 6050'])
  state.isFailing = true
  await advance(1000)
  t.strictSame(asked(), ['keep_tokens gov:r1 token 6050 token 6050'], 'one has come back')
  await advance(1000)
  t.equal(asked().length, 1, 'a failure changes nothing')
  detach()
  await advance(5000)
  t.strictSame(asked(), [])
})

t.test('while the tier is detached, each replica has its share', async (t) => {
  const { want, nextAt, take, slots, asked, advance } = await attached({ isAttached: false, replicas: 2 })
  await want(3)
  t.equal(nextAt(), 0)
  take().sent()
  t.equal(nextAt(), 525)
  await advance(525)
  take().sent()
  t.equal(nextAt(), 1050)
  t.strictSame([asked(), slots], [[], ['share', 'share']])
})

t.test('the share begins when the calls of all are over, and permits that were given before are used', async (t) => {
  const { want, nextAt, take, slots, detach, slotsIn, told, advance } = await attached()
  slotsIn(200)
  await want(2)
  told.splice(0)
  await advance(100)
  detach()
  t.strictSame(told, ['changed'])
  t.equal(nextAt(), 200)
  take()
  t.equal(nextAt(), 100 + 2100)
  t.strictSame(slots, ['later'])
})

t.test('who comes back soon tells its tokens and asks at once', async (t) => {
  const { want, take, asked, detach, attach, advance, slotsIn } = await attached()
  slotsIn(0)
  await want(1)
  take().sent()
  await want(1)
  await advance(100)
  detach()
  await advance(500)
  asked()
  await attach()
  await want(1)
  const told = 'keep_tokens gov:r1 token 450'
  t.strictSame(asked(), [told, told, 'take gov:r1 1 token'])
})

t.test('tokens that have come back are not told', async (t) => {
  const { want, take, asked, detach, attach, advance, slotsIn } = await attached()
  slotsIn(0, 0)
  await want(2)
  const [first, second] = [take(), take()]
  first.sent()
  await advance(500)
  second.sent()
  detach()
  await advance(550)
  asked()
  await attach()
  t.equal(asked()[0], 'keep_tokens gov:r1 token 500')
})

t.test('after a longer time, or when memory is lost, it waits until others have told of their calls', async (t) => {
  for (const [awayMs, isMemoryLost, isWaiting] of [
    [1050, false, false],
    [1051, false, true],
    [10, true, true],
  ] as const) {
    const { want, hooks, asked, detach, attach, advance, nextAt } = await attached({ replicas: 3 })
    detach()
    await advance(awayMs)
    await attach(isMemoryLost)
    asked()
    await want(1)
    t.strictSame(asked(), isWaiting ? [] : ['take gov:r1 1 token'])
    if (!isWaiting) continue
    hooks.event({ kind: 'paused' })
    await want(1)
    await advance(1299)
    t.notOk(asked().some((each) => each.startsWith('take')))
    await advance(1)
    t.strictSame(asked(), ['take gov:r1 3 token'], 'with the number of replicas of before')
    t.equal(nextAt(), Number.POSITIVE_INFINITY)
    await advance(60_000 - 1300)
    await want(1)
    t.ok(
      asked().some((each) => each.startsWith('take gov:r1 1 ')),
      'a minute later those that are gone are gone',
    )
  }
})

t.test('between the preparation and the attachment no call is made, unless that lasts', async (t) => {
  const { hooks, want, nextAt, runs, advance } = await attached({ isAttached: false })
  await want(1)
  t.equal(nextAt(), 0)
  await advance(100)
  await hooks.attaching(async (script) => runs.push([script.name, '']), { isMemoryLost: false, hasMissed: false })
  t.equal(nextAt(), 1150)
})

t.test('replicas that were known are counted for a minute when the tier detaches again', async (t) => {
  const { state, detach, attach, advance, want, nextAt, take } = await attached({ replicas: 5 })
  await advance(1000)
  detach()
  state.replicas = 1
  await attach(true)
  await advance(1000)
  detach()
  await advance(2100)
  await want(2)
  take().sent()
  t.equal(nextAt() - 4100, 1050, 'one a second, a fifth')
})

t.test('a pause of another replica is told, and no permit of before is used', async (t) => {
  const { want, hooks, asked, replies, slotsIn, told, nextAt, slots, advance } = await attached()
  slotsIn(0)
  await want(1)
  hooks.event({ kind: 'cleared', purge: '' })
  t.equal(nextAt(), 0)
  asked()
  told.splice(0)
  hooks.event({ kind: 'paused' })
  t.strictSame(told.splice(0), ['changed'])
  t.equal(nextAt(), Number.POSITIVE_INFINITY)
  replies.push([Buffer.from('paused'), 7000])
  await want(1)
  t.strictSame(asked(), ['give_back gov:r1 token', 'take gov:r1 1 token'])
  t.strictSame([told, slots], [['paused 7000', 'changed'], ['paused']])
  await want(1)
  await advance(6999)
  t.notOk(asked().some((each) => each.startsWith('take')))
  slotsIn(0)
  await advance(1)
  t.equal(nextAt(), 7000)
})

t.test('a permit that was on the way when the pause was heard of is given back', async (t) => {
  const { want, hooks, asked, replies, nextAt } = await attached()
  const reply = Promise.withResolvers<Reply>()
  replies.push(reply.promise)
  await want(1)
  hooks.event({ kind: 'paused' })
  reply.resolve([Buffer.from('slots'), 0, 0])
  await settled()
  t.equal(nextAt(), Number.POSITIVE_INFINITY)
  t.strictSame(asked(), ['take gov:r1 1 token', 'give_back gov:r1 token'])
})

t.test('a pause that Hilos asked for is told to the others, if the server answers', async (t) => {
  const { pause, asked, detach } = await attached()
  pause(7000.5)
  await settled()
  t.strictSame(asked(), ['pause pause 7001 kind paused'])
  detach()
  pause(1000)
  await settled()
  t.strictSame(asked(), [])
})

t.test('a replica goes by its share while the server gives nothing, although it is attached', async (t) => {
  const { want, nextAt, take, slots, slotsIn, asked, advance, state, attach, elapsed } = await attached()
  state.isFailing = true
  const wantFor = async (times: number) => {
    for (let count = 0; count < times; count += 1) {
      await want(1)
      await advance(50)
    }
  }
  await wantFor(19)
  t.equal(nextAt(), Number.POSITIVE_INFINITY)
  await wantFor(1)
  const from = nextAt()
  t.equal(from, 950 + 2100, 'when the calls that were granted before are out of the window')
  await advance(from - elapsed())
  take().sent()
  t.strictSame(slots.at(-1), 'share')

  state.isFailing = false
  slotsIn(0)
  await want(1)
  await advance(50)
  await want(1)
  t.ok(asked().some((each) => each.startsWith('take')))
  t.ok(nextAt() <= elapsed(), 'the server gives one again')
  take()
  t.strictSame(slots.at(-1), 'now')
  state.isFailing = true
  await wantFor(25)
  t.not(nextAt(), Number.POSITIVE_INFINITY)
  state.isFailing = false
  await attach()
  t.equal(nextAt(), Number.POSITIVE_INFINITY, 'an attachment begins anew')
})
