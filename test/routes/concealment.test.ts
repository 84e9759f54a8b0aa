import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact, flow, uuid } from '../../sandbox/parts.ts'
import { heldRequests, noCallInFlight } from '../harness/calls.ts'
import { openEvents } from '../harness/event-source.ts'
import { type Arrangement, startService, until } from '../harness/service.ts'
import { createTimers, settled } from '../harness/timers.ts'

const [ours, theirs] = [uuid(0xf1, 1), uuid(0xf1, 2)]
const visible = documentIds.deliveryConfirmation
const hidden = uuid(0x0de, 1)
const unknown = uuid(0x0de, 2)
const hiddenContact = () => executionContact(hidden, { flow: flow({ id: theirs }) })

/** A Hilos with a run of another flow, and a caller who is limited to one flow. */
async function start(t: Test, arrangement: Arrangement = {}) {
  const running = await startService(t, {
    callers: [
      { name: 'everything', profile: 'full' },
      { name: 'limited', profile: 'full', flows: [ours.toUpperCase()] },
    ],
    ...arrangement,
  })
  const { get, as, sandbox } = running
  sandbox.documents.set(hidden, hiddenContact)
  const ask = (name: string, id: string, headers: Record<string, string> = {}, method = 'GET') =>
    get(`/execution-contacts/${id}`, { ...as(name), 'x-request-id': 'r', ...headers }, method)
  /** Everything that the limited caller receives, without the date and the id. */
  const seen = async (id: string, headers?: Record<string, string>, method?: string) => {
    const reply = await ask('limited', id, headers, method)
    const shown = [...reply.headers].filter(([name]) => name !== 'date')
    return `${reply.status} ${JSON.stringify(shown)} ${reply.text}`.replaceAll(id, 'ID')
  }
  return { ...running, ask, seen }
}

t.test('a limited caller sees runs of their flow, and nothing of others', async (t) => {
  const { ask, seen, callersFile } = await start(t)
  t.equal((await ask('limited', visible)).status, 200)
  const concealed = await ask('limited', hidden)
  t.match([concealed.status, concealed.json().code], [404, 'execution_contact_not_found'])
  t.equal(await seen(hidden), await seen(unknown))
  for (const header of ['cache-status', 'server-timing', 'age', 'etag']) t.equal(concealed.headers.get(header), null)
  t.equal((await ask('everything', hidden)).status, 200)
  const { headers } = await ask('everything', unknown)
  t.equal(headers.get('cache-status'), 'hilos-bff; fwd=uri-miss; ttl=10; stored', 'others are told what the cache did')

  const file = readFileSync(callersFile, 'utf8')
  writeFileSync(callersFile, file.replace(ours.toUpperCase(), theirs))
  while ((await ask('limited', visible)).status === 200) {}
  t.equal((await ask('limited', visible)).status, 404, 'new rights count from the next request')
  t.equal((await ask('limited', hidden)).status, 200)
})

t.test('no sequence of requests distinguishes a hidden run from one that does not exist', async (t) => {
  const { ask, seen, clock, sandbox, as, origin } = await start(t)
  const watching = await openEvents(`${origin}/execution-contacts/${hidden}/events`, as('everything'))
  t.teardown(watching.leave)
  const callsFor = (id: string) => sandbox.requests.filter(({ url }) => url.endsWith(id)).length
  const etag = (await ask('everything', hidden)).headers.get('etag') ?? ''
  const requests: readonly (readonly [Record<string, string>, string?, string?])[] = [
    [{}],
    [{}, 'GET', '/events'],
    [{ 'last-event-id': etag.slice(1, -1) }, 'GET', '/events'],
    [{ 'if-none-match': etag, prefer: 'wait=30' }],
    [{ 'if-none-match': '"x"', prefer: 'wait=30' }],
    [{}, 'HEAD'],
    [{ 'if-none-match': etag }],
    [{ 'if-none-match': '*' }],
    [{ 'cache-control': 'only-if-cached' }],
    [{ 'cache-control': 'no-cache' }],
    [{ 'cache-control': 'no-store' }],
    [{ 'cache-control': 'max-age=5' }],
    [{ 'if-match': etag }],
    [{ 'if-match': '"x"', 'cache-control': 'max-age=0' }],
    [{ 'accept-encoding': 'br' }],
  ]
  const before = callsFor(hidden)
  for (const [stepMs, fault] of [
    [0, null],
    [2000, null],
    [9000, null],
    [0, null],
    [11_000, 'broken'],
    [3000, 'broken'],
    [3000, null],
    [50_000, null],
    [1000, 'unauthorized'],
    [3000, null],
  ] as const) {
    clock.advance(stepMs)
    for (const id of [hidden, unknown]) {
      if (fault) sandbox.faults.set(id, fault)
      else sandbox.faults.delete(id)
    }
    if (!fault) await ask('everything', hidden, { 'cache-control': 'no-cache' })
    for (const [headers, method, suffix = ''] of requests) {
      const ofHidden = await seen(hidden + suffix, headers, method)
      t.equal(ofHidden, await seen(unknown + suffix, headers, method), `${stepMs} ${fault} ${JSON.stringify(headers)}`)
      t.notMatch(ofHidden, /etag/i)
    }
  }
  t.ok(callsFor(unknown) > 5 && callsFor(hidden) - before >= callsFor(unknown), 'Hilos is asked about both')
})

t.test('requests for a hidden run leave the same traces in other responses as those for an absent one', async (t) => {
  const shown: string[][] = []
  for (const id of [hidden, unknown]) {
    // With so few calls, each refresh that counts lengthens lifetimes. Each step is long enough for the next call.
    const { ask, seen, clock } = await start(t, { env: { HILOS_MAX_RPS: '0.1' } })
    await ask('everything', hidden)
    const steps: string[] = []
    for (let step = 0; step < 8; step += 1) {
      clock.advance(10_500)
      t.equal((await ask('limited', id, { 'cache-control': 'no-cache' })).status, 404)
    }
    for (const waitMs of [10_500, 1000, 40_000]) {
      clock.advance(waitMs)
      steps.push((await seen(visible)).replace(/dur=[^"]*/, ''))
    }
    t.match(steps[0], /ttl=12; stored/)
    shown.push(steps)
  }
  t.strictSame(shown[0], shown[1])
})

t.test('a hidden run is absent for as long as one that does not exist, at any lifetime scale', async (t) => {
  for (const scale of ['0', '0.5', '2']) {
    const { seen, clock } = await start(t, { env: { CACHE_LIFETIME_SCALE: scale } })
    for (const stepMs of [0, 4999, 10_000]) {
      clock.advance(stepMs)
      t.equal(await seen(hidden), await seen(unknown), `${scale} ${stepMs}`)
    }
  }
})

t.test('a hidden run takes as long as one that does not exist, even if Hilos takes longer for it', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { ask, sandbox } = await start(t, { clock, notFoundStepMs: 1000 })
  sandbox.documents.set(hidden, async () => {
    await clock.advance(300)
    return hiddenContact()
  })
  for (const order of [
    [hidden, unknown],
    [unknown, hidden],
  ]) {
    await clock.advance(11_000)
    for (const id of order) {
      const askedAt = clock.elapsed()
      const waiting = ask('limited', id)
      // Besides the deadline of the call and the longest time to connect.
      const armed = () => clock.armed().filter((ms) => ms <= 1000)
      await until(() => armed().length > 0)
      const [leftMs = 0] = armed()
      t.equal(clock.elapsed() - askedAt + leftMs, 1000)
      await clock.advance(leftMs)
      t.equal((await waiting).status, 404)
    }
    for (const id of order) t.equal((await ask('limited', id)).status, 404, 'a cached absence does not wait')
  }
})

t.test('a run that moves out of sight ends streams and held requests as one that is erased does', async (t) => {
  const outcomes: unknown[] = []
  for (const isErased of [false, true]) {
    const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
    const { as, get, origin, sandbox, service } = await start(t, { clock, notFoundStepMs: 1000 })
    const id = uuid(0x0de, 3)
    const document = (flowId: string) => () =>
      executionContact(id, { flow: flow({ id: flowId }), status_last_change_on: '2026-11-22T10:04:50Z' })
    sandbox.documents.set(id, document(ours))
    const limited = { ...as('limited'), 'x-request-id': 'r' }
    const etag = (await get(`/execution-contacts/${id}`, limited)).headers.get('etag') ?? ''
    const source = await openEvents(`${origin}/execution-contacts/${id}/events?view=summary`, limited)
    await source.nth('state', 1)
    let held: unknown
    void get(`/execution-contacts/${id}`, { ...limited, 'if-none-match': etag, prefer: 'wait=20' }).then(
      ({ status, headers, text }) => {
        held = [clock.elapsed(), status, [...headers].filter(([name]) => name !== 'date'), text]
      },
    )
    while ((await heldRequests(service)) === 0) await settled()
    if (isErased) sandbox.documents.delete(id)
    else sandbox.documents.set(id, document(theirs))
    let overAt: number | undefined
    void source.over().then(() => {
      overAt = clock.elapsed()
    })
    while (overAt === undefined || held === undefined) {
      await clock.advance(500)
      await noCallInFlight(service, 20)
    }
    t.match(source.text(), 'execution_contact_not_found')
    t.match(held, [/./, 404])
    outcomes.push([source.text(), overAt, held])
  }
  t.strictSame(outcomes[0], outcomes[1])
})

/** What the limited caller receives for a batch in two worlds: in one of them the run of another flow exists. */
const batches: readonly (readonly [ids: readonly string[], headers?: Record<string, string>, method?: string])[] = [
  [[hidden]],
  [[hidden, visible, unknown]],
  [[visible, hidden, visible, hidden], {}, 'HEAD'],
  [[visible, hidden], { 'if-none-match': '*' }],
  [[unknown, hidden], { 'cache-control': 'only-if-cached' }],
  [[hidden, visible], { 'cache-control': 'no-cache' }],
  [[hidden], { 'cache-control': 'max-age=5', 'if-match': '"x"' }],
  [[visible, hidden], { 'accept-encoding': 'br' }],
]

t.test('no sequence of batches distinguishes a hidden run from one that does not exist', async (t) => {
  const worlds: string[][] = []
  for (const exists of [true, false]) {
    const { ask, get, as, seen, clock, sandbox, service } = await start(t)
    if (!exists) sandbox.documents.delete(hidden)
    const shown: string[] = []
    for (const [stepMs, fault] of [
      [0, null],
      [2000, null],
      [9000, null],
      [11_000, 'broken'],
      [3000, null],
      [50_000, null],
      [1000, 'unauthorized'],
      [3000, null],
    ] as const) {
      clock.advance(stepMs)
      if (fault) sandbox.faults.set(hidden, fault)
      else sandbox.faults.delete(hidden)
      // Others see it, and it is stored, or they learn that there is none.
      await ask('everything', hidden, { 'cache-control': 'no-cache' })
      for (const [ids, headers, method] of batches) {
        const path = `/execution-contacts?ids=${ids.join()}`
        const reply = await get(path, { ...as('limited'), 'x-request-id': 'r', ...headers }, method)
        const received = [...reply.headers].filter(([name]) => name !== 'date' && name !== 'server-timing')
        // A duration is that of the machine; the rest of the field is compared.
        const timing = reply.headers.get('server-timing')?.replace(/dur=.*/, '')
        shown.push(`${stepMs} ${path} ${reply.status} ${JSON.stringify(received)} ${timing} ${reply.text}`)
        // A refresh of the visible run ends before the next request.
        await noCallInFlight(service)
      }
      shown.push(await seen(hidden))
    }
    worlds.push(shown)
  }
  const [withRun = [], without = []] = worlds
  t.equal(withRun.length, without.length)
  const differing = withRun.findIndex((line, index) => line !== without[index])
  t.equal(withRun[differing], without[differing])
})

t.test('the absences of a batch leave together, however long Hilos takes for each', async (t) => {
  const absences = Array.from({ length: 3 }, (_, index) => uuid(0x0de, 10 + index))
  for (const ids of [
    [hidden, ...absences],
    [...absences, hidden],
  ]) {
    const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
    const { get, as, sandbox } = await start(t, { clock, notFoundStepMs: 1000 })
    sandbox.documents.set(hidden, async () => {
      await clock.advance(300)
      return hiddenContact()
    })
    const askedAt = clock.elapsed()
    const waiting = get(`/execution-contacts?ids=${ids.join()}`, as('limited'))
    const armed = () => clock.armed().filter((ms) => ms <= 1000)
    await until(() => armed().length === ids.length)
    t.strictSame(new Set(armed().map((ms) => clock.elapsed() - askedAt + ms)), new Set([1000]))
    await clock.advance(Math.max(...armed()))
    const statuses = (await waiting).json().items.map(({ status }: { status: number }) => status)
    t.strictSame(statuses, [404, 404, 404, 404])
  }
})

t.test('25 absences of one batch are all told within the deadline, at 5 calls a second', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { get, as, service } = await start(t, { clock, notFoundStepMs: 1000, env: { HILOS_MAX_RPS: '5' } })
  const ids = Array.from({ length: 25 }, (_, index) => uuid(0x0de, 100 + index))
  const startedAt = clock.now()
  let isOver = false
  const replied = get(`/execution-contacts?ids=${ids.join()}`, as('limited')).finally(() => {
    isOver = true
  })
  await until(() => clock.armed().length > 5)
  while (!isOver) {
    await clock.advance(50)
    await noCallInFlight(service)
  }
  const statuses = (await replied).json().items.map(({ status }: { status: number }) => status)
  t.strictSame(new Set(statuses), new Set([404]))
  t.ok(clock.now() - startedAt < 8000, `${clock.now() - startedAt} ms`)
})
