import t from 'tap'
import { sleep } from '../../src/common/clock.ts'
import { createAttachment } from '../../src/tier/attachment.ts'
import { goneMs } from '../../src/tier/replica-scripts.ts'
import {
  type Reply,
  type Script,
  type ServerProblem,
  type SharedEvent,
  SharedServerError,
} from '../../src/tier/shared-server.ts'
import type { StreamEntry, Valkey } from '../../src/tier/valkey.ts'
import { createTimers, settled, type TestTimers } from '../harness/timers.ts'

const limits = {
  reportMs: 1000,
  eventBlockMs: 1000,
  timeouts: { inARow: 3, overMs: 250 },
  reconnect: { firstMs: 50, longestMs: 500 },
  hearing: { longestMs: 1000, everyMs: 20 },
}

/** A script of other parts, which waits for 100 ms. */
const script: Script = { name: 'script', lua: '', waitMs: 100 }
const fields = (event: { by?: string; kind: string }) => new Map(Object.entries({ by: 'other', ...event }))

/** What the server does with scripts: it replies, replies with an error, or is silent. */
type Mood = 'well' | 'silent' | ServerProblem

/** Stands for a server and the connections to it. It does what the scripts about replicas do, and knows no others. */
function createStore(clock: TestTimers) {
  const asked: string[] = []
  const lines: { readonly drop: () => void; isOpen: boolean }[] = []
  const store = {
    entries: [] as StreamEntry[],
    seen: new Map<string, string>(),
    /** Replicas besides this one. */
    others: 0,
    mood: 'well' as Mood,
    /** Of the scripts of this name, instead of the general mood. */
    moods: new Map<string, Mood>(),
    /** What the connection for events brings. */
    reads: 'all' as 'all' | 'nothing' | 'no reply',
    /** What the next connecting does, instead of connecting. */
    failure: null as ServerProblem | null,
    gate: Promise.resolve(),
    number: 0,
    /** The life of the server. */
    life: 'life',
    /** Whether it has all events. */
    isWhole: true,
    /** How long a reply takes, in milliseconds. */
    replyMs: 0,
    /** The time of the server. */
    now: () => 5_000_000 + clock.elapsed(),
    /** What scripts were asked for, and what was connected and closed. */
    asked,
    lines,
    add: (event: { by?: string; kind: string }) => {
      store.number += 1
      const id = `${store.now()}-${store.number}`
      store.entries.push({ id, fields: fields(event) })
      wakeAll()
      return id
    },
    readAll: () => {
      store.reads = 'all'
      wakeAll()
    },
    loseMemory: () => {
      store.entries.length = 0
      store.seen.clear()
      store.life += '+'
    },
    connect: async (): Promise<Valkey> => {
      asked.push('connect')
      await store.gate
      if (store.failure !== null) throw new SharedServerError(store.failure)
      const waiting = new Set<(error: Error) => void>()
      const ended = new AbortController()
      const closeListeners: (() => void)[] = []
      const line = {
        isOpen: true,
        drop: () => {
          if (!line.isOpen) return
          line.isOpen = false
          ended.abort()
          for (const reject of waiting) reject(new SharedServerError('closed'))
          for (const hear of closeListeners) void Promise.resolve().then(hear)
        },
      }
      lines.push(line)
      /** Ends with the work, with the connection, or after a time. */
      const within = <T>(work: Promise<T>, ms: number) =>
        new Promise<T>((resolve, reject) => {
          if (!line.isOpen) return reject(new SharedServerError('closed'))
          const cancel = clock.schedule(() => reject(new SharedServerError('timeout')), ms)
          waiting.add(reject)
          ended.signal.addEventListener('abort', cancel)
          work
            .finally(() => {
              cancel()
              waiting.delete(reject)
            })
            .then(resolve, reject)
        })
      return {
        runId: `run-${lines.length}`,
        kind: 'valkey 8.1.0',
        run: (given, _keys, args) => {
          asked.push(given.name)
          const mood = store.moods.get(given.name) ?? store.mood
          if (mood === 'silent') return within(new Promise(() => {}), given.waitMs)
          if (mood !== 'well') return within(Promise.reject(new SharedServerError(mood)), given.waitMs)
          const replied = () => reply(given, args.map(String))
          if (store.replyMs === 0) return within(Promise.resolve(replied()), given.waitMs)
          return within(sleep(clock, store.replyMs).then(replied), given.waitMs)
        },
        readEvents: (_stream, after, blockMs) => within(read(after, blockMs, ended.signal), blockMs + 500),
        ask: () => Promise.reject(new SharedServerError('denied')),
        onClose: (hear) => void closeListeners.push(hear),
        close: line.drop,
      }
    },
  }
  const wakes = new Set<() => void>()
  const wakeAll = () => {
    for (const wake of wakes) wake()
    wakes.clear()
  }

  async function read(after: string, blockMs: number, ended: AbortSignal): Promise<StreamEntry[]> {
    const endsAt = clock.elapsed() + blockMs
    for (;;) {
      const found = store.entries.filter(({ id }) => store.reads === 'all' && orderOf(id) > orderOf(after))
      if (found.length > 0 || (clock.elapsed() >= endsAt && store.reads !== 'no reply')) return found
      await new Promise<void>((resolve) => {
        wakes.add(resolve)
        if (clock.elapsed() < endsAt) ended.addEventListener('abort', clock.schedule(resolve, endsAt - clock.elapsed()))
      })
    }
  }

  function reply({ name }: Script, [replica = '', given = '', life = '']: string[]): Reply {
    if (name === 'leave') return Number(store.seen.delete(replica))
    if (name !== 'report') return Buffer.from(name)
    let seen = given
    if (given === '' || given === '0-0') {
      const joined = store.add({ by: replica, kind: 'joined' })
      if (given === '') seen = joined
    }
    store.seen.set(replica, seen)
    const isThere = (life === '' || life === store.life) && store.entries.some(({ id }) => id === seen)
    const last = store.entries.at(-1)?.id ?? '0-0'
    const [earliest = ''] = [...store.seen.values()].sort((one, other) => orderOf(one) - orderOf(other))
    const texts = [last, earliest, isThere ? seen : ''].map((text) => Buffer.from(text))
    return [store.seen.size + store.others, ...texts, store.now(), Buffer.from(store.life), Number(store.isWhole)]
  }
  return store
}

const orderOf = (id: string) => {
  const [ms = 0, count = 0] = id.split('-').map(Number)
  return ms * 10_000 + count
}

function arrange({ random = 0.5 } = {}) {
  const clock: TestTimers = { ...createTimers(), random: () => random }
  const store = createStore(clock)
  const told: unknown[] = []
  const delays: number[] = []
  const tell =
    (name: string) =>
    (...values: unknown[]) =>
      void told.push([name, ...values])
  const attachment = createAttachment({
    connect: store.connect,
    replica: 'me',
    keyPrefix: 'hbff',
    expectedReplicas: 3,
    events: {
      decode: ({ fields }) =>
        fields.get('by') === 'me' ? null : ({ kind: fields.get('kind'), purge: '' } as SharedEvent),
    },
    observer: {
      ...{ read: tell('read'), put: tell('put'), tookOver: tell('tookOver'), unopened: tell('unopened') },
      ...{ slot: tell('slot'), forgottenElsewhere: tell('forgottenElsewhere'), memoryLost: tell('memoryLost') },
      attached: tell('attached'),
      detached: tell('detached'),
      eventHeard: (delayMs) => void delays.push(delayMs),
      operationEnded: (operation, outcome, durationMs) => {
        if (outcome !== 'ok') told.push([operation, outcome, durationMs])
      },
    },
    limits,
    clock,
  })
  const { server } = attachment
  const happened: string[] = []
  server.onAttached(() => void happened.push('attached'))
  server.onDetached(() => void happened.push('detached'))
  server.onEvent(({ kind }) => void happened.push(kind))
  const problemOf = async (run: Promise<unknown> = server.run(script, [], [])) => {
    try {
      return String(await run)
    } catch (error) {
      return error instanceof SharedServerError ? error.problem : error
    }
  }
  const countOf = (name: string) => store.asked.filter((other) => other === name).length
  const start = async () => {
    void attachment.start()
    await settled()
  }
  return { clock, store, told, delays, attachment, server, happened, problemOf, countOf, start }
}

/** Attached, with nothing told and asked yet. */
async function attached(options?: Parameters<typeof arrange>[0]) {
  const arranged = arrange(options)
  await arranged.start()
  arranged.told.length = 0
  arranged.happened.length = 0
  arranged.store.asked.length = 0
  return arranged
}

t.test('it attaches when it has reported, has been prepared, and has heard what it missed', async (t) => {
  const { clock, store, attachment, server, happened, told, problemOf } = arrange()
  const gate = Promise.withResolvers<void>()
  server.onAttaching(async (run, { isMemoryLost }) => {
    happened.push(`prepare ${isMemoryLost} ${await run(script, [], [])} ${server.isAttached()}`)
    await gate.promise
  })
  const started = attachment.start()
  await settled()
  t.strictSame(happened, ['prepare false script false'])
  t.equal(await problemOf(), 'detached', 'only preparations run scripts now')
  clock.shiftWall(5000)
  await clock.advance(30)
  t.match(attachment.status(), { ok: false, reason: null, since: new Date(clock.now() - 30) })
  gate.resolve()
  await started
  t.strictSame(happened, ['prepare false script false', 'attached'])
  t.strictSame(told, [['attached', 30]])
  t.ok(server.isAttached())
  t.equal(server.runId(), 'run-1')
  t.equal(await problemOf(), 'script')
  t.equal(server.key('ev'), '{hbff}:ev')
  await clock.advance(20.4)
  const status = { ok: true, since: new Date(clock.now() - 20.4), reason: null, replicas: 1, server: 'valkey 8.1.0' }
  t.strictSame(attachment.status(), { ...status, eventsBehindMs: 50 })
  store.add({ kind: 'paused' })
  await settled()
  t.strictSame(happened.slice(2), ['paused'])
})

t.test('a new replica hears nothing of what was said before it', async (t) => {
  const { store, happened, start } = arrange()
  store.add({ kind: 'cleared' })
  await start()
  t.strictSame(happened, ['attached'])
})

t.test('what it missed while it was detached is heard in order before it attaches again', async (t) => {
  const { clock, store, happened, told, delays } = await attached()
  store.lines[0]?.drop()
  await settled()
  store.add({ kind: 'forgotten' })
  store.add({ by: 'me', kind: 'forgotten' })
  store.add({ kind: 'paused' })
  await clock.advance(50)
  t.strictSame(happened, ['detached', 'forgotten', 'paused', 'attached'], 'but not what it said itself')
  t.strictSame(told, [
    ['detached', 'closed', 0],
    ['attached', 37.5],
  ])
  t.strictSame(delays, [], 'that says nothing about how fast events are')
})

t.test('a server that has lost its memory is joined anew, and preparations hear of it', async (t) => {
  const { clock, store, server, happened, told } = await attached()
  server.onAttaching(async (_run, { isMemoryLost }) => void happened.push(`prepare ${isMemoryLost}`))
  store.lines[0]?.drop()
  await settled()
  store.loseMemory()
  store.add({ kind: 'forgotten' })
  await clock.advance(50)
  t.strictSame(happened, ['detached', 'prepare true', 'forgotten', 'attached'], 'all that is there is new')
  t.strictSame(told.slice(1), [['memoryLost'], ['attached', 37.5]])
  t.equal(store.seen.get('me'), store.entries.at(-1)?.id, 'it says at once that it has forgotten')

  store.lines[1]?.drop()
  await clock.advance(100)
  t.strictSame(happened.slice(4), ['detached', 'prepare false', 'attached'], 'it is known there now')
})

t.test('preparations that failed hear once more that the memory was lost', async (t) => {
  const { clock, store, server, happened, told } = await attached()
  const failures = ['timeout', null]
  server.onAttaching(async (_run, { isMemoryLost }) => {
    happened.push(`prepare ${isMemoryLost}`)
    if (failures.shift() === 'timeout') throw new SharedServerError('timeout')
  })
  store.lines[0]?.drop()
  store.loseMemory()
  await clock.advance(38)
  t.match(store.lines, [{ isOpen: false }, { isOpen: false }])
  await clock.advance(75)
  t.strictSame(happened, ['detached', 'prepare true', 'prepare true', 'attached'])
  t.strictSame(told.at(-1), ['attached', 112.5])
})

t.test('a server that loses its memory while it is attached, or being attached, is noticed', async (t) => {
  const { clock, store, server, happened, told } = await attached()
  store.loseMemory()
  await clock.advance(1000)
  t.strictSame(told, [['detached', 'other', 1000]])
  const prepare = [store.loseMemory, () => {}]
  server.onAttaching(async () => prepare.shift()?.())
  await clock.advance(38)
  t.notOk(server.isAttached(), 'what it was told of is not there any more')
  await clock.advance(76)
  t.strictSame(happened, ['detached', 'attached'])
  t.equal(store.lines.length, 3)
})

t.test('while it is detached, nothing is asked and nothing waits', async (t) => {
  const { clock, store, server, attachment, problemOf, start, told } = arrange()
  await clock.advance(200)
  t.equal(await problemOf(), 'detached', 'before the start')
  t.equal(server.runId(), '')
  t.equal(server.replicas(), 3, 'as many as were expected')
  store.failure = 'refused'
  await start()
  store.asked.length = 0
  t.equal(await problemOf(), 'detached')
  t.notOk(await server.isHeardByAll('1-1'))
  t.strictSame(store.asked, [])
  t.match(attachment.status(), { ok: false, reason: 'refused', server: null, eventsBehindMs: null, replicas: 3 })
  await clock.advance(10_000)
  t.ok(store.asked.every((name) => name === 'connect'))
  t.strictSame(told, [['detached', 'refused', 0]], 'that is said once')
})

t.test('it tries again after a wait that grows to half a second', async (t) => {
  for (const [random, waits] of [
    [0, [25, 50, 100, 200, 250, 250]],
    [0.5, [37.5, 75, 150, 300, 375, 375]],
  ] as const) {
    const { clock, store, start } = arrange({ random })
    store.failure = 'refused'
    await start()
    for (const wait of waits) {
      t.strictSame(clock.armed(), [wait])
      await clock.advance(wait)
    }
    store.failure = null
    await clock.advance(500)
    store.lines[0]?.drop()
    await settled()
    t.notOk(clock.armed().includes(waits[0]), 'an attachment that does not last changes nothing')
    await clock.advance(1500)
    store.lines[1]?.drop()
    await settled()
    t.ok(clock.armed().includes(waits[0]), 'one that lasts starts it anew')
  }
})

t.test('the number of replicas', async (t) => {
  const { clock, store, server } = await attached()
  t.equal(server.replicas(), 1, 'as the server says')
  store.others = 4
  await clock.advance(1000)
  t.equal(server.replicas(), 5)
  store.lines[0]?.drop()
  await settled()
  t.equal(server.replicas(), 5, 'the last known number is greater than the expected one')
  store.others = 1
  await clock.advance(50)
  t.equal(server.replicas(), 2)
  store.lines[1]?.drop()
  await settled()
  t.equal(server.replicas(), 3, 'the expected number is greater')
  store.others = -1
  await clock.advance(100)
  t.ok(server.isAttached())
  t.equal(server.replicas(), 1, 'this one is there')
})

t.test('events of others are heard at once, and the delay is measured by the clock of the server', async (t) => {
  const { clock, store, happened, delays } = await attached()
  await clock.advance(300)
  store.reads = 'nothing'
  store.add({ kind: 'landed' })
  await clock.advance(40)
  t.strictSame(happened, [])
  store.readAll()
  await settled()
  t.strictSame(happened, ['landed'])
  t.strictSame(delays, [40])
})

t.test('it says at once that it has forgotten, because another replica waits for that', async (t) => {
  for (const [kind, reports] of [
    ['forgotten', 1],
    ['cleared', 1],
    ['landed', 0],
    ['paused', 0],
  ] as const) {
    const { store, countOf } = await attached()
    const id = store.add({ kind })
    await settled()
    t.equal(countOf('report'), reports, kind)
    if (reports === 1) t.equal(store.seen.get('me'), id)
  }
  const { store, server } = await attached()
  store.moods.set('report', 'full')
  store.add({ kind: 'forgotten' })
  await settled()
  t.ok(server.isAttached(), 'the next regular report says it')
})

t.test('it detaches when a connection closes, and drops both', async (t) => {
  const { clock, store, server, told, happened, problemOf } = await attached()
  await clock.advance(400)
  store.lines[0]?.drop()
  await settled()
  t.notOk(server.isAttached())
  t.strictSame(told, [['detached', 'closed', 400]])
  t.strictSame(happened, ['detached'])
  t.equal(await problemOf(), 'detached')
})

t.test('it detaches from a server whose user or role is not what it was', async (t) => {
  for (const problem of ['not-primary', 'auth', 'closed'] as const) {
    const { store, server, told, problemOf } = await attached()
    store.mood = problem
    t.equal(await problemOf(), problem)
    t.notOk(server.isAttached())
    t.strictSame(told, [
      ['script', problem, 0],
      ['detached', problem, 0],
    ])
    t.match(store.lines, [{ isOpen: false }], 'it drops the connection by itself')
  }
  for (const problem of ['denied', 'full', 'script', 'busy', 'other'] as const) {
    const { store, server, problemOf } = await attached()
    store.mood = problem
    for (let asked = 0; asked < 5; asked += 1) t.equal(await problemOf(), problem)
    t.ok(server.isAttached(), problem)
  }
})

t.test('it detaches after three scripts in a row without a reply, over a quarter of a second', async (t) => {
  const { clock, store, server, told, problemOf } = await attached()
  const ask = (mood: Mood) => {
    store.mood = mood
    return problemOf()
  }
  const together = [ask('silent'), ask('silent'), ask('silent'), ask('silent')]
  await clock.advance(100)
  t.strictSame(await Promise.all(together), ['timeout', 'timeout', 'timeout', 'timeout'])
  t.ok(server.isAttached(), 'it may have been one short stall')
  const last = ask('silent')
  await clock.advance(100)
  t.equal(await last, 'timeout')
  t.ok(server.isAttached(), '200 ms')
  await clock.advance(20)
  void ask('silent')
  await clock.advance(29)
  t.ok(server.isAttached(), '249 ms')
  await clock.advance(71)
  t.notOk(server.isAttached(), '320 ms')
  t.match(store.lines, [{ isOpen: false }])
  t.strictSame(told.at(-1), ['detached', 'timeout', 320])
})

t.test('two scripts without a reply are too few, however long that takes', async (t) => {
  const { clock, store, server, problemOf } = await attached()
  store.moods.set('script', 'silent')
  for (let asked = 0; asked < 2; asked += 1) {
    void problemOf()
    await clock.advance(400)
  }
  t.ok(server.isAttached())
  void problemOf()
  await clock.advance(100)
  t.notOk(server.isAttached())
})

t.test('exactly a quarter of a second is enough', async (t) => {
  const { clock, server, store, problemOf } = await attached()
  store.moods.set('script', 'silent')
  for (const wait of [75, 75, 99]) {
    void problemOf()
    await clock.advance(wait)
  }
  t.ok(server.isAttached())
  await clock.advance(1)
  t.notOk(server.isAttached())
})

t.test('a reply in between begins the count anew, also a refusal', async (t) => {
  for (const [between, isAttached] of [
    ['well', true],
    ['full', true],
    ['busy', false],
  ] as const) {
    const { clock, store, problemOf } = await attached()
    for (const mood of ['silent', 'silent', between, 'silent', 'silent'] as const) {
      store.moods.set('script', mood)
      void problemOf()
      await clock.advance(150)
    }
    t.match(store.lines, [{ isOpen: isAttached }], between)
  }
})

t.test('it detaches when two reports in a row get no reply', async (t) => {
  for (const [mood, problem] of [
    ['silent', 'timeout'],
    ['busy', 'busy'],
  ] as const) {
    const { clock, store, server, told } = await attached()
    store.moods.set('report', mood)
    await clock.advance(1250)
    t.ok(server.isAttached(), 'one is not enough')
    store.moods.clear()
    await clock.advance(1000)
    store.moods.set('report', mood)
    await clock.advance(1000)
    t.ok(server.isAttached(), 'not in a row')
    await clock.advance(1500)
    const words = told.map((line) => (line as string[])[0])
    t.strictSame(words.slice(0, 4), ['report', 'report', 'report', 'detached'])
    t.match(told[3], ['detached', problem])
    t.match(store.lines[0], { isOpen: false })
  }
})

t.test('it detaches when a report is refused', async (t) => {
  const { clock, store, told } = await attached()
  store.moods.set('report', 'denied')
  await clock.advance(1000)
  t.strictSame(told, [
    ['report', 'denied', 0],
    ['detached', 'denied', 1000],
  ])
})

t.test('it detaches when an event that it was told of is not heard a second later', async (t) => {
  const { clock, store, server, told, attachment, happened } = await attached()
  await clock.advance(500)
  store.reads = 'nothing'
  store.add({ kind: 'landed' })
  await clock.advance(500)
  t.ok(server.isAttached(), 'it was told of it now')
  await clock.advance(500)
  t.match(attachment.status(), { ok: true, eventsBehindMs: 1500 })
  await clock.advance(499)
  t.ok(server.isAttached())
  await clock.advance(1)
  t.strictSame(told, [['detached', 'timeout', 2000]])
  store.readAll()
  await clock.advance(50)
  t.strictSame(happened, ['detached', 'landed', 'attached'])
})

t.test('an event that another report has only just told of is waited for', async (t) => {
  const { clock, store, server, countOf } = await attached()
  await clock.advance(700)
  store.reads = 'nothing'
  await clock.advance(290)
  const id = store.add({ kind: 'landed' })
  const isHeard = server.isHeardByAll(id)
  await settled()
  t.equal(countOf('report'), 1)
  await clock.advance(50)
  t.ok(server.isAttached())
  await clock.advance(1500)
  t.notOk(await isHeard)
})

t.test('it detaches when the read of events fails or does not end', async (t) => {
  const { clock, store, server, told } = await attached()
  await clock.advance(600)
  store.reads = 'no reply'
  await clock.advance(899)
  t.ok(server.isAttached())
  await clock.advance(1)
  t.strictSame(told, [['detached', 'timeout', 1500]])
})

t.test('a listener that fails hears the event again, and the tier tells of it', async (t) => {
  const { clock, store, server, told, happened } = await attached()
  let failures = 1
  server.onEvent(() => {
    failures -= 1
    if (failures >= 0) throw new TypeError('a fault of this process')
  })
  store.add({ kind: 'paused' })
  const last = store.add({ kind: 'forgotten' })
  await settled()
  t.strictSame(told, [['detached', 'other', 0]])
  await clock.advance(50)
  t.strictSame(happened, ['paused', 'detached', 'paused', 'forgotten', 'attached'])
  t.equal(store.seen.get('me'), last)
})

t.test('a listener that fails at an attachment does not end the attempts', async (t) => {
  const { clock, store, server, start, told } = arrange()
  let failures = 1
  server.onAttached(() => {
    failures -= 1
    if (failures >= 0) throw new TypeError('a fault of this process')
  })
  await start()
  t.notOk(server.isAttached())
  t.strictSame(told, [
    ['attached', 0],
    ['detached', 'other', 0],
  ])
  await clock.advance(50)
  t.ok(server.isAttached())
  t.match(store.lines, [{ isOpen: false }, { isOpen: true }])
})

t.test('a failure of the attachment drops the connection and is told once', async (t) => {
  const { clock, store, server, start, told, attachment } = arrange()
  store.moods.set('report', 'denied')
  await start()
  t.match(store.lines, [{ isOpen: false }])
  t.strictSame(told, [
    ['report', 'denied', 0],
    ['detached', 'denied', 0],
  ])
  t.match(attachment.status(), { ok: false, reason: 'denied', server: 'valkey 8.1.0' })
  await clock.advance(50)
  t.equal(told.length, 3)
  store.moods.clear()
  await clock.advance(100)
  t.ok(server.isAttached())
  t.strictSame(told.at(-1), ['attached', 112.5])
  t.match(attachment.status(), { ok: true, reason: null })
})

t.test('a connection that closes while it is being attached is not used any more', async (t) => {
  const { clock, store, server, happened, start } = arrange()
  const gate = Promise.withResolvers<void>()
  const outcomes: unknown[] = []
  server.onAttaching(async (run) => {
    await gate.promise
    outcomes.push(String(await run(script, [], []).catch(({ problem }) => problem)))
  })
  await start()
  store.lines[0]?.drop()
  await settled()
  t.strictSame(clock.armed(), [37.5], 'the next attempt, and no other')
  gate.resolve()
  await settled()
  t.strictSame(outcomes, ['detached'])
  t.strictSame(happened, [], 'it had not been attached')
  await clock.advance(50)
  t.strictSame(outcomes, ['detached', 'script'])
  t.strictSame(happened, ['attached'])
  t.equal(store.asked.filter((name) => name === 'connect').length, 2)
})

t.test('whether all have heard an event', async (t) => {
  await t.test('it asks until they have', async (t) => {
    const { clock, store, server, countOf } = await attached()
    store.seen.set('other', '1-1')
    const id = store.add({ by: 'me', kind: 'forgotten' })
    const isHeard = server.isHeardByAll(id)
    await clock.advance(100)
    t.equal(countOf('report'), 6)
    store.seen.set('other', id)
    await clock.advance(20)
    t.ok(await isHeard)
    t.equal(countOf('report'), 7)
  })
  await t.test('also a later event will do, by its time and by its number', async (t) => {
    const { clock, store, server } = await attached()
    const at = clock.elapsed()
    const row = (asked: string, seen: string) => {
      store.seen.clear()
      store.seen.set('other', seen)
      return [asked, seen] as const
    }
    await clock.advance(10)
    store.add({ by: 'me', kind: 'landed' })
    await settled()
    for (const [asked, seen, isHeard] of [
      [`${at}-9`, `${at}-10`, true],
      [`${at}-10`, `${at}-9`, false],
      [`${at - 1}-10`, `${at}-9`, true],
      [`${at}-9`, `${at - 1}-10`, false],
      [`${at}-9`, `${at}-9`, true],
    ] as const) {
      row(asked, seen)
      const found = server.isHeardByAll(asked)
      await clock.advance(1000)
      t.equal(await found, isHeard, `${asked} ${seen}`)
    }
  })
  await t.test('after a second it says no', async (t) => {
    const { clock, store, server } = await attached()
    store.seen.set('other', '1-1')
    const isHeard = server.isHeardByAll(store.add({ by: 'me', kind: 'forgotten' }))
    let isOver = false
    void isHeard.then(() => {
      isOver = true
    })
    await clock.advance(999)
    t.notOk(isOver)
    await clock.advance(1)
    t.notOk(await isHeard)
  })
  await t.test('it says no when the tier was detached meanwhile, even if it is attached again', async (t) => {
    const { clock, store, server } = await attached()
    store.seen.set('other', '1-1')
    const isHeard = server.isHeardByAll(store.add({ by: 'me', kind: 'forgotten' }))
    await clock.advance(100)
    store.lines[0]?.drop()
    store.seen.delete('other')
    await clock.advance(50)
    t.ok(server.isAttached())
    t.notOk(await isHeard)
  })
  await t.test('it says no when the server does not say', async (t) => {
    const { clock, store, server } = await attached()
    store.mood = 'silent'
    const isHeard = server.isHeardByAll('1-1')
    await clock.advance(250)
    t.notOk(await isHeard)
  })
  await t.test('after a loss of memory it waits until as many replicas are back, for a minute', async (t) => {
    const { clock, store, server } = await attached()
    store.others = 2
    await clock.advance(1000)
    const lose = async () => {
      store.loseMemory()
      store.others = 0
      store.lines.at(-1)?.drop()
      await clock.advance(500)
    }
    await lose()
    const ask = async () => {
      const isHeard = server.isHeardByAll(store.add({ by: 'me', kind: 'forgotten' }))
      await clock.advance(1000)
      return await isHeard
    }
    t.notOk(await ask())
    store.others = 2
    t.ok(await ask())
    store.others = 0
    t.notOk(await ask())
    await lose()
    t.notOk(await ask(), 'the number is that of before the first loss')
    await clock.advance(goneMs - 2600)
    t.notOk(await ask())
    await clock.advance(2000)
    t.ok(await ask(), 'they are gone for good')
    await lose()
    t.ok(await ask(), 'only this one was known')
  })
})

t.test('at the end this replica takes itself out, and nothing follows', async (t) => {
  const { clock, store, attachment, server, told, happened, problemOf } = await attached()
  t.equal(store.seen.size, 1)
  await attachment.close()
  t.strictSame(store.asked, ['leave'])
  t.equal(store.seen.size, 0)
  t.match(store.lines, [{ isOpen: false }])
  t.match(attachment.status(), { ok: false, reason: 'closed' })
  t.strictSame(happened, ['detached'], 'what waits for events ends')
  t.strictSame(told, [], 'that is no news for operators')
  t.strictSame(clock.armed(), [])
  t.equal(await problemOf(), 'detached')
  t.notOk(server.isAttached())
  await attachment.close()
  t.strictSame(store.asked, ['leave'])
})

t.test('no report follows the leave, which would bring the replica back', async (t) => {
  const { clock, store, attachment, server } = await attached()
  store.seen.set('other', '1-1')
  const isHeard = server.isHeardByAll(store.add({ by: 'me', kind: 'forgotten' }))
  await clock.advance(900)
  store.asked.length = 0
  store.moods.set('leave', 'silent')
  store.add({ kind: 'forgotten' })
  const closed = attachment.close()
  await clock.advance(249)
  t.match(store.lines, [{ isOpen: true }], 'it waits for the reply, but not for ever')
  await clock.advance(1)
  await closed
  t.match(store.lines, [{ isOpen: false }])
  t.strictSame(store.asked, ['leave'])
  t.notOk(await isHeard)
})

t.test('no report is planned by one that was under way at the end', async (t) => {
  const { clock, store, attachment } = await attached()
  store.moods.set('report', 'silent')
  await clock.advance(1100)
  await attachment.close()
  await settled()
  t.strictSame(clock.armed(), [])
  t.strictSame(store.asked, ['report', 'leave'])
})

t.test('an end while it is being attached', async (t) => {
  const { clock, store, attachment, server, happened, start, told } = arrange()
  const gate = Promise.withResolvers<void>()
  server.onAttaching(async () => await gate.promise)
  await start()
  await attachment.close()
  gate.resolve()
  await clock.advance(60_000)
  t.strictSame(store.asked, ['connect', 'report', 'leave'])
  t.strictSame([happened, told, clock.armed()], [[], [], []])
  t.match(store.lines, [{ isOpen: false }])
})

t.test('an end while it connects', async (t) => {
  for (const failure of [null, 'refused'] as const) {
    const { clock, store, attachment, start, told } = arrange()
    const gate = Promise.withResolvers<void>()
    store.gate = gate.promise
    store.failure = failure
    await start()
    await attachment.close()
    gate.resolve()
    await clock.advance(60_000)
    t.strictSame(store.asked, ['connect'])
    t.strictSame([told, clock.armed()], [[], []])
    t.ok(store.lines.every(({ isOpen }) => !isOpen))
  }
})

t.test('an end between two attempts', async (t) => {
  const { clock, store, attachment, start } = arrange()
  store.failure = 'refused'
  await start()
  await attachment.close()
  await clock.advance(60_000)
  t.strictSame(store.asked, ['connect'])
})

t.test('a server that is too slow for what requests wait for is not attached to', async (t) => {
  for (const [replyMs, isAttached] of [
    [100, true],
    [101, false],
  ] as const) {
    const { clock, store, server, start } = arrange()
    store.replyMs = replyMs
    await start()
    await clock.advance(200)
    t.equal(server.isAttached(), isAttached)
  }
})

t.test('preparations hear when something to be forgotten may have been missed', async (t) => {
  for (const isWhole of [true, false]) {
    const { clock, store, server, start, happened } = arrange()
    store.isWhole = isWhole
    store.failure = 'refused'
    store.add({ kind: 'forgotten' })
    const heard: unknown[] = []
    server.onAttaching(async (_run, { isMemoryLost, hasMissed }) => void heard.push([isMemoryLost, hasMissed]))
    await start()
    store.failure = null
    await clock.advance(1000)
    t.strictSame(heard.splice(0), [[false, !isWhole]], 'a replica that was not attached at the start')
    t.strictSame(happened, ['forgotten', 'attached'], 'it hears all that the server has')
    for (const lose of [() => {}, () => store.entries.splice(0), store.loseMemory]) {
      store.lines.at(-1)?.drop()
      await settled()
      lose()
      await clock.advance(2000)
    }
    t.strictSame(heard, [
      [false, false],
      [false, !isWhole],
      [true, false],
    ])
  }
})

t.test('a server that has lost its memory does not know who has heard an event', async (t) => {
  const { clock, store, server, told } = await attached()
  store.others = 2
  await clock.advance(1000)
  t.equal(server.replicas(), 3)
  store.loseMemory()
  store.others = 0
  t.equal(await server.isHeardByAll('1-1'), false)
  t.match(told.at(-1), ['detached', 'other'])
  await clock.advance(100)
  t.ok(server.isAttached())
  const [heardAlone] = await Promise.all([server.isHeardByAll('1-1'), clock.advance(1100)])
  t.equal(heardAlone, false, 'the others are not back')
  store.others = 2
  t.equal(await server.isHeardByAll('1-1'), true)
})
