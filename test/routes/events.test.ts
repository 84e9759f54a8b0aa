import { readFileSync, writeFileSync } from 'node:fs'
import { get as request } from 'node:http'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { executionContact, flow, type Part, stepExecution, uuid } from '../../sandbox/parts.ts'
import { openEvents } from '../harness/event-source.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type Arrangement, until } from '../harness/service.ts'
import { settled } from '../harness/timers.ts'
import { id, ours, path, startMs, startWithMovingRun, theirs } from './moving-run.ts'

const callers = [
  { name: 'everything', profile: 'full' },
  { name: 'agent', profile: 'agent' },
  { name: 'limited', profile: 'full', flows: [ours] },
] as const

/** The service with the moving run, its stream, and the calls and log lines that it causes. */
async function start(t: Test, arrangement: Arrangement = {}) {
  const running = await startWithMovingRun(t, arrangement)
  const { sandbox, origin, logLines } = running
  const open = async (query = '', headers: Record<string, string> = {}) => {
    const source = await openEvents(`${origin}${path}/events${query}`, headers)
    t.teardown(source.leave)
    return source
  }
  const calls = () => sandbox.requests.length
  /** Waits until the log says that a stream has ended, and returns why. */
  const endReason = async () => {
    const ended = () => logLines().findLast(({ msg }) => msg === 'stream ended')
    await until(() => ended() !== undefined)
    return ended()?.reason
  }
  return { ...running, open, calls, endReason }
}

t.test('a stream begins with the body of the plain GET, byte for byte, and its ETag as the id', async (t) => {
  const { open, get } = await start(t)
  for (const query of ['', '?view=summary', '?view=transcript&profile=agent', '?profile=viewer']) {
    const plain = await get(`${path}${query}`)
    const source = await open(query)
    const state = await source.nth('state', 1)
    t.equal(state.data, plain.text)
    t.equal(`"${state.id}"`, plain.headers.get('etag'))
    t.match(source.retries, [3000])
  }
})

t.test('a stream has the documented headers, and none of a plain answer', async (t) => {
  const { open, get } = await start(t)
  const source = await open('?view=transcript', { 'accept-encoding': 'br, gzip', 'cache-control': 'only-if-cached' })
  const plain = await get(`${path}?view=transcript`)
  const { status, headers } = source
  t.equal(status, 200)
  t.ok(plain.text.length > 1024, 'worth compressing')
  t.equal((await source.nth('state', 1)).data, plain.text)
  t.match(Object.fromEntries(headers), {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    'x-request-id': /./,
  })
  for (const name of ['etag', 'age', 'content-length', 'content-encoding', 'cache-status', 'retry-after'])
    t.equal(headers.get(name), null, name)
})

t.test('each change is sent once, as a whole state; an answer without one is checked', async (t) => {
  const { open, change, pass, get } = await start(t)
  const source = await open('?view=summary')
  await source.nth('state', 1)
  await pass(3)
  t.strictSame((await source.nth('checked', 1)).json, { age: 0, stale: null })
  change({ status: 'PAUSED' })
  await pass(3)
  const state = await source.nth('state', 2)
  t.equal(state.json.status, 'PAUSED')
  t.equal(state.data, (await get(`${path}?view=summary`)).text)
  t.equal(source.events.length, 3)
})

t.test('watchers of one run in three profiles cost the calls of one, and each gets its own bytes', async (t) => {
  const { open, change, pass, calls } = await start(t)
  const sources = await Promise.all(['full', 'agent', 'viewer'].map((profile) => open(`?profile=${profile}`)))
  for (const source of sources) await source.nth('state', 1)
  change({ status: 'PAUSED' })
  await pass(3)
  const names = await Promise.all(sources.map(async (each) => (await each.nth('state', 2)).json.contact.name))
  t.equal(new Set(names).size, 3)
  t.equal(calls(), 2)
})

t.test('news that another request brings is sent, too', async (t) => {
  const { open, change, get, clock } = await start(t)
  const source = await open()
  await source.nth('state', 1)
  change({ status: 'PAUSED' })
  await clock.advance(500)
  await get(path, { 'cache-control': 'no-cache' })
  t.equal((await source.nth('state', 2)).json.status, 'PAUSED')
})

t.test('Last-Event-ID', async (t) => {
  const { open, change, clock, calls, pass } = await start(t)
  const first = await open()
  const { id: tag = '' } = await first.nth('state', 1)
  const again = await open('', { 'last-event-id': tag })
  t.strictSame((await again.nth('checked', 1)).json, { age: 0, stale: null })
  t.equal(again.events.length, 1, 'what the reader has is not sent again')
  for (const other of ['x', `"${tag}"`, `${tag} `.repeat(3), tag.slice(1)])
    t.equal((await (await open('', { 'last-event-id': other })).nth('state', 1)).id, tag, other)
  t.equal((await (await open('?view=summary', { 'last-event-id': tag })).nth('state', 1)).json.view, 'summary')

  change({ status: 'COMPLETED' })
  await pass(3)
  const last = await first.nth('state', 2)
  t.notOk(first.isOver(), 'ticks of delivery may still arrive')
  while (!first.isOver()) await pass(30)
  t.strictSame((await first.nth('end', 1)).json, { reason: 'settled' })
  t.equal(clock.now() - startMs < 16 * 60_000, true)
  t.equal(first.retries.length, 2, 'before the last event')
  t.ok(calls() < 40)

  const late = await open()
  await late.over()
  t.strictSame(
    late.events.map(({ event }) => event),
    ['state', 'end'],
  )
  const nothingMore = await open('', { 'last-event-id': last.id ?? '' })
  t.equal(nothingMore.status, 204)
  await nothingMore.over()
  t.equal(nothingMore.text(), '')
})

t.test('a reader that needs not come back takes no place', async (t) => {
  const { open, get, change } = await start(t, { env: { CALLER_MAX_STREAMS: '1' } })
  change({ status: 'COMPLETED', status_last_change_on: '2026-11-22T09:00:00Z' })
  const tag = (await get(path)).headers.get('etag')?.slice(1, -1) ?? ''
  for (let times = 0; times < 3; times += 1) t.equal((await open('', { 'last-event-id': tag })).status, 204)
})

t.test('failures before the first byte are problems, the same as for the plain GET', async (t) => {
  const { origin, get, as, open } = await start(t, { callers, env: { CORS_ORIGINS: 'https://a.example' } })
  const everything = as('everything')
  const problemOf = async (target: string, headers: Record<string, string> = {}, method = 'GET') => {
    const { status, json, headers: received } = await get(target, headers, method)
    return [status, json().code, received.get('allow')]
  }
  t.strictSame(await problemOf(`${path}/events`), [401, 'unauthenticated', null])
  t.strictSame(await problemOf(`${path}/events?profile=full`, as('agent')), [403, 'forbidden', null])
  t.strictSame(await problemOf('/execution-contacts/x/events', everything), [400, 'invalid_id', null])
  t.strictSame(await problemOf(`${path}/events?view=x`, everything), [400, 'invalid_query', null])
  const json = { ...everything, accept: 'application/json' }
  t.strictSame(await problemOf(`${path}/events`, json), [406, 'not_acceptable', null])
  t.strictSame(await problemOf(`${path}/events`, everything, 'POST'), [405, 'method_not_allowed', 'GET'])
  const unknown = await get(`/execution-contacts/${uuid(0xdead, 1)}/events`, everything)
  t.match([unknown.status, unknown.json().code], [404, 'execution_contact_not_found'])
  t.equal(unknown.headers.get('retry-after'), '10')
  t.equal(unknown.headers.get('cache-control'), 'no-store')
  const { status } = await get(`${path}/events`, everything, 'HEAD')
  t.equal(status, 405)
  for (const accept of ['text/event-stream', '*/*', '', 'text/*, application/json;q=0.1'])
    t.equal((await open('', { ...everything, accept })).status, 200, accept)
  t.ok(origin)
})

t.test('with CALLER_MAX_STREAMS=0 there are no streams, and Prefer is ignored', async (t) => {
  const { get } = await start(t, { env: { CALLER_MAX_STREAMS: '0' } })
  t.match((await get(`${path}/events`)).json(), { status: 404, code: 'route_not_found' })
  const { headers } = await get(path)
  const held = await get(path, { 'if-none-match': headers.get('etag') ?? '', prefer: 'wait=30' })
  t.equal(held.status, 304)
  t.equal(held.headers.get('preference-applied'), null)
})

t.test('a caller has so many streams, and each that ends makes room for another', async (t) => {
  const { open, as, get } = await start(t, { callers, env: { CALLER_MAX_STREAMS: '2' } })
  const first = await open('', as('everything'))
  await open('', as('everything'))
  const third = await get(`${path}/events`, as('everything'))
  t.match([third.status, third.json().code, third.headers.get('retry-after')], [429, 'too_many_streams', '5'])
  t.equal((await open('', as('agent'))).status, 200, 'other callers have their own')
  const unknown = `/execution-contacts/${uuid(0xdead, 1)}/events`
  first.leave()
  let status = 429
  while (status === 429) status = (await get(unknown, as('everything'))).status
  t.equal(status, 404)
  t.equal((await open('', as('everything'))).status, 200, 'a failure takes no place')
})

t.test('something is sent once per heartbeat, and the age counts up', async (t) => {
  const { open, change, pass } = await start(t)
  change({ status: 'COMPLETED' })
  const source = await open()
  await source.nth('state', 1)
  await pass(9)
  t.strictSame((await source.nth('checked', 1)).json, { age: 9, stale: null })
  await pass(9)
  t.strictSame((await source.nth('checked', 2)).json, { age: 18, stale: null })
})

t.test('while Hilos fails, what is known stays, with one problem per spell', async (t) => {
  const { open, sandbox, change, pass } = await start(t)
  const source = await open()
  await source.nth('state', 1)
  sandbox.faults.set(id, 'broken')
  await pass(5)
  const { json } = await source.nth('problem', 1)
  t.match(json, { code: 'upstream_error', status: 502, retryable: true, instance: `${path}/events` })
  await pass(30)
  const { stale } = (await source.nth('checked', 2)).json
  t.equal(stale, 'origin-failed')
  t.equal(source.events.filter(({ event }) => event === 'problem').length, 1)
  sandbox.faults.clear()
  change({ status: 'PAUSED' })
  while (source.events.every(({ event, json }) => event !== 'state' || json.status !== 'PAUSED')) await pass(1)
  sandbox.faults.set(id, 'broken')
  while (source.events.filter(({ event }) => event === 'problem').length < 2) await pass(1)
  t.notOk(source.isOver())
})

t.test('erasure ends every stream within the interval', async (t) => {
  const { open, sandbox, as, pass } = await start(t, { callers })
  const sources = await Promise.all(callers.map(({ name }) => open('', as(name))))
  for (const source of sources) await source.nth('state', 1)
  sandbox.documents.delete(id)
  await pass(4)
  for (const source of sources) {
    t.match((await source.nth('end', 1)).json, { code: 'execution_contact_not_found', status: 404 })
    await source.over()
    t.equal(source.events.at(-1)?.event, 'end')
  }
})

t.test('a run that moves to another flow ends the streams of those who may not see that one', async (t) => {
  const { open, change, as, pass } = await start(t, { callers })
  const [limited, everything] = [await open('', as('limited')), await open('', as('everything'))]
  await limited.nth('state', 1)
  change({ flow: flow({ id: theirs }) })
  await pass(4)
  await everything.nth('state', 2)
  t.match((await limited.nth('end', 1)).json, { code: 'execution_contact_not_found' })
  await limited.over()
  t.notMatch(limited.text(), theirs)
})

t.test('rights are asked for again before each state and each heartbeat', async (t) => {
  const { open, as, callersFile, pass } = await start(t, { callers })
  const file = JSON.parse(readFileSync(callersFile, 'utf8'))
  const [limited, agent, everything] = [
    await open('', as('limited')),
    await open('', as('agent')),
    await open('', as('everything')),
  ]
  for (const source of [limited, agent, everything]) await source.nth('state', 1)
  const narrowed = file.callers.flatMap((entry: { name: string }) => {
    if (entry.name === 'limited') return [{ ...entry, flows: [theirs] }]
    if (entry.name === 'agent') return []
    return [{ ...entry, profile: 'agent' }]
  })
  writeFileSync(callersFile, JSON.stringify({ callers: narrowed }))
  while (![limited, agent, everything].every((source) => source.isOver())) await pass(1)
  t.match((await limited.nth('end', 1)).json, { code: 'execution_contact_not_found' })
  t.match((await agent.nth('end', 1)).json, { code: 'unauthenticated', status: 401 })
  t.match((await everything.nth('end', 1)).json, { code: 'forbidden', status: 403 })
})

t.test('a stream is closed after its lifetime, and its reader may come back', async (t) => {
  const { open, clock, pass } = await start(t)
  const source = await open()
  await source.nth('state', 1)
  while (!source.isOver()) await pass(30)
  t.equal(clock.now() - startMs, 37.5 * 60_000, 'half of the time between 30 and 45 minutes')
  t.equal(source.events.at(-1)?.event, 'checked', 'without an end')
  t.equal(source.retries.at(-1), 3000)
})

t.test('the log has the start, each state and the end of a stream, and the duration histogram nothing', async (t) => {
  const { open, logLines, as, pass, change, service } = await start(t, { callers })
  const source = await open('?view=summary', { ...as('agent'), 'x-request-id': 'r1' })
  await source.nth('state', 1)
  change({ status: 'PAUSED' })
  await pass(3)
  await source.nth('state', 2)
  source.leave()
  const lines = () => logLines().filter(({ requestId }) => requestId === 'r1')
  await until(() => lines().some(({ msg }) => msg === 'stream ended'))
  t.match(lines(), [
    { msg: 'stream opened', caller: 'agent', view: 'summary', profile: 'agent' },
    { msg: 'state sent', record: 'disclosure', stream: true, caller: 'agent', status: 200 },
    { msg: 'state sent', record: 'disclosure', stream: true, caller: 'agent', status: 200 },
    { msg: 'stream ended', caller: 'agent', states: 2, reason: 'left' },
  ])
  t.equal(lines().length, 4)
  const { body } = (await service.operators?.inject('/metrics')) ?? {}
  t.match(body, '{route="/execution-contacts/:id/events",cache="uri-miss",status="200",profile="agent"} 1')
})

/** So many steps that a state has almost two megabytes, and is rendered in the thread. */
const largeSteps = Array.from({ length: 400 }, (_, index) =>
  stepExecution(index, { id: uuid(0xd0, index), name: 'x'.repeat(4000) }),
)

/** A stream of large states whose reader takes nothing, until the buffers of the kernel are full and a state waits. */
async function startStalled(t: Test) {
  const running = await start(t)
  const { open, change, pass, calls, service, store, logLines } = running
  const sockets: Socket[] = []
  service.callers.server.on('connection', (socket) => sockets.push(socket))
  let revision = 0
  const isLoaded = () => store.get(id)?.value?.content.serialized.includes(`"revision ${revision}"`)
  const renderings = async () => (await service.operators?.inject('/cache'))?.json().renderings.entries
  /** Changes the document, and waits until its new state was offered to the stream, or the stream is over. */
  const revise = async () => {
    revision += 1
    change({ execution_steps: largeSteps, status_reason: `revision ${revision}` })
    const before = calls()
    while (calls() === before && !isOver()) await pass(1)
    // The thread works on the document after the call has ended.
    while (!isLoaded() && !isOver()) await settled()
    while ((await renderings()) === 0 && !isOver()) await settled()
    await settled()
  }
  const isOver = () => logLines().some(({ msg }) => msg === 'stream ended')
  change({ execution_steps: largeSteps, status_reason: 'revision 0' })
  const source = await open('?view=transcript')
  const { data } = await source.nth('state', 1)
  source.response.pause()
  const held = () => sockets[0]?.writableLength ?? 0
  while (held() === 0) await revise()
  return { ...running, source, revise, isOver, held, stateBytes: data.length, revision: () => revision }
}

t.test('a slow reader goes on with the newest state when it reads again', async (t) => {
  const { source, revise, held, stateBytes, revision } = await startStalled(t)
  const waitingFrom = revision()
  for (let times = 0; times < 4; times += 1) await revise()
  t.ok(held() < stateBytes + 1000, 'one state waits in the connection, however many there were')
  source.response.resume()
  const newest = `revision ${revision()}`
  const received = () => source.events.flatMap(({ event, json }) => (event === 'state' ? [json.reason] : []))
  await until(() => received().at(-1) === newest || source.isOver())
  // What was begun comes first: the state that found the connection full.
  const expected = Array.from({ length: waitingFrom + 1 }, (_, index) => `revision ${index}`)
  t.strictSame(received(), [...expected, newest])
})

t.test('a reader that takes nothing is disconnected', async (t) => {
  const { source, revise, isOver, clock, endReason } = await startStalled(t)
  const stalledAt = clock.elapsed()
  while (!isOver()) await revise()
  t.equal(await endReason(), 'stalled')
  const afterMs = clock.elapsed() - stalledAt
  t.ok(afterMs >= 18_000 && afterMs < 30_000, `after ${afterMs} ms`)
  source.response.resume()
  await source.over()
  t.notMatch(source.text().slice(-1000), /^retry/m)
})

async function startWithIssuer(t: Test) {
  const issuer = await createIssuer(t)
  const env = {
    JWT_ISSUER: issuer.issuer,
    JWT_AUDIENCE: issuer.audience,
    JWT_JWKS_URL: issuer.jwksUrl,
    DANGEROUSLY_ALLOW_ANONYMOUS: 'false',
  }
  const bearer = (seconds: number) => ({
    authorization: `Bearer ${issuer.sign({ exp: startMs / 1000 + seconds })}`,
  })
  return { ...(await start(t, { env })), issuer, bearer }
}

t.test('a stream ends within a heartbeat after its access token has expired', async (t) => {
  const { open, change, pass, bearer, endReason } = await startWithIssuer(t)
  change({ status: 'PAUSED' })
  const source = await open('', bearer(60))
  await source.nth('state', 1)
  await pass(64)
  t.notOk(source.isOver(), 'clocks may differ by 5 s')
  await pass(10)
  t.match((await source.nth('end', 1)).json, { code: 'unauthenticated', status: 401 })
  await source.over()
  t.equal(await endReason(), 'unauthenticated')
})

t.test('while the issuer cannot be asked about a token, its stream is closed without an end', async (t) => {
  const { open, get, change, pass, issuer, bearer, endReason } = await startWithIssuer(t)
  change({ status: 'COMPLETED' })
  const source = await open('', bearer(3600))
  await source.nth('state', 1)
  // A token with a new key makes the service fetch the keys, of which that of the first token is none any more.
  await pass(5)
  issuer.rotate()
  t.equal((await get(path, bearer(3600))).status, 200)
  issuer.setMood('down')
  await pass(590)
  t.notOk(source.isOver(), 'a verification counts for ten minutes')
  await pass(20)
  await source.over()
  t.equal(await endReason(), 'token_issuer_unavailable')
  t.strictSame([source.events.at(-1)?.event, source.retries.length], ['checked', 2])
})

t.test('with a full log no state is sent, and the stream is closed without an end', async (t) => {
  let isFull = false
  const { open, change, pass, get, endReason, logLines } = await start(t, { isLogFull: () => isFull })
  const source = await open()
  await source.nth('state', 1)
  isFull = true
  change({ status: 'PAUSED' })
  await pass(3)
  await source.over()
  t.equal(await endReason(), 'overloaded')
  t.strictSame([source.events.length, source.retries.length], [1, 2])
  t.equal(logLines().filter(({ record }) => record === 'disclosure').length, 1)
  t.match((await get(`${path}/events`)).json(), { status: 503, code: 'overloaded' })
})

t.test('of two changes in quick order of a large contact the newer one is sent last', async (t) => {
  // Enough for the thread.
  const someSteps = largeSteps.slice(0, 50)
  const { open, change, get, pass } = await start(t)
  change({ execution_steps: someSteps })
  const sources = await Promise.all(['full', 'agent', 'viewer'].map((profile) => open(`?profile=${profile}`)))
  for (const source of sources) t.equal((await source.nth('state', 1)).json.steps.length, someSteps.length)
  change({ execution_steps: someSteps, status: 'PAUSED' })
  await get(path, { 'cache-control': 'no-cache' })
  change({ status: 'READY' })
  await pass(16)
  for (const source of sources) {
    const last = () => source.events.findLast(({ event }) => event === 'state')?.json.status
    await until(() => last() === 'READY' || source.isOver())
    t.notOk(source.isOver())
  }
})

t.test('a contact that is not stored is watched as well', async (t) => {
  const { open, change, pass, store } = await start(t, { env: { CACHE_LIFETIME_SCALE: '0' } })
  const source = await open('?view=summary')
  await source.nth('state', 1)
  await pass(3)
  t.strictSame((await source.nth('checked', 1)).json, { age: 0, stale: null })
  change({ status: 'PAUSED' })
  await pass(3)
  t.equal((await source.nth('state', 2)).json.status, 'PAUSED')
  t.strictSame([...store.entries()], [])
})

t.test('a caller that leaves before the first byte takes no place', async (t) => {
  const { open, origin, sandbox, service } = await start(t, { env: { CALLER_MAX_STREAMS: '1' } })
  const { promise, resolve } = Promise.withResolvers<Part>()
  sandbox.documents.set(id, () => promise)
  const leaving = request(`${origin}${path}/events`, { agent: false }).on('error', () => {})
  await until(() => sandbox.requests.length === 1)
  leaving.destroy()
  const connections = () =>
    new Promise<number>((done) => service.callers.server.getConnections((_, each) => done(each)))
  while ((await connections()) > 0) await settled()
  resolve(executionContact(id))
  let source = await open()
  while (source.status !== 200) source = await open()
  t.equal((await source.nth('state', 1)).event, 'state')
})

t.test('there are so many streams and held requests of all callers, and one more is overloaded', async (t) => {
  const { open, get, as } = await start(t, { callers, streams: { max: 2 } })
  const [first] = [await open('', as('everything')), await open('', as('agent'))]
  const refused = await get(`${path}/events`, as('limited'))
  t.match([refused.status, refused.json().code], [503, 'overloaded'])
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  const { headers } = await get(path, as('limited'))
  const held = await get(path, { ...as('limited'), 'if-none-match': `${headers.get('etag')}`, prefer: 'wait=30' })
  t.strictSame([held.status, held.headers.get('preference-applied')], [304, null])
  first.leave()
  let { status } = await open('', as('limited'))
  while (status === 503) ({ status } = await open('', as('limited')))
  t.equal(status, 200)
})

t.test('a stream goes on when the cache is emptied', async (t) => {
  const { open, change, pass, service } = await start(t)
  const source = await open()
  await source.nth('state', 1)
  for (const [url, status] of [
    [`/cache${path}`, 'PAUSED'],
    ['/cache', 'READY'],
  ] as const) {
    t.equal((await service.operators?.inject({ url, method: 'DELETE' }))?.statusCode, 204)
    change({ status })
    await pass(15)
    const last = () => source.events.findLast(({ event }) => event === 'state')?.json.status
    await until(() => last() === status || source.isOver())
    t.notOk(source.isOver(), url)
  }
})

t.test('a run that ended at an unknown time is settled', async (t) => {
  const { open, change } = await start(t)
  change({ status: 'COMPLETED', status_last_change_on: null, created_on: null })
  const source = await open()
  await source.over()
  t.strictSame(
    source.events.map(({ event, json }) => [event, json.endedAt ?? json.reason]),
    [
      ['state', null],
      ['end', 'settled'],
    ],
  )
})

t.test('while a watched run waits long for its turn, its age is rationed', async (t) => {
  const { open, pass } = await start(t, { env: { HILOS_MAX_RPS: '0.1' } })
  const source = await open()
  await source.nth('state', 1)
  await pass(9)
  t.strictSame((await source.nth('checked', 1)).json, { age: 9, stale: 'rationed' })
})

t.test('a stream that is opened anew makes no call in the name of its caller', async (t) => {
  const { open, clock, calls, pass } = await start(t)
  const first = await open()
  const { id: tag = '' } = await first.nth('state', 1)
  first.leave()
  await clock.advance(20_000)
  const before = calls()
  const again = await open('', { 'last-event-id': tag })
  // A load in the name of the caller would be `revalidating`.
  t.strictSame((await again.nth('checked', 1)).json, { age: 20, stale: null })
  await pass(1)
  t.equal(calls(), before + 1, 'it is its turn at once')
  t.ok((await again.nth('checked', 2)).json.age < 2)
})
