import type { FastifyReply, FastifyRequest } from 'fastify'
import pino from 'pino'
import t from 'tap'
import { invalidCredential } from '../../src/access/access-failure.ts'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import type { Entry, News } from '../../src/cache/entry.ts'
import { noDirectives } from '../../src/cache/request-directives.ts'
import type { Pace } from '../../src/contacts/lifetime.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import { checkRights } from '../../src/contacts/watched-contact.ts'
import { Failure } from '../../src/failures/failure.ts'
import type { Place, Watcher } from '../../src/plugins/streams.ts'
import type { Representation } from '../../src/presentation/views/view.ts'
import { type ContactStreamOptions, streamContact, type WatchRequest } from '../../src/routes/contact-stream.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { storedContact } from '../contacts/stored.ts'
import { createTimers, settled } from '../harness/timers.ts'
import { noIdentity } from '../presentation/pipeline.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const limits = { heartbeatMs: 9000, stalledMs: 18_000, shortestLifetimeMs: 60_000, longestLifetimeMs: 90_000 }

const representationOf = (text: string): Representation => ({
  ...{ view: 'summary', profile: 'full', coding: 'identity', terminal: false },
  ...{ body: Buffer.from(`"${text}"`), etag: `"${text}"` },
})

interface Given {
  /** The caller that `authenticate` returns; it is called for each state and heartbeat. */
  readonly authenticate?: () => Caller | Promise<Caller>
  readonly represent?: ContactStreamOptions['represent']
  readonly isLogFull?: () => boolean
  readonly random?: number
  readonly lastEventId?: string
  readonly pace?: Partial<Pace>
  /** The use of the cache at the first read. */
  readonly detail?: 'rationed' | null
}

/** One stream of a run of which Hilos sent the state `first` at first. Its reader takes what is there only when asked to. */
function start(given: Given = {}) {
  const {
    represent = (_query, { value }) => representationOf(String(value?.revision)),
    authenticate = () => anonymous,
  } = given
  const timers = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const clock = { ...timers, random: () => given.random ?? 0.5 }
  const entryOf = (revision: string, changes: Partial<StoredContact> = {}): Entry<StoredContact> => {
    const contact = storedContact(id, { serialized: Buffer.from(revision), identity: noIdentity }, null)
    const value = { ...contact, pace: { ...contact.pace, ...given.pace }, revision, ...changes }
    return { value, bytes: 0, generatedAt: clock.now(), freshMs: 3000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  }
  const happened: string[] = []
  const logged: Record<string, unknown>[] = []
  const log = pino({ level: 'trace' }, { write: (line) => void logged.push(JSON.parse(line)) })
  let hear: (news: News<StoredContact>) => void = () => {}
  let watcher: Watcher | undefined
  const options: ContactStreamOptions = {
    authenticate,
    represent: (query, entry) => {
      checkRights(query, { flowId: null })
      return represent(query, entry)
    },
    watch: (_id, _entry, heard) => {
      hear = heard
      return () => void happened.push('stop')
    },
    recordDisclosure: (_request, _reply, { contact }) => void happened.push(`disclosed ${contact}`),
    isLogFull: given.isLogFull ?? (() => false),
    onState: () => happened.push('state'),
    onEnd: (ms) => happened.push(`end ${ms}`),
    limits,
    clock,
  }
  const place: Place = {
    open: (opened) => {
      watcher = opened
    },
    leave: () => void happened.push('leave'),
  }
  const request = { id: 'r', url: `/execution-contacts/${id}/events?view=summary`, log }
  const headers = { authorization: 'given', ...(given.lastEventId && { 'last-event-id': given.lastEventId }) }
  const handling = { fwd: null, stored: false, collapsed: false, reloadDenied: false } as const
  const use = { ...handling, detail: given.detail ?? null, ageMs: 0, waitedMs: 0 }
  const representation = representationOf('first')
  function cut(): void {
    happened.push('cut')
    body.destroy()
  }
  const body = streamContact(options, {
    query: {
      id,
      caller: anonymous,
      askedBy: 'a',
      view: 'summary',
      profile: 'full',
      coding: 'identity',
      directives: noDirectives,
      urgency: 2,
    },
    reading: {
      ...{ representation, entry: entryOf('first'), pseudonym: 'p', retryAfter: 1 },
      cache: { status: '', age: 0, use },
    },
    representation,
    place,
    request: { ...request, headers } as unknown as FastifyRequest,
    reply: { raw: { destroy: cut } } as unknown as FastifyReply,
  } satisfies WatchRequest)
  /** What a reader gets who takes all that is ready now, one text per event. */
  const take = async () => {
    const texts: string[] = []
    for (;;) {
      await settled()
      const chunk = body.read()
      if (chunk === null) break
      texts.push(...String(chunk).trim().split('\n\n').map(briefly))
    }
    // The stream is closed after its last event was taken.
    await settled()
    return texts
  }
  const tick = async () => {
    watcher?.tick?.()
    await settled()
  }
  /** Moves the clock, and looks at the stream once a second. */
  const pass = async (seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 1) {
      await timers.advance(1000)
      await tick()
    }
  }
  const tell = async (news: News<StoredContact>) => {
    hear(news)
    await settled()
  }
  return {
    ...{ timers, body, take, pass, entryOf, happened, logged },
    reason: () => logged.find(({ msg }) => msg === 'stream ended')?.reason,
    drain: (graceMs: number) => watcher?.drain(graceMs),
    /** Tells of a load that brought this revision. */
    revise: (revision: string, changes?: Partial<StoredContact>) => tell({ entry: entryOf(revision, changes) }),
    tell,
    fail: (error: unknown) => tell({ error }),
  }
}

/** An event as `state first`, `checked 3 null`, `problem upstream_error`, `end settled` or `retry 3000`. */
function briefly(text: string): string {
  const [, retry] = /^retry: (\d+)$/.exec(text) ?? []
  if (retry) return `retry ${retry}`
  const [, event, json = ''] = /^event: (\w+)\n(?:id: .*\n)?data: (.*)$/.exec(text) ?? []
  const data = JSON.parse(json)
  if (event === 'checked') return `checked ${data.age} ${data.stale}`
  return `${event} ${data.code ?? data.reason ?? data}`
}

t.test('a stream begins with its state, or says that the known one is current', async (t) => {
  t.strictSame(await start().take(), ['retry 3000', 'state first'])
  t.strictSame(await start({ lastEventId: 'first' }).take(), ['retry 3000', 'checked 0 null'])
  t.strictSame(await start({ lastEventId: 'other' }).take(), ['retry 3000', 'state first'])
  const rationed = start({ lastEventId: 'first', detail: 'rationed' })
  t.strictSame(await rationed.take(), ['retry 3000', 'checked 0 rationed'])
  await rationed.revise('first')
  t.strictSame(await rationed.take(), ['checked 0 null'])
})

t.test('the waits to come back are random', async (t) => {
  for (const [random, usual, closed, seconds] of [
    [0, 2400, 1000, 60],
    [0.5, 3000, 3000, 75],
    [0.999999, 3600, 5000, 90],
  ] as const) {
    const { take, pass, reason, happened } = start({ random })
    t.equal((await take())[0], `retry ${usual}`)
    for (let passed = 1; passed < seconds; passed += 1) {
      await pass(1)
      for (const each of await take()) t.match(each, /^checked/)
    }
    await pass(1)
    t.strictSame(await take(), [`retry ${closed}`])
    t.equal(reason(), 'lifetime')
    t.strictSame(happened.slice(-3), ['stop', 'leave', `end ${seconds * 1000}`])
  }
})

t.test('a state is recorded and counted when it is sent, and one that is replaced is not', async (t) => {
  const { take, revise, happened } = start()
  t.strictSame(happened, [])
  for (const revision of ['second', 'third']) await revise(revision)
  t.strictSame(await take(), ['retry 3000', 'state third'])
  t.strictSame(happened, ['state', 'disclosed p'])
})

t.test('a state that was rendered after a newer one came is not sent', async (t) => {
  const slow = Promise.withResolvers<Representation>()
  const { take, revise, fail } = start({
    represent: (_query, { value }) =>
      value?.revision === 'slow' ? slow.promise : representationOf(String(value?.revision)),
  })
  await take()
  await revise('slow')
  await revise('quick')
  slow.resolve(representationOf('slow'))
  t.strictSame(await take(), ['state quick'])
  await fail(new UpstreamFailure('upstream_error'))
  t.strictSame(await take(), ['problem upstream_error'])
})

t.test('a slow rendering delays its state only', async (t) => {
  const slow = Promise.withResolvers<Representation>()
  const { take, revise } = start({ represent: () => slow.promise })
  await take()
  await revise('slow')
  t.strictSame(await take(), [])
  slow.resolve(representationOf('slow'))
  t.strictSame(await take(), ['state slow'])
})

t.test('what is wrong is said once per spell, except that no call was left', async (t) => {
  const { take, fail, revise, pass } = start()
  await take()
  for (const [error, code, word] of [
    [new UpstreamFailure('upstream_error'), 'upstream_error', 'origin-failed'],
    [new UpstreamFailure('upstream_timeout', { notAsked: 'backing-off' }), 'upstream_timeout', 'backing-off'],
    [new Failure('upstream_unauthorized'), 'upstream_unauthorized', 'origin-failed'],
    [new Error('a bug'), 'internal_error', 'origin-failed'],
  ] as const) {
    await fail(error)
    t.strictSame(await take(), [`problem ${code}`])
    await fail(error)
    t.strictSame(await take(), [])
    await pass(9)
    t.strictSame(await take(), [`checked 9 ${word}`])
    await revise('first')
    t.strictSame(await take(), ['checked 0 null'])
  }
  await fail(new UpstreamFailure('overloaded', { notAsked: 'rationed' }))
  t.strictSame(await take(), [])
  await pass(9)
  t.strictSame(await take(), ['checked 9 rationed'])
  await fail(new UpstreamFailure('upstream_error'))
  t.strictSame(await take(), ['problem upstream_error'])
})

t.test('the word for the age says when a turn is long due', async (t) => {
  for (const [freshMs, word] of [
    [4500, 'rationed'],
    [4501, 'null'],
    [0, 'null'],
  ] as const) {
    const { take, tell, entryOf, pass } = start()
    await take()
    await tell({ entry: { ...entryOf('first'), freshMs } })
    await take()
    // A call may take 18 s here.
    await pass(9)
    t.strictSame(await take(), ['checked 9 null'])
    await pass(9)
    await take()
    await pass(9)
    t.strictSame(await take(), [`checked 27 ${word}`], String(freshMs))
  }
})

t.test('something is sent once per heartbeat after the last event', async (t) => {
  const { take, pass, revise } = start()
  await take()
  await pass(5)
  await revise('second')
  t.strictSame(await take(), ['state second'])
  await pass(8)
  t.strictSame(await take(), [])
  await pass(1)
  t.strictSame(await take(), ['checked 9 null'])
})

t.test('a heartbeat that waits for its authentication is the only one', async (t) => {
  let asked = 0
  const { promise, resolve } = Promise.withResolvers<Caller>()
  const { take, pass } = start({
    authenticate: () => {
      asked += 1
      return promise
    },
  })
  await take()
  await pass(12)
  t.strictSame([asked, await take()], [1, []])
  resolve(anonymous)
  t.strictSame(await take(), ['checked 12 null'])
})

t.test('a stream ends with the failure of its caller, or without it if the caller may come back', async (t) => {
  const refusals: readonly (readonly [() => Caller | Promise<Caller>, code: string, hasEnd: boolean])[] = [
    [
      () => {
        throw new Failure('unauthenticated')
      },
      'unauthenticated',
      true,
    ],
    [() => Promise.reject(new Failure('unauthenticated')), 'unauthenticated', true],
    [() => ({ ...anonymous, profile: 'agent' }), 'forbidden', true],
    [() => ({ ...anonymous, flows: new Set<string>() }), 'execution_contact_not_found', true],
    [() => Promise.reject(new Failure('token_issuer_unavailable')), 'token_issuer_unavailable', false],
    [() => Promise.reject(new Error('a bug')), 'internal_error', false],
  ]
  for (const [authenticate, code, hasEnd] of refusals)
    for (const cause of ['state', 'problem', 'heartbeat']) {
      const { take, revise, fail, pass, reason, logged } = start({ authenticate })
      await take()
      if (cause === 'state') await revise('second')
      else if (cause === 'problem') await fail(new UpstreamFailure('upstream_error'))
      else await pass(9)
      t.strictSame(await take(), ['retry 3000', ...(hasEnd ? [`end ${code}`] : [])], `${cause} ${code}`)
      t.equal(reason(), code)
      const failures = logged.filter(({ msg }) => msg === 'stream failed')
      t.equal(failures.length, code === 'internal_error' ? 1 : 0)
    }
})

t.test('a bug in the rendering is logged, and closes the stream', async (t) => {
  const { take, revise, logged, reason } = start({
    represent: () => {
      throw new TypeError('a bug')
    },
  })
  await take()
  await revise('second')
  t.strictSame(await take(), ['retry 3000'])
  t.match(
    logged.filter(({ level }) => level === 50),
    [{ msg: 'stream failed', err: { code: 'internal_error' } }],
  )
  t.equal(reason(), 'internal_error')
})

t.test('a reader whose rights end gets nothing that still waits', async (t) => {
  let caller: Caller = anonymous
  const { take, revise, pass, happened } = start({ authenticate: () => caller })
  await revise('second')
  caller = { ...anonymous, flows: new Set() }
  await pass(9)
  // Only what the stream had handed over before is left, which is no state yet.
  t.strictSame(await take(), ['retry 3000', 'retry 3000', 'end execution_contact_not_found'])
  t.notOk(happened.includes('state'))
})

t.test('an end that waits for a slow reader is sent, whatever fails meanwhile', async (t) => {
  const { promise, reject } = Promise.withResolvers<Caller>()
  const answers = [promise]
  const { take, revise, pass, reason } = start({
    pace: { status: 'COMPLETED', endedAt: '2026-11-22T09:50:05Z' },
    authenticate: () => answers.shift() ?? anonymous,
  })
  await revise('second')
  await pass(9)
  reject(new Failure('token_issuer_unavailable'))
  t.strictSame(await take(), ['retry 3000', 'retry 3000', 'end settled'])
  t.equal(reason(), 'settled')
})

t.test('with a full log no state leaves', async (t) => {
  let isFull = false
  const { take, revise, happened, reason } = start({ isLogFull: () => isFull })
  await take()
  isFull = true
  await revise('second')
  t.strictSame(await take(), ['retry 3000'])
  t.equal(reason(), 'overloaded')
  t.equal(happened.filter((each) => each === 'state').length, 1)
})

t.test('a reader that takes nothing is cut off', async (t) => {
  const { pass, happened, reason } = start()
  await pass(17)
  t.strictSame(happened, [])
  await pass(1)
  t.strictSame(happened, ['cut', 'stop', 'leave', 'end 18000'])
  t.equal(reason(), 'stalled')
})

t.test('at a shutdown a stream ends, and is cut off if its reader does not take that', async (t) => {
  const { take, drain, timers, happened, reason } = start()
  await take()
  drain(500)
  t.strictSame(happened.slice(-1), ['stop'], 'before its reader takes the end')
  t.strictSame(await take(), ['retry 3000'])
  t.equal(reason(), 'shutdown')
  await timers.advance(499)
  t.notOk(happened.includes('cut'))
  await timers.advance(1)
  t.ok(happened.includes('cut'))
})

t.test('a reader that leaves is the reason, unless there is another', async (t) => {
  const { body, reason, happened, logged } = start()
  body.destroy()
  await settled()
  t.equal(reason(), 'left')
  t.strictSame(happened, ['stop', 'leave', 'end 0'])
  t.match(logged, [
    { msg: 'stream opened', caller: anonymous.name, view: 'summary', profile: 'full' },
    { msg: 'stream ended', states: 0, seconds: 0 },
  ])
})

t.test('a stream ends when its run is settled, with a state or without', async (t) => {
  const pace = { status: 'COMPLETED', endedAt: '2026-11-22T09:50:05Z' } as const
  const quiet = start({ pace })
  t.strictSame(await quiet.take(), ['retry 3000', 'state first'])
  await quiet.pass(9)
  t.strictSame(await quiet.take(), ['checked 9 null', 'retry 3000', 'end settled'])
  t.equal(quiet.reason(), 'settled')

  const changed = start()
  await changed.take()
  await changed.revise('second', { pace: { status: 'COMPLETED', endedAt: null, lastActivityAt: null, deadlines: [] } })
  t.strictSame(await changed.take(), ['state second', 'retry 3000', 'end settled'])
  t.strictSame(changed.happened.slice(-3), ['stop', 'leave', 'end 0'])
})

t.test('a full log ends no stream whose state is unchanged', async (t) => {
  const { take, revise, reason } = start({ isLogFull: () => true, represent: () => representationOf('first') })
  await take()
  await revise('second')
  t.strictSame(await take(), ['checked 0 null'])
  t.equal(reason(), undefined)
})

t.test('rights are checked also after the end of the lifetime, while a state waits for a slow reader', async (t) => {
  let isKnown = true
  const { take, revise, pass, reason } = start({
    authenticate: () => {
      if (!isKnown) throw invalidCredential('unknown key')
      return anonymous
    },
  })
  for (let times = 0; times < 7; times += 1) {
    await take()
    await pass(10)
  }
  await take()
  await revise('second')
  await revise('third')
  await pass(6)
  t.equal(reason(), undefined)
  isKnown = false
  await pass(10)
  const taken = await take()
  t.equal(taken[0], 'state second')
  t.notOk(taken.includes('state third'))
  t.equal(reason(), 'lifetime')
})

t.test('the rest of a large state is not sent to a caller who lost its rights, nor is an end within it', async (t) => {
  let isKnown = true
  const { body, revise, pass, happened, reason } = start({
    represent: () => representationOf('x'.repeat(100_000)),
    authenticate: () => {
      if (!isKnown) throw invalidCredential('unknown key')
      return anonymous
    },
  })
  body.read()
  await revise('second')
  body.read()
  isKnown = false
  await pass(9)
  t.ok(happened.includes('cut'))
  t.equal(reason(), 'unauthenticated')
})
