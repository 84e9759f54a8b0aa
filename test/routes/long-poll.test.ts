import { readFileSync, writeFileSync } from 'node:fs'
import { get as request } from 'node:http'
import t, { type Test } from 'tap'
import { flow, type Part } from '../../sandbox/parts.ts'
import { heldRequests } from '../harness/calls.ts'
import { type Arrangement, type Reply, until } from '../harness/service.ts'
import { settled } from '../harness/timers.ts'
import { id, movingRun, ours, path, startWithMovingRun, theirs } from './moving-run.ts'

/** The service with the moving run, and requests for it that are held. */
async function start(t: Test, arrangement: Arrangement = {}) {
  const running = await startWithMovingRun(t, arrangement)
  const { service, get } = running
  const watchers = () => heldRequests(service)
  /** Sends a request that is held, and waits until it is. */
  const hold = async (headers: Record<string, string>) => {
    const before = await watchers()
    let reply: Reply | undefined
    const replied = get(path, headers).then((received) => {
      reply = received
      return received
    })
    while ((await watchers()) === before && reply === undefined) await settled()
    return { replied, isHeld: () => reply === undefined }
  }
  const etagOf = async (headers: Record<string, string> = {}) => (await get(path, headers)).headers.get('etag') ?? ''
  return { ...running, hold, etagOf, watchers }
}

t.test('a held request is answered with the change when there is one', async (t) => {
  const { hold, pass, change, etagOf, sandbox, watchers, clock } = await start(t)
  const { replied, isHeld } = await hold({ 'if-none-match': await etagOf(), prefer: 'wait=30' })
  await pass(7)
  t.ok(isHeld())
  change({ status: 'PAUSED' })
  await pass(3)
  const { status, headers, json } = await replied
  t.equal(status, 200)
  t.equal(json().status, 'PAUSED')
  t.equal(headers.get('preference-applied'), 'wait=30')
  t.equal(headers.get('vary'), 'Accept, Accept-Encoding, Authorization, Prefer')
  t.equal(headers.get('age'), '0')
  t.equal(await watchers(), 0)
  t.ok(
    clock.armed().every((ms) => ms < 15_000),
    'the rest of the 30 s is not waited for',
  )
  await pass(20)
  t.equal(sandbox.requests.length, 4, 'and the run is not watched any more')
})

t.test('without a change it is answered with 304 when the time is over', async (t) => {
  const { hold, pass, etagOf } = await start(t)
  const etag = await etagOf()
  const { replied, isHeld } = await hold({ 'if-none-match': etag, prefer: 'wait=10' })
  await pass(9)
  t.ok(isHeld())
  await pass(1)
  const { status, headers } = await replied
  t.match([status, headers.get('etag'), headers.get('preference-applied')], [304, etag, 'wait=10'])
})

t.test('it is answered at once when there is a change already, or the run is settled', async (t) => {
  const { get, change, etagOf, pass } = await start(t)
  const changed = await get(path, { 'if-none-match': '"x"', prefer: 'wait=30' })
  t.match([changed.status, changed.headers.get('preference-applied')], [200, 'wait=30'])
  change({ status: 'COMPLETED', status_last_change_on: '2026-11-22T09:00:00Z' })
  await pass(60)
  const settledRun = await get(path, {
    'if-none-match': await etagOf({ 'cache-control': 'no-cache' }),
    prefer: 'wait=30',
  })
  t.match([settledRun.status, settledRun.headers.get('preference-applied')], [304, 'wait=30'])
})

t.test('it is held no longer than until the run is settled', async (t) => {
  const { hold, pass, change, etagOf } = await start(t)
  change({ status: 'COMPLETED', status_last_change_on: '2026-11-22T09:50:05Z' })
  const { replied } = await hold({ 'if-none-match': await etagOf(), prefer: 'wait=30' })
  await pass(5)
  t.equal((await replied).status, 304)
})

t.test('a preference that cannot be followed is ignored', async (t) => {
  const { get, etagOf } = await start(t)
  const known = { 'if-none-match': await etagOf(), prefer: 'wait=30' }
  const rows: readonly (readonly [Record<string, string>, string?])[] = [
    [{ prefer: 'wait=30' }],
    [{ ...known, 'if-none-match': '*' }],
    [{ ...known, 'if-none-match': ' * ' }],
    [{ ...known, prefer: 'wait=0' }],
    [{ ...known, prefer: 'wait=x' }],
    [{ ...known, 'cache-control': 'max-age=5' }],
    [{ ...known, 'cache-control': 'only-if-cached' }],
    [known, 'HEAD'],
  ]
  for (const [headers, method] of rows) {
    const reply = await get(path, headers, method)
    t.equal(reply.headers.get('preference-applied'), null, JSON.stringify(headers))
    t.notMatch(reply.headers.get('vary'), 'Prefer')
  }
})

t.test('what fetch adds to a conditional request is no demand', async (t) => {
  const { hold, etagOf, pass } = await start(t)
  for (const directive of ['no-cache', 'max-age=0', 'max-stale']) {
    const { replied, isHeld } = await hold({
      'if-none-match': await etagOf(),
      prefer: 'wait=2',
      'cache-control': directive,
    })
    t.ok(isHeld(), directive)
    await pass(2)
    t.equal((await replied).status, 304)
  }
})

t.test('held requests count as streams of their caller, and one too many is answered at once', async (t) => {
  const { hold, get, etagOf, pass } = await start(t, { env: { CALLER_MAX_STREAMS: '1' } })
  const headers = { 'if-none-match': await etagOf(), prefer: 'wait=5' }
  const { replied } = await hold(headers)
  const second = await get(path, headers)
  t.match([second.status, second.headers.get('preference-applied')], [304, null])
  await pass(5)
  t.equal((await replied).headers.get('preference-applied'), 'wait=5')
})

t.test('the rights of the caller count as they are when it is answered', async (t) => {
  const callers = [
    { name: 'gone', profile: 'full' },
    { name: 'narrowed', profile: 'full' },
    { name: 'moved', profile: 'full', flows: [ours] },
    { name: 'stays', profile: 'full' },
  ] as const
  const { hold, pass, as, etagOf, callersFile, change } = await start(t, { callers })
  const file = JSON.parse(readFileSync(callersFile, 'utf8'))
  const names = ['gone', 'narrowed', 'moved', 'stays']
  const held = await Promise.all(
    names.map(async (name) => hold({ ...as(name), 'if-none-match': await etagOf(as(name)), prefer: 'wait=20' })),
  )
  const [, narrowed, moved, stays] = file.callers
  writeFileSync(
    callersFile,
    JSON.stringify({ callers: [{ ...narrowed, profile: 'agent' }, { ...moved, flows: [theirs] }, stays] }),
  )
  while ((await etagOf(as('gone'))) !== '') await settled()
  change({ status: 'PAUSED' })
  await pass(4)
  const replies = await Promise.all(held.map(({ replied }) => replied))
  t.strictSame(
    replies.map(({ status }) => status),
    [401, 200, 404, 200],
  )
  t.equal(replies[1]?.json().contact.masked, true)
})

t.test('a run that is erased, or moves out of sight, is a 404 at once', async (t) => {
  const callers = [{ name: 'limited', profile: 'full', flows: [ours] }] as const
  for (const erase of [true, false]) {
    const { hold, pass, as, etagOf, change, sandbox } = await start(t, { callers })
    const { replied } = await hold({
      ...as('limited'),
      'if-none-match': await etagOf(as('limited')),
      prefer: 'wait=30',
    })
    if (erase) sandbox.documents.delete(id)
    else change({ flow: flow({ id: theirs }) })
    await pass(4)
    const { status, json } = await replied
    t.match([status, json().code], [404, 'execution_contact_not_found'])
  }
})

t.test('while Hilos fails it is held on', async (t) => {
  const { hold, pass, etagOf, sandbox } = await start(t)
  const { replied, isHeld } = await hold({ 'if-none-match': await etagOf(), prefer: 'wait=10' })
  sandbox.faults.set(id, 'broken')
  await pass(9)
  t.ok(isHeld())
  await pass(1)
  t.equal((await replied).status, 304)
})

t.test('a hold counts in no histogram of durations, and its line says how it was answered', async (t) => {
  const { hold, pass, etagOf, service, logLines } = await start(t)
  const { replied } = await hold({ 'if-none-match': await etagOf(), prefer: 'wait=5', 'x-request-id': 'held' })
  await pass(5)
  await replied
  await until(() => logLines().some(({ requestId }) => requestId === 'held'))
  const { body = '' } = (await service.operators?.inject('/metrics')) ?? {}
  const observed = [...body.matchAll(/^hilos_bff_request_duration_seconds_count\{.*\} (\d+)/gm)]
  t.equal(
    observed.reduce((sum, [, count]) => sum + Number(count), 0),
    1,
    'only the first request',
  )
})

t.test('a caller who leaves gives its place back', async (t) => {
  const { hold, etagOf, watchers, service, pass } = await start(t)
  const { replied } = await hold({ 'if-none-match': await etagOf(), prefer: 'wait=30' })
  t.equal(await watchers(), 1)
  replied.catch(() => {})
  service.callers.server.closeAllConnections()
  while ((await watchers()) > 0) await settled()
  await pass(1)
  await t.rejects(replied)
})

t.test('a caller who leaves during the first read takes no place', async (t) => {
  const { hold, etagOf, pass, sandbox, service, origin, clock } = await start(t, { env: { CALLER_MAX_STREAMS: '1' } })
  const headers = { 'if-none-match': await etagOf(), prefer: 'wait=30' }
  await clock.advance(3600_000)
  const { promise, resolve } = Promise.withResolvers<Part>()
  sandbox.documents.set(id, () => promise)
  const leaving = request(origin + path, { headers, agent: false }).on('error', () => {})
  await until(() => sandbox.requests.length === 2)
  leaving.destroy()
  const connections = () =>
    new Promise<number>((done) => service.callers.server.getConnections((_, each) => done(each)))
  while ((await connections()) > 1) await settled()
  resolve(movingRun())
  await pass(1)
  const { replied, isHeld } = await hold(headers)
  t.ok(isHeld())
  await clock.advance(30_000)
  t.equal((await replied).headers.get('preference-applied'), 'wait=30')
})

t.test('a run that does not exist is a 404 at once, with a promise that it would have been held', async (t) => {
  const { get, sandbox } = await start(t)
  sandbox.documents.delete(id)
  const { status, headers } = await get(path, { 'if-none-match': '"x"', prefer: 'wait=30' })
  t.strictSame([status, headers.get('preference-applied')], [404, 'wait=30'])
})

t.test('a held request is answered when the service shuts down', async (t) => {
  const { hold, etagOf, service } = await start(t)
  const { replied } = await hold({ 'if-none-match': await etagOf(), prefer: 'wait=30' })
  const closed = service.close()
  t.equal((await replied).status, 304)
  await closed
})
