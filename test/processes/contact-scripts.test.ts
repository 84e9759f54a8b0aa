import fc from 'fast-check'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import {
  clear,
  fail,
  forget,
  forgetGone,
  look,
  open,
  put,
  putAbsence,
  renew,
  sweep,
} from '../../src/tier/contact-scripts.ts'
import { pauseLeft, take } from '../../src/tier/ration-scripts.ts'
import { report } from '../../src/tier/replica-scripts.ts'
import { connectValkey } from '../../src/tier/valkey.ts'
import { needsServer, serverAt, startServer } from '../harness/valkey.ts'

const [minute, hour] = [60_000, 3_600_000]
const event = ['kind', 'landed']
const name = (key: string) => `{test}:${key}`
const [entry, loads, events, cleared] = ['c:x', 'l:x', 'ev', 'cleared'].map(name) as [string, string, string, string]
const keys = [entry, loads, events, cleared]
const [all, some] = ['*', 'place']

/** The scripts on a real server, for one contact. */
async function arrange(t: Test) {
  const server = await startServer(t)
  const limits = { ...sharedTierLimits, connectMs: 10_000 }
  const valkey = await connectValkey({ server: serverAt(server.port), clock: systemClock, limits })
  t.teardown(valkey.close)
  // On a busy machine a reply may take its time.
  const run: typeof valkey.run = (script, ...given) => valkey.run({ ...script, waitMs: 10_000 }, ...given)

  return {
    run,
    wipe: () => server.ask('FLUSHALL'),
    /** The verdict with its details and the bytes of the entry, such as `hit bytes`. The largest age and the known age are none by default. */
    open: async ({
      place = all,
      token = 'me',
      maxAge = -1,
      known = -1,
      flows = [] as string[],
      ignore = 0,
      lease = minute,
    }) => {
      const reply = await run(open, keys, [place, token, lease, maxAge, known, 'ns', ignore, ...flows])
      const [verdict, details, stored] = reply as readonly [Buffer, readonly Buffer[], readonly unknown[]]
      return { words: [verdict, ...stored.slice(-1)].join(' '), details: details.map(Number) }
    },
    put: async ({
      place = all,
      token = 'me',
      ago = 0,
      lifetimes = [minute, minute, hour],
      kind = 1,
      bytes = 'bytes',
      flow = 'f',
    }) => String(await run(put, keys, [place, token, 'ns', ago, ...lifetimes, kind, flow, bytes, ...event])),
    putAbsence: async ({ place = some, token = 'me', isGone = 0, fresh = minute }) =>
      String(await run(putAbsence, keys, [place, token, 100, fresh, isGone, ...event])),
    fail: async ({ place = all, token = 'me', code = 'broken', ms = 5000, isTransient = 1 }) =>
      String(await run(fail, keys, [place, token, code, isTransient, ms, ...event])),
    set: (key: string, field: string, value: string | number) => server.ask('HSET', key, field, value),
    setText: (key: string, value: string | number) => server.ask('SET', key, value),
    renew: async (token: string) => Number(await run(renew, keys, [all, token, minute])),
    forget: () => run(forget, keys, event),
    forgetGone: () => run(forgetGone, keys, event),
    clear: () => run(clear, [cleared, events], event),
    look: async (known: number) => String(((await run(look, keys, [known, 'ns'])) as Buffer[]).at(-1) ?? ''),
    sweep: async (pattern: string) => String(await run(sweep, [cleared], ['0', name(pattern)])),
    evict: (key: string) => server.ask('DEL', key),
    exists: async (key: string) => Number(await server.ask('EXISTS', key)),
    expiry: async (key: string) => Number(await server.ask('PTTL', key)),
  }
}

type Arranged = Awaited<ReturnType<typeof arrange>>

t.test('the age of the entry, and what is known and wished, decide', needsServer(), async (t) => {
  const scripts = await arrange(t)
  // Fresh for a minute, then stale for a minute, then for an hour if Hilos fails.
  const rows: readonly (readonly [ago: number, asked: Parameters<Arranged['open']>[0], expected: string])[] = [
    [0, {}, 'hit bytes'],
    [59_000, {}, 'hit bytes'],
    [61_000, {}, 'stale bytes'],
    [119_000, {}, 'stale bytes'],
    [121_000, {}, 'lead bytes'],
    [minute + hour - 1000, {}, 'lead bytes'],
    // What is known is as new.
    [61_000, { known: 61_100 }, 'lead'],
    [121_000, { known: 121_100 }, 'lead'],
    [61_000, { known: 90_000 }, 'stale bytes'],
    // A wish accepts nothing stale.
    [500, { maxAge: 10_000 }, 'hit bytes'],
    [11_000, { maxAge: 10_000 }, 'lead'],
    [61_000, { maxAge: hour }, 'lead'],
    [0, { ignore: 1 }, 'lead'],
    // Readers limited to flows get contacts of their flows.
    [0, { place: some, flows: ['e', 'f'] }, 'hit bytes'],
    [0, { place: some, flows: ['e'] }, 'lead'],
    [0, { place: some }, 'lead'],
    [61_000, { place: some, flows: ['f'] }, 'stale bytes'],
  ]
  const failures: string[] = []
  for (const [ago, asked, expected] of rows) {
    await scripts.wipe()
    await scripts.open({})
    await scripts.put({ ago })
    const { words } = await scripts.open({ token: 'other', ...asked })
    if (words !== expected) failures.push(`${ago} ${JSON.stringify(asked)}: ${words} instead of ${expected}`)
  }
  t.strictSame(failures, [])
})

t.test('one replica leads, and the others follow it until it ends or is silent', needsServer(), async (t) => {
  const scripts = await arrange(t)
  t.same(await scripts.open({}), { words: 'lead', details: [0] })
  const followed = await scripts.open({ token: 'other' })
  t.equal(followed.words, 'follow')
  t.ok((followed.details[0] ?? 0) > minute - 10_000)
  t.equal((await scripts.open({})).words, 'lead', 'its own lease')
  t.equal((await scripts.open({ place: some, token: 'other' })).words, 'lead', 'other readers')
  t.equal(await scripts.renew('me'), 1)
  t.equal(await scripts.renew('other'), 0)
  t.equal(await scripts.put({ token: 'other' }), 'lost')
  t.equal(await scripts.fail({ token: 'other' }), 'lost')
  t.equal(await scripts.putAbsence({ token: 'me' }), 'lost', 'of other readers')
  t.equal(await scripts.put({}), 'stored')
  t.equal(await scripts.put({}), 'lost', 'a lease ends with what it brings')

  await scripts.wipe()
  await scripts.open({ lease: 20 })
  // As long as the lease, by the clock of the server.
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.same(await scripts.open({ token: 'other' }), { words: 'lead', details: [1] }, 'it took over')
  t.equal(await scripts.put({}), 'lost')
})

t.test('a failure and an absence concern those who share a place', needsServer(), async (t) => {
  const scripts = await arrange(t)
  await scripts.open({})
  t.equal(await scripts.fail({}), 'stored')
  t.equal((await scripts.open({ token: 'other' })).words, 'failed')
  t.equal((await scripts.open({ token: 'other', maxAge: 0 })).words, 'failed', 'whatever is wished')
  t.equal((await scripts.open({ place: some })).words, 'lead')
  t.equal(await scripts.putAbsence({}), 'stored')
  const absent = await scripts.open({ place: some, token: 'other' })
  t.equal(absent.words, 'absent')
  t.equal(absent.details[1], minute)
  t.equal((await scripts.open({ place: some, maxAge: 0 })).words, 'lead')
  t.equal((await scripts.open({ place: 'third' })).words, 'lead')

  await scripts.wipe()
  await scripts.open({})
  await scripts.fail({ code: '' })
  t.equal((await scripts.open({ token: 'other' })).words, 'lead', 'a failure of one’s own is not remembered')
})

t.test(
  'what is older than the entry is not stored, and what does not exist is forgotten by all',
  needsServer(),
  async (t) => {
    const scripts = await arrange(t)
    await scripts.open({})
    await scripts.open({ place: some })
    t.equal(await scripts.put({ ago: 5000, bytes: 'newer' }), 'stored')
    t.equal(await scripts.put({ place: some, ago: 10_000, bytes: 'older' }), 'older')
    t.equal((await scripts.open({})).words, 'hit newer')
    t.equal(await scripts.look(6000), 'newer')
    t.equal(await scripts.look(4000), '', 'what is known is newer')
    await scripts.open({ place: some, flows: ['e'] })
    await scripts.open({ place: 'third', token: 'third', flows: ['e'] })
    t.equal(await scripts.putAbsence({ isGone: 1 }), 'stored')
    t.equal(await scripts.look(hour), '')
    t.equal((await scripts.open({ place: some })).words, 'absent')
    t.equal(await scripts.put({ place: 'third', token: 'third', ago: 200 }), 'older')
    await scripts.open({})
    t.equal(await scripts.put({}), 'stored', 'it exists again')
  },
)

t.test('what does not exist is not brought back by what was answered before', needsServer(), async (t) => {
  const scripts = await arrange(t)
  await scripts.open({})
  await scripts.put({})
  for (const place of [all, some]) await scripts.open({ place, ignore: 1 })
  await scripts.forgetGone()
  t.equal(await scripts.look(hour), '')
  t.ok((await scripts.expiry(loads)) > minute - 10_000)
  for (const place of [all, some]) t.equal(await scripts.put({ place, ago: 1000 }), 'older')
  t.equal((await scripts.open({})).words, 'lead')
  t.equal(await scripts.put({}), 'stored', 'it exists again')
})

t.test('what some readers find does not exist shows to no other limited readers', needsServer(), async (t) => {
  const scripts = await arrange(t)
  const seen = []
  for (const how of ['hidden', 'gone', 'gone elsewhere']) {
    await scripts.wipe()
    for (const place of ['absent', 'failed', 'loading', some]) await scripts.open({ place })
    await scripts.putAbsence({ place: 'absent' })
    await scripts.fail({ place: 'failed' })
    await scripts.putAbsence({ isGone: how === 'gone' ? 1 : 0 })
    if (how === 'gone elsewhere') await scripts.forgetGone()
    const verdicts = []
    for (const place of ['absent', 'failed', 'loading', some, 'new'])
      verdicts.push((await scripts.open({ place, token: 'other' })).words)
    verdicts.push(await scripts.putAbsence({ place: 'loading' }))
    seen.push(verdicts)
  }
  t.strictSame(seen[0], ['absent', 'failed', 'follow', 'absent', 'lead', 'stored'])
  t.strictSame(seen.slice(1), [seen[0], seen[0]])
})

t.test('what Hilos refuses is not served stale', needsServer(), async (t) => {
  const scripts = await arrange(t)
  for (const [isTransient, place, words] of [
    [0, all, 'lead'],
    [1, all, 'stale bytes'],
    [0, some, 'stale bytes'],
  ] as const) {
    await scripts.wipe()
    await scripts.open({})
    await scripts.put({ ago: 61_000 })
    await scripts.open({ place, known: 61_000 })
    const code = isTransient === 0 && place === all ? '' : 'broken'
    t.equal(await scripts.fail({ place, code, isTransient, ms: 1 }), 'stored')
    await new Promise((resolve) => setTimeout(resolve, 5))
    t.equal((await scripts.open({ token: 'other' })).words, words)
    await scripts.wipe()
    await scripts.open({})
    await scripts.put({ ago: 61_000 })
    await scripts.open({ known: 61_000 })
    await scripts.fail({ isTransient: 1 })
    t.equal((await scripts.open({ token: 'other' })).words, 'failed bytes', 'a failure comes before what is stale')
  }
})

t.test('a time that has not come counts as none: the clock of the server was set back', needsServer(), async (t) => {
  const scripts = await arrange(t)
  const future = Date.now() + hour
  await scripts.open({})
  await scripts.set(entry, 't', future)
  await scripts.set(entry, 'n', 'ns')
  t.equal(await scripts.put({}), 'stored', 'over an entry from the future')
  await scripts.setText(cleared, future)
  await scripts.set(loads, 'gone', future)
  t.equal((await scripts.open({ token: 'other' })).words, 'hit bytes')
  await scripts.set(loads, all, `other ${future} ${future}`)
  t.equal((await scripts.open({ maxAge: 0, known: 0 })).words, 'lead', 'a lease that is too long is none')
  t.equal(await scripts.put({}), 'stored')
  await scripts.set(loads, `!${all}`, `${future} broken 1`)
  t.equal((await scripts.open({ token: 'other', maxAge: -1 })).words, 'hit bytes')
  await scripts.evict(entry)
  t.equal((await scripts.open({})).words, 'lead', 'a failure is not remembered for so long')
})

t.test('what another program has written breaks nothing', needsServer(), async (t) => {
  const scripts = await arrange(t)
  for (const poison of ['inf', 'nan', '-1', '1e400', 'x', '']) {
    await scripts.wipe()
    await scripts.open({})
    await scripts.put({})
    await scripts.set(loads, `-${all}`, `${poison} ${poison}`)
    await scripts.set(loads, `-${some}`, `${poison} ${poison}`)
    await scripts.set(loads, `!${all}`, `${poison} broken 1`)
    await scripts.set(loads, all, `other ${poison} ${poison}`)
    await scripts.evict(entry)
    t.equal((await scripts.open({})).words, 'lead', poison)
    t.equal((await scripts.open({ place: some })).words, 'lead', poison)
  }
  await scripts.wipe()
  await scripts.set(loads, `-${all}`, `${Date.now()} 1e15`)
  t.equal((await scripts.open({})).words, 'lead', 'those who may see all have no absences of their own')
  await scripts.set(loads, `-${some}`, `${Date.now() - 60_000} 1e15`)
  t.ok(Number((await scripts.open({ place: some })).details[1]) <= 25 * hour)
})

t.test('an entry from before the contact was known not to exist is none', needsServer(), async (t) => {
  const scripts = await arrange(t)
  await scripts.open({})
  await scripts.put({ ago: 1000 })
  await scripts.set(loads, 'gone', Date.now() - 500)
  t.equal((await scripts.open({})).words, 'lead')
  t.equal(await scripts.look(hour), '')
})

t.test('each key expires', needsServer(), async (t) => {
  const scripts = await arrange(t)
  await scripts.open({})
  t.ok((await scripts.expiry(loads)) > 3 * minute)
  await scripts.put({ lifetimes: [24 * hour, hour, 24 * hour] })
  const longest = 25 * hour
  for (const key of [entry, events]) {
    const ms = await scripts.expiry(key)
    t.ok(ms > longest - minute && ms <= longest, key)
  }
  await scripts.clear()
  t.ok((await scripts.expiry(cleared)) > longest - minute)
  await scripts.open({ place: some })
  await scripts.putAbsence({ fresh: hour })
  t.ok((await scripts.expiry(loads)) > hour - minute)
})

t.test('a sweep unlinks the keys that match, and no others', needsServer(), async (t) => {
  const scripts = await arrange(t)
  await scripts.open({})
  await scripts.put({})
  t.equal(await scripts.sweep('c:*'), '0')
  t.strictSame([await scripts.exists(entry), await scripts.exists(events)], [0, 1])
})

/** What happens to a contact, by two replicas and two places. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom(
      'open',
      'open',
      'put',
      'put',
      'fail',
      'forget',
      'clear',
      'evict entry',
      'evict loads',
      'gone',
    ),
    place: fc.constantFrom(all, some),
    token: fc.constantFrom('a', 'b'),
  }),
  { minLength: 5, maxLength: 40 },
)

t.test(
  'whatever is lost, nothing that was forgotten comes back, and one replica leads at a time',
  needsServer(),
  async (t) => {
    const scripts = await arrange(t)
    const check = async (run: readonly { what: string; place: string; token: string }[]) => {
      await scripts.wipe()
      /** Who may store, by place, and the entry that may be read. */
      const holders = new Map<string, string>()
      const mayStore = new Set<string>()
      let stored = ''
      for (const [index, { what, place, token }] of run.entries()) {
        const holder = `${place} ${token}`
        switch (what) {
          case 'open': {
            const { words } = await scripts.open({ place, token, flows: ['f'] })
            const [verdict, bytes] = words.split(' ')
            if (verdict === 'hit' && bytes !== stored) return false
            if (verdict === 'lead') {
              if (holders.has(place) && holders.get(place) !== token) return false
              holders.set(place, token)
              mayStore.add(holder)
            }
            break
          }
          case 'put':
          case 'gone':
          case 'fail': {
            const bytes = `bytes-${index}`
            const ending = {
              put: () => scripts.put({ place, token, bytes }),
              gone: () => scripts.putAbsence({ place, token, isGone: 1 }),
              fail: () => scripts.fail({ place, token, ms: 0 }),
            }[what]
            if ((await ending()) === 'stored') {
              if (!mayStore.has(holder)) return false
              if (what !== 'fail') stored = what === 'put' ? bytes : ''
            }
            // Whatever becomes of it, a load ends with its lease.
            if (holders.get(place) === token) holders.delete(place)
            mayStore.delete(holder)
            break
          }
          case 'clear':
            await scripts.clear()
            stored = ''
            mayStore.clear()
            break
          case 'evict entry':
            await scripts.evict(entry)
            stored = ''
            break
          default:
            await (what === 'forget' ? scripts.forget() : scripts.evict(loads))
            if (what === 'forget') stored = ''
            holders.clear()
            mayStore.clear()
        }
      }
      return true
    }
    await fc.assert(fc.asyncProperty(steps, check), { numRuns: 100 })
  },
)

t.test('a report keeps the events, also while there are no new ones', needsServer(), async (t) => {
  const { run, expiry } = await arrange(t)
  const reports = [name('m'), name('seen'), events]
  const [, last] = (await run(report, reports, ['me', '', ''])) as [number, Buffer]
  await run({ name: 'shorten', lua: "return redis.call('PEXPIRE', KEYS[1], '60000')", waitMs: 0 }, [events], [])
  await run(report, reports, ['me', last, ''])
  t.ok((await expiry(events)) > 24 * hour)
})

t.test('a report tells when the server has lost its memory, and who may still be there', needsServer(), async (t) => {
  const { run, evict, wipe } = await arrange(t)
  const [members, seen] = [name('m'), name('seen')]
  let life = ''
  const reportOf = async (replica: string, position: unknown) => {
    const reply = await run(report, [members, seen, events], [replica, String(position), life])
    const [count, , earliest, from, , itsLife, isWhole] = reply as [
      number,
      Buffer,
      Buffer,
      Buffer,
      number,
      Buffer,
      number,
    ]
    return { count, earliest: String(earliest), from: String(from), life: String(itsLife), isWhole }
  }
  const other = await reportOf('other', '')
  const me = await reportOf('me', '')
  life = me.life
  t.strictSame([me.count, me.earliest, other.life, me.isWhole], [2, other.from, life, 1])
  for (const lost of [members, seen]) {
    await evict(lost)
    const { count, from, ...rest } = await reportOf('me', me.from)
    t.strictSame([from, rest.life], [me.from, life], 'one of the two is left')
    if (lost === members)
      t.strictSame([count, rest.earliest], [2, other.from], 'those who have heard anything may be there')
    else t.strictSame([count, rest.earliest], [2, '0-0'], 'those who are there may have heard nothing')
  }
  await evict(members)
  await evict(seen)
  t.equal((await reportOf('me', me.from)).from, '')
  await wipe()
  await run(
    { name: 'fill', lua: "for i = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'a', 'b') end", waitMs: 0 },
    [events],
    [],
  )
  life = ''
  t.equal((await reportOf('me', '0-0')).isWhole, 0, 'it may have had more events')
})

t.test('a pause is no longer than Hilos can have asked for', needsServer(), async (t) => {
  const { run, set, setText } = await arrange(t)
  const [ration, pausing, members] = [name('gov'), name('pause'), name('m')]
  await setText(pausing, 'x')
  t.equal(await run(pauseLeft, [pausing], []), -1, 'one without an end is none')
  await run({ name: 'far', lua: "return redis.call('PEXPIRE', KEYS[1], '9000000000')", waitMs: 0 }, [pausing], [])
  t.equal(await run(pauseLeft, [pausing], []), 300_000)
  await set(members, 'me', Date.now())
  const taken = (await run(take, [ration, pausing, members], [5, 1050, 250, 6050, 1, 'token'])) as [Buffer, number]
  t.strictSame(taken.map(String), ['paused', '300000'])
})
