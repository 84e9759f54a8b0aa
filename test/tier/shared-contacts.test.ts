import t from 'tap'
import type { Demand } from '../../src/cache/in-flight-loads.ts'
import type { LoadedContact, SharedQuery } from '../../src/contacts/second-tier.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'
import { createEvents } from '../../src/tier/events.ts'
import { createNames } from '../../src/tier/names.ts'
import { createSealedEntries, type SharedEntry } from '../../src/tier/sealed-entries.ts'
import { createSharedContacts } from '../../src/tier/shared-contacts.ts'
import { type Reply, type SharedEvent, type SharedServer, SharedServerError } from '../../src/tier/shared-server.ts'
import { LostConnection, UpstreamFailure } from '../../src/upstream/failures.ts'
import { createTimers, settled } from '../harness/timers.ts'
import { cacheKeys, contactOf, entryOf, flowId, id } from './entries.ts'

const limits = { leaseMs: 1000, renewMs: 300, followMs: 300, maxEntryBytes: 100_000 }
const timeoutMs = 10_000
const failureTtlMs = 1500.2
const names = createNames(cacheKeys.names)
const envelope = createEnvelope(() => cacheKeys)
const flows = new Set([flowId, 'other'])
const place = names.place(flows)
const name = names.contact(id)
const keys = [`c:${name}`, `l:${name}`, 'ev', 'cleared']
const [contact, newer] = [contactOf('r1'), contactOf('r2')]

/** What the server replies, or why it does not. */
type Answer = Reply | SharedServerError | Promise<Reply>
type Call = readonly [script: string, keys: readonly string[], args: readonly (string | number | Buffer)[]]

/**
 * One replica, with a server that replies what the test says: to `open` in turn, and the last one again and again.
 * @param answers to `open`; given as functions, because they depend on the time
 */
function arrange(...answers: (() => Answer)[]) {
  const clock = createTimers()
  const calls: Call[] = []
  const observed: string[] = []
  const gone: string[] = []
  const [eventListeners, detachedListeners]: [((event: SharedEvent) => void)[], (() => void)[]] = [[], []]
  const replies: Record<string, () => Answer> = {
    renew: () => 1,
    look: () => [],
    put: () => Buffer.from('stored'),
    put_absence: () => Buffer.from('stored'),
    fail: () => Buffer.from('stored'),
  }
  const server: SharedServer = {
    isAttached: () => true,
    runId: () => 'run',
    replicas: () => 3,
    key: (of) => of,
    run: async ({ name: script }, scriptKeys, args) => {
      calls.push([script, scriptKeys, args])
      const open = answers.length > 1 ? answers.shift() : answers[0]
      const answer = await (script === 'open' ? open : replies[script])?.()
      if (answer instanceof SharedServerError) throw answer
      return answer as Reply
    },
    onAttaching: () => {},
    onAttached: () => {},
    onDetached: (hear) => detachedListeners.push(hear),
    onEvent: (hear) => eventListeners.push(hear),
    isHeardByAll: async () => true,
  }
  const entries = createSealedEntries({
    envelope,
    namespace: 'ns',
    pseudonymOf: () => 'mine',
    names,
    maxSkewMs: 300_000,
    observer: { unopened: () => observed.push('unopened') },
    clock,
  })
  const events = createEvents('me', envelope, { unopened: () => {} })
  const others = createEvents('other', envelope, { unopened: () => {} })
  const contacts = createSharedContacts({
    server,
    names,
    entries,
    events,
    namespace: 'ns',
    rememberGone: (of) => gone.push(of),
    timeoutMs,
    failureTtlMs: () => failureTtlMs,
    limits,
    observer: {
      read: (verdict) => observed.push(verdict),
      put: (verdict) => observed.push(`put ${verdict}`),
      tookOver: () => observed.push('took over'),
    },
    clock,
  })

  /** Begins a load. The test ends that of Hilos, if there is one. */
  function load(query: Partial<SharedQuery> = {}, maxAgeMs = Number.POSITIVE_INFINITY) {
    const hilos = Promise.withResolvers<LoadedContact>()
    const did: string[] = []
    const offered: SharedEntry[] = []
    const demand: Demand<StoredContact> = {
      askedBy: new Set(),
      urgency: () => 2,
      maxAgeMs,
      markAsked: () => did.push('asked'),
      markAskedElsewhere: () => did.push('asked elsewhere'),
      offer: (entry) => offered.push(entry),
      abandon: () => did.push('abandoned'),
    }
    const result = contacts.load({ id, flows: null, known: undefined, ...query }, demand, (given) => {
      t.equal(given, demand)
      did.push('loaded here')
      return hilos.promise
    })
    const outcome = result.then(
      (entry) => entry,
      (error: unknown) => error,
    )
    return { outcome, did, offered, hilos }
  }

  /** The entry as the scripts reply it. */
  function storedOf(value: StoredContact | null, ageMs: number): Reply {
    const { parts, bytes } = entries.seal(id, entryOf(value, clock.now() - ageMs))
    return [Buffer.from(String(ageMs)), parts.map((part) => Buffer.from(part)), bytes]
  }
  const verdict = (word: string, details: readonly (string | number)[] = [], stored: Reply = []): Reply => [
    Buffer.from(word),
    details.map((detail) => Buffer.from(String(detail))),
    stored,
  ]
  const namesOf = () => calls.map(([script]) => script)
  /** The event in the arguments of the last call of a script. */
  const eventOf = (script: string) => {
    const args = calls.findLast(([called]) => called === script)?.[2].map(String) ?? []
    const fields = args.slice(args.indexOf('kind'))
    const pairs = fields.flatMap((field, index) => (index % 2 === 0 ? [[field, fields[index + 1] ?? ''] as const] : []))
    return others.decode({ id: '1-0', fields: new Map(pairs) })
  }
  return {
    ...contacts,
    clock,
    calls,
    namesOf,
    observed,
    gone,
    replies,
    load,
    storedOf,
    verdict,
    eventOf,
    hear: (event: SharedEvent) => {
      for (const listener of eventListeners) listener(event)
    },
    detach: () => {
      for (const listener of detachedListeners) listener()
    },
  }
}

/** A replica to which the server replies one thing to `open`. */
function arrangeReply(
  word: string,
  details: readonly (string | number)[] = [],
  stored?: [StoredContact | null, number],
) {
  const rig: ReturnType<typeof arrange> = arrange(() =>
    rig.verdict(word, details, stored ? rig.storedOf(...stored) : []),
  )
  return rig
}

const landed: SharedEvent = { kind: 'landed', id, revision: '' }

t.test('the server is told what is known, what is wished, and who may read', async (t) => {
  const infinity = Number.POSITIVE_INFINITY
  for (const [query, maxAgeMs, expected] of [
    [{}, infinity, ['*', 1000, -1, -1, 'ns', 0]],
    [{}, 0, ['*', 1000, 0, -1, 'ns', 0]],
    [{}, 3000, ['*', 1000, 3000, -1, 'ns', 0]],
    [{ known: 1234.4 }, infinity, ['*', 1000, -1, 1234, 'ns', 0]],
    [{ known: -50 }, infinity, ['*', 1000, -1, 0, 'ns', 0]],
    [{ flows }, infinity, [place, 1000, -1, -1, 'ns', 0, names.flow(flowId), names.flow('other')]],
  ] as const) {
    const { calls, clock, load, verdict, storedOf } = arrange(() => verdict('hit', [], storedOf(contact, 0)))
    const { known, ...others } = { known: undefined, ...query }
    await load({ ...others, known: known === undefined ? undefined : entryOf(contact, clock.now() - known) }, maxAgeMs)
      .outcome
    const [[script, scriptKeys, [readers, token, ...args]]] = calls as [Call]
    t.strictSame([script, scriptKeys], ['open', keys])
    t.match(token, /^[\w-]{12}$/)
    t.strictSame([readers, ...args], expected)
  }
})

t.test('a hit and a stale entry are the answer, and Hilos is not asked', async (t) => {
  for (const [word, value, ageMs] of [
    ['hit', contact, 1000],
    ['hit', null, 1000],
    ['stale', contact, 6000],
  ] as const) {
    const { clock, load, observed, namesOf } = arrangeReply(word, [], [value, ageMs])
    const { outcome, did, offered } = load()
    t.match(await outcome, { ...entryOf(value, clock.now() - ageMs), bytes: Number })
    t.strictSame([did, offered, observed, namesOf()], [[], [], [word], ['open']])
    t.strictSame(clock.armed(), [])
  }
})

t.test('what is known of the same document is kept', async (t) => {
  const { clock, load } = arrangeReply('hit', [], [contact, 100])
  const known = entryOf(contactOf('r1'), clock.now() - 9000)
  t.equal(((await load({ known }).outcome) as SharedEntry).value, known.value)
})

t.test('an absence for these readers is the answer', async (t) => {
  const { clock, load, observed } = arrangeReply('absent', [700, 9000])
  const { outcome, did } = load({ flows })
  t.strictSame(await outcome, { ...entryOf(null, clock.now() - 700), freshMs: 9000 })
  t.strictSame([did, observed], [[], ['absent']])
})

t.test('a failure that another replica met is the answer', async (t) => {
  for (const [details, code, isTransient] of [
    [['upstream_unavailable', 1], 'upstream_unavailable', true],
    [['upstream_forbidden', 0], 'upstream_forbidden', false],
    // A newer version may know others.
    [['upstream_moved', 1], 'upstream_error', true],
    [['toString', 0], 'upstream_error', false],
    [[], 'upstream_error', false],
  ] as const) {
    const { load, observed } = arrangeReply('failed', details)
    const { outcome, did } = load()
    const failure = await outcome
    t.ok(failure instanceof Failure)
    t.equal(failure instanceof UpstreamFailure, isTransient)
    t.match(failure, { code, facts: { reason: 'another replica met it' } })
    t.strictSame([did, observed], [[], ['failed']])
  }
})

t.test('what comes along is offered, to stand in', async (t) => {
  for (const [word, details] of [
    ['failed', ['upstream_unavailable', 1]],
    ['lead', [0]],
    ['follow', [500]],
  ] as const) {
    const { clock, load } = arrangeReply(word, details, [contact, 40_000])
    const { offered } = load()
    await settled()
    t.match(offered, [{ generatedAt: clock.now() - 40_000, value: { revision: 'r1' } }], word)
  }
})

t.test('the replica that leads loads, stores what that brings, and tells the others', async (t) => {
  for (const [value, readers, kind, flow, revision] of [
    [contact, null, '1', names.flow(flowId), names.revision('r1')],
    [contact, flows, '1', names.flow(flowId), names.revision('r1')],
    [contactOf('r1', null), null, '1', names.flow(null), names.revision('r1')],
    [null, null, '0', '', 'absent'],
  ] as const) {
    const { clock, load, calls, observed, eventOf, gone } = arrangeReply('lead', [0])
    const { outcome, hilos, did } = load({ flows: readers })
    await clock.advance(100)
    t.strictSame(did, ['loaded here'])
    const entry = entryOf(value, clock.now() - 250.6)
    hilos.resolve({ entry, isGone: value === null })
    t.equal(await outcome, entry)
    t.strictSame(did, ['loaded here'])
    const [, [script, scriptKeys, args]] = calls as [Call, Call]
    t.strictSame([script, scriptKeys], ['put', keys])
    const windows = value ? ['30000', '600000'] : ['0', '0']
    const token = calls[0]?.[2][1]
    t.strictSame(args.slice(0, 9), [names.place(readers), token, 'ns', 251, '5000', ...windows, kind, flow])
    t.ok(Buffer.isBuffer(args[9]))
    t.match(eventOf('put'), { kind: 'landed', id, revision })
    t.strictSame([observed, gone], [['lead', 'put stored'], []])
    t.strictSame(clock.armed(), [])
  }
})

t.test('an absence for limited readers is stored for them, and all hear of it only if it is one for all', async (t) => {
  for (const isGone of [false, true]) {
    const { clock, load, calls, observed, eventOf, gone } = arrangeReply('lead', [0])
    const { outcome, hilos } = load({ flows })
    await settled()
    hilos.resolve({ entry: entryOf(null, clock.now()), isGone })
    await outcome
    const [[, , [, token]], [script, scriptKeys, args]] = calls as [Call, Call]
    t.strictSame([script, scriptKeys], ['put_absence', keys])
    t.strictSame(args.slice(0, 5), [place, token, 0, 5000, Number(isGone)])
    const event = { kind: 'landed', id, revision: isGone ? 'absent' : '' }
    t.strictSame([eventOf('put_absence'), args.length], [event, 13])
    t.strictSame([observed, gone], [['lead', 'put stored'], []])
  }
})

t.test('a lease is kept while the load lasts, and not longer', async (t) => {
  for (const isLoaded of [true, false]) {
    const { clock, load, calls, namesOf, replies } = arrangeReply('lead', [0])
    replies.renew = () => new SharedServerError('timeout')
    const { outcome, hilos } = load()
    await clock.advance(299)
    t.strictSame(namesOf(), ['open'])
    await clock.advance(1)
    const [[, , [, token]], renewal] = calls as [Call, Call]
    t.strictSame(renewal, ['renew', keys, ['*', token, 1000]])
    await clock.advance(600)
    t.strictSame(namesOf(), ['open', 'renew', 'renew', 'renew'], 'also when one was not answered')
    if (isLoaded) hilos.resolve({ entry: entryOf(contact, clock.now()), isGone: false })
    else hilos.reject(new UpstreamFailure('upstream_timeout'))
    await outcome
    t.strictSame(clock.armed(), [])
    t.equal(namesOf().length, 5)
  }
})

t.test('a lease is kept until what was loaded is stored', async (t) => {
  const { clock, load, namesOf, replies } = arrangeReply('lead', [0])
  const stored = Promise.withResolvers<Reply>()
  replies.put = () => stored.promise
  const { outcome, hilos } = load()
  await settled()
  hilos.resolve({ entry: entryOf(contact, clock.now()), isGone: false })
  await clock.advance(300)
  t.strictSame(namesOf(), ['open', 'put', 'renew'])
  stored.resolve(Buffer.from('stored'))
  await outcome
  t.strictSame(clock.armed(), [])
})

t.test('a replica that leads after another one was silent says so', async (t) => {
  const { load, observed } = arrangeReply('lead', [1])
  load()
  await settled()
  t.strictSame(observed, ['lead', 'took over'])
})

t.test('what became of an answer decides what is stored here, and what the others are told later', async (t) => {
  const full = new SharedServerError('full')
  const rows: readonly (readonly [
    reply: string | SharedServerError,
    put: string,
    did: string[],
    isRemembered: boolean,
  ])[] = [
    ['stored', 'stored', [], false],
    ['lost', 'lost', ['abandoned'], false],
    ['older', 'older', ['abandoned'], false],
    [full, 'full', [], true],
    [new SharedServerError('timeout'), 'skipped', [], true],
    [new SharedServerError('detached'), 'skipped', [], true],
  ]
  for (const [reply, put, did, isRemembered] of rows)
    for (const readers of [null, flows])
      for (const isGone of [false, true]) {
        const { clock, load, namesOf, observed, replies, gone } = arrangeReply('lead', [0])
        const answer = () => (typeof reply === 'string' ? Buffer.from(reply) : reply)
        Object.assign(replies, { put: answer, put_absence: answer })
        const loading = load({ flows: readers })
        await settled()
        const entry = entryOf(isGone ? null : contact, clock.now())
        loading.hilos.resolve({ entry, isGone })
        t.equal(await loading.outcome, entry, 'those who wait get it')
        t.strictSame(loading.did, ['loaded here', ...did])
        t.strictSame(observed, ['lead', `put ${put}`])
        t.strictSame(gone, isGone && isRemembered ? [id] : [])
        // A full server has room for what ends a lease, so that the others need not wait.
        t.equal(namesOf().at(-1) === 'fail', reply === full)
      }
})

t.test('what is not to be stored, or is too large, ends the lease', async (t) => {
  const large = { ...contact, content: { ...contact.content, serialized: Buffer.alloc(limits.maxEntryBytes) } }
  for (const [value, freshMs, put, remembered] of [
    [contact, 0, 'skipped', []],
    [null, 0, 'skipped', [id]],
    [large, 5000, 'too_large', []],
    [large, 0, 'too_large', []],
  ] as const) {
    const { clock, load, calls, observed, eventOf, gone } = arrangeReply('lead', [0])
    const { outcome, hilos } = load()
    await settled()
    hilos.resolve({ entry: { ...entryOf(value, clock.now()), freshMs }, isGone: value === null })
    await outcome
    const [[, , [, token]], last, ...none] = calls as [Call, Call, ...Call[]]
    t.strictSame([last[0], last[1], last[2].slice(0, 5)], ['fail', keys, ['*', token, '', 1, 1501]])
    // The others have what is older, and cannot get this.
    t.match(eventOf('fail'), { ...landed, revision: value === null ? 'absent' : names.revision(value.revision) })
    t.strictSame([observed, gone, none], [['lead', `put ${put}`], remembered, []])
  }
})

t.test('the largest entry that is shared has just the largest size', async (t) => {
  const { clock, load, calls } = arrangeReply('lead', [0])
  const share = async (bytes: number) => {
    const { outcome, hilos } = load()
    await settled()
    const value = { ...contact, content: { ...contact.content, serialized: Buffer.alloc(bytes) } }
    hilos.resolve({ entry: entryOf(value, clock.now()), isGone: false })
    await outcome
    const [script, , args] = calls.at(-1) as Call
    return { script, sealedBytes: (args[9] as Buffer).length }
  }
  const { sealedBytes } = await share(0)
  t.strictSame(await share(limits.maxEntryBytes - sealedBytes), { script: 'put', sealedBytes: limits.maxEntryBytes })
  t.match(await share(limits.maxEntryBytes - sealedBytes + 1), { script: 'fail' })
})

t.test('a failure of Hilos concerns all, and one of the way to it only this replica', async (t) => {
  const facts = { upstreamStatus: 500 }
  for (const [failure, code, isTransient] of [
    [new UpstreamFailure('upstream_error', { facts }), 'upstream_error', 1],
    [new Failure('upstream_forbidden', { facts: { upstreamStatus: 403 } }), 'upstream_forbidden', 0],
    [new UpstreamFailure('upstream_invalid_response'), 'upstream_invalid_response', 1],
    [new Failure('upstream_too_large'), 'upstream_too_large', 0],
    [new UpstreamFailure('upstream_timeout'), '', 1],
    [new LostConnection('upstream_unavailable'), '', 1],
    [new UpstreamFailure('upstream_rate_limited', { notAsked: 'rationed' }), '', 1],
    [new Error('a fault'), '', 0],
  ] as const)
    for (const readers of [null, flows]) {
      const { load, calls, observed, eventOf, replies, clock } = arrangeReply('lead', [0])
      replies.fail = () => new SharedServerError('timeout')
      const { outcome, hilos, did } = load({ flows: readers })
      await settled()
      hilos.reject(failure)
      t.equal(await outcome, failure, 'whatever the server replies')
      const [[, , [, token]], [script, scriptKeys, args]] = calls as [Call, Call]
      t.strictSame([script, scriptKeys], ['fail', keys])
      t.strictSame(args.slice(0, 5), [names.place(readers), token, code, isTransient, 1501])
      t.match(eventOf('fail'), landed)
      t.strictSame([observed, did, clock.armed()], [['lead'], ['loaded here'], []])
    }
})

t.test('a replica that follows looks again at each event, and at last when the lease ends', async (t) => {
  const rig: ReturnType<typeof arrange> = arrange(
    () => rig.verdict('follow', [1000]),
    () => rig.verdict('follow', [900]),
    () => rig.verdict('follow', [120]),
    () => rig.verdict('hit', [], rig.storedOf(newer, 50)),
  )
  const { clock, load, hear, namesOf, observed } = rig
  const { outcome, did } = load()
  await settled()
  t.strictSame(clock.armed(), [300])
  await clock.advance(299)
  t.equal(namesOf().length, 1)
  hear({ ...landed, id: flowId })
  await settled()
  t.equal(namesOf().length, 1, 'an event about another contact')
  hear(landed)
  await settled()
  t.equal(namesOf().length, 2)
  t.strictSame(clock.armed(), [300])
  await clock.advance(300)
  t.equal(namesOf().length, 3)
  t.strictSame(clock.armed(), [120])
  await clock.advance(120)
  t.match(await outcome, { value: { revision: 'r2' } })
  t.strictSame(observed, ['follow', 'follow', 'follow', 'hit'])
  t.strictSame(new Set(did), new Set(['asked elsewhere']))
  t.strictSame(clock.armed(), [])
})

t.test('an event that comes while the server is asked is not missed', async (t) => {
  const asked = Promise.withResolvers<Reply>()
  const rig: ReturnType<typeof arrange> = arrange(
    () => asked.promise,
    () => rig.verdict('hit', [], rig.storedOf(contact, 0)),
  )
  const { outcome } = rig.load()
  await settled()
  rig.hear(landed)
  asked.resolve(rig.verdict('follow', [1000]))
  t.match(await outcome, { value: { revision: 'r1' } })
  t.strictSame(rig.clock.armed(), [])
})

t.test('a replica that follows takes over, fails, or finds an absence as the others do', async (t) => {
  for (const [word, details, expected, observed] of [
    ['failed', ['upstream_error', 1], { code: 'upstream_error' }, ['follow', 'failed']],
    ['absent', [0, 10_000], { value: null, freshMs: 10_000 }, ['follow', 'absent']],
  ] as const) {
    const rig: ReturnType<typeof arrange> = arrange(
      () => rig.verdict('follow', [1000]),
      () => rig.verdict(word, details),
    )
    const { outcome, did } = rig.load({ flows })
    await rig.clock.advance(300)
    t.match(await outcome, expected)
    t.strictSame([rig.observed, did], [observed, ['asked elsewhere']])
  }
  const rig: ReturnType<typeof arrange> = arrange(
    () => rig.verdict('follow', [200]),
    () => rig.verdict('lead', [1]),
  )
  const { outcome, did, hilos } = rig.load()
  await rig.clock.advance(200)
  t.strictSame(did, ['asked elsewhere', 'loaded here'])
  t.equal(rig.calls[0]?.[2][1], rig.calls[1]?.[2][1], 'with the same token')
  hilos.resolve({ entry: entryOf(contact, rig.clock.now()), isGone: false })
  await outcome
  t.strictSame(rig.observed, ['follow', 'lead', 'took over', 'put stored'])
})

t.test('a replica follows for as long as Hilos may take', async (t) => {
  const { clock, load, namesOf } = arrangeReply('follow', [1000])
  const { outcome } = load()
  await clock.advance(timeoutMs - 1)
  const asked = namesOf().length
  await clock.advance(1)
  const failure = await outcome
  t.ok(failure instanceof UpstreamFailure)
  t.match(failure, { code: 'upstream_timeout', facts: { reason: 'while another replica asked', timeoutMs } })
  t.ok(namesOf().length <= asked + 1)
  t.strictSame(clock.armed(), [])
})

t.test('without a reply the replica loads alone', async (t) => {
  for (const problem of ['detached', 'timeout', 'busy'] as const)
    for (const isGone of [false, true]) {
      const { clock, load, namesOf, observed, gone } = arrange(() => new SharedServerError(problem))
      const { outcome, hilos, did } = load()
      await settled()
      const entry = entryOf(isGone ? null : contact, clock.now())
      hilos.resolve({ entry, isGone })
      t.equal(await outcome, entry)
      t.strictSame([namesOf(), observed, did], [['open'], ['skipped'], ['loaded here']])
      t.strictSame(gone, isGone ? [id] : [])
    }
  const { load } = arrange(() => new SharedServerError('detached'))
  const { outcome, hilos } = load()
  const failure = new UpstreamFailure('upstream_timeout')
  hilos.reject(failure)
  t.equal(await outcome, failure)
})

t.test('a replica that is detached while it follows loads alone, at once', async (t) => {
  const rig: ReturnType<typeof arrange> = arrange(
    () => rig.verdict('follow', [1000]),
    () => new SharedServerError('detached'),
  )
  const { did, outcome, hilos } = rig.load()
  await settled()
  rig.detach()
  await settled()
  t.strictSame([did, rig.clock.armed()], [['asked elsewhere', 'loaded here'], []])
  hilos.resolve({ entry: entryOf(contact, rig.clock.now()), isGone: false })
  await outcome
  t.strictSame(rig.observed, ['follow', 'skipped'])
})

t.test('an entry that does not open is looked for again, as if there were none', async (t) => {
  for (const word of ['hit', 'stale', 'follow'] as const) {
    const broken = [Buffer.from('0'), [], Buffer.from('broken')]
    const rig: ReturnType<typeof arrange> = arrange(
      () => rig.verdict(word, word === 'follow' ? [100] : [], broken),
      () => rig.verdict('lead', [0]),
    )
    const { outcome, hilos, offered } = rig.load()
    await rig.clock.advance(100)
    t.strictSame(
      rig.calls.map(([, , args]) => args[6]),
      [0, 1],
    )
    hilos.resolve({ entry: entryOf(contact, rig.clock.now()), isGone: false })
    await outcome
    t.strictSame([offered, rig.observed], [[], ['unopened', word, 'lead', 'put stored']])
  }
  const broken = [Buffer.from('0'), [], Buffer.from('broken')]
  const rig: ReturnType<typeof arrange> = arrange(
    () => rig.verdict('follow', [100], broken),
    () => rig.verdict('follow', [100]),
    () => rig.verdict('follow', [100]),
  )
  rig.load()
  await rig.clock.advance(200)
  t.strictSame(
    rig.calls.map(([, , args]) => args[6]),
    [0, 1, 1],
    'it stays so',
  )
})

t.test('what is newer than what is known is looked for', async (t) => {
  const { clock, look, calls, replies, storedOf } = arrange()
  const known = entryOf(contact, clock.now() - 2000)
  t.equal(await look(id, known), null)
  t.strictSame(calls, [['look', keys, [2000, 'ns']]])
  replies.look = () => storedOf(newer, 100)
  t.match(await look(id, known), { generatedAt: clock.now() - 100, value: { revision: 'r2' } })
  replies.look = () => storedOf(contactOf('r1'), 100)
  t.equal((await look(id, known))?.value, known.value)
  replies.look = () => storedOf(null, 100)
  t.match(await look(id, known), { value: null })
  for (const poison of [
    [Buffer.from('0'), [], Buffer.from('broken')],
    [Buffer.from('0'), [], null],
    [Buffer.from('0')],
    5,
  ]) {
    replies.look = () => poison as Reply
    t.equal(await look(id, known), null)
  }
  replies.look = () => new SharedServerError('timeout')
  t.equal(await look(id, known), null)
})

t.test('the listener hears of loads of other replicas that concern all', async (t) => {
  const { listen, hear } = arrange()
  const heard: unknown[] = []
  listen({ changed: (of, isSame, isGone) => heard.push([of, isSame(contact), isSame(newer), isGone]) })
  hear({ ...landed, revision: names.revision('r1') })
  hear({ ...landed, revision: names.revision('r2') })
  hear({ ...landed, revision: 'absent' })
  t.strictSame(heard.splice(0), [
    [id, true, false, false],
    [id, false, true, false],
    [id, false, false, true],
  ])
  hear(landed)
  hear({ kind: 'forgotten', id, purge: '' })
  hear({ kind: 'cleared', purge: '' })
  hear({ kind: 'paused' })
  t.strictSame(heard, [])
})

t.test('Hilos and the server are asked the same about a hidden run and one that does not exist', async (t) => {
  const seen = []
  for (const isGone of [false, true]) {
    const { clock, load, calls, observed } = arrangeReply('lead', [0])
    const { outcome, hilos, did, offered } = load({ flows })
    await clock.advance(1000)
    hilos.resolve({ entry: entryOf(null, clock.now()), isGone })
    const entry = await outcome
    seen.push({ entry, did, offered, observed, calls: calls.map(([script, , args]) => [script, args.length]) })
  }
  t.strictSame(seen[0], seen[1])
})
