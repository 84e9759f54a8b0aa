import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { uuid } from '../../sandbox/parts.ts'
import { loadConfig } from '../../src/config/config.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createServer } from '../../src/http/server.ts'
import { answerWithProblems } from '../../src/plugins/problems.ts'
import { logRequests } from '../../src/plugins/request-log.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { RequestRecord } from '../../src/telemetry/request-record.ts'
import { createClock } from '../harness/clock.ts'
import { startService, until } from '../harness/service.ts'

const running = documentIds.deliveryConfirmation
const pathOf = (id: string) => `/execution-contacts/${id}`

/** A server without routes that logs requests, with its log and its records. */
function start(t: Test) {
  const { limits } = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  const lines: string[] = []
  const { app } = createServer(limits, createLogger('info', { write: (line) => void lines.push(line) }))
  t.teardown(() => app.close())
  const records: RequestRecord[] = []
  const recordDisclosure = logRequests(app, 'info', (record) => records.push(record))
  answerWithProblems(app)
  return { app, records, recordDisclosure, logLines: () => lines.map((line) => JSON.parse(line)) }
}

t.test('a request is logged as one line with these fields and no others', async (t) => {
  const { get, as, clock, store, logLines } = await startService(t, {
    callers: [{ name: 'web', profile: 'agent' }],
    clock: createClock(undefined, { elapsed: performance.now.bind(performance) }),
  })
  const lines = () => logLines().filter(({ msg }) => msg === 'answered')
  const ask = async (path = `${pathOf(running)}?view=summary`, headers: Record<string, string> = as('web')) => {
    await get(path, { 'x-request-id': 'r', ...headers })
    const { time: _time, durationMs, waitedMs, msg: _msg, ...rest } = lines().at(-1) ?? {}
    t.ok(typeof durationMs === 'number' && durationMs >= Number(waitedMs ?? 0))
    return { ...rest, ...(waitedMs !== undefined && { waited: true }) }
  }
  const common = { level: 30, requestId: 'r', method: 'GET', route: '/execution-contacts/:id', caller: 'web' }
  const contact = 'ac1f6323ee40c6454d7f5711359f44fe'
  const shown = {
    ...common,
    record: 'disclosure',
    kind: 'key',
    profile: 'agent',
    view: 'summary',
    contact,
    status: 200,
  }
  t.strictSame(await ask(), { ...shown, cache: 'uri-miss', waited: true })
  t.strictSame(await ask(), { ...shown, cache: 'hit' })
  const generatedAt = () => store.peek(running)?.generatedAt
  const firstAt = generatedAt()
  clock.advance(10_000)
  t.strictSame(await ask(), { ...shown, cache: 'hit', detail: 'revalidating' })
  await until(() => generatedAt() !== firstAt)
  const err = (code: string) => ({ type: 'Failure', code })
  clock.advance(10_000)
  const failed = { ...common, status: 412, cache: 'hit', detail: 'revalidating', err: err('precondition_failed') }
  t.strictSame(await ask(undefined, { ...as('web'), 'if-match': '"another"' }), failed)
  const absent = { ...common, status: 404, cache: 'uri-miss', waited: true, err: err('execution_contact_not_found') }
  t.strictSame(await ask(pathOf(uuid(0xdead, 1))), absent)
  t.strictSame(await ask(pathOf('canary')), { ...common, status: 400, err: err('invalid_id') })
  const { caller: _caller, ...withoutCaller } = common
  t.strictSame(await ask('/canary?canary', {}), {
    ...withoutCaller,
    route: null,
    status: 404,
    err: err('route_not_found'),
  })
  t.equal(lines().length, 7)
  t.notMatch(JSON.stringify(lines()), new RegExp(`canary|${running}|hbff_`))
  await get(pathOf(faultIds.broken), as('web'))
  t.equal(lines().at(-1)?.level, 40, 'a failure of Hilos is a warning')
})

const disclosure = { kind: 'key', profile: 'agent', view: 'summary', contact: 'pseudonym' } as const

t.test('a request has no status when the caller disconnects during the response', async (t) => {
  const { app, records, recordDisclosure, logLines } = start(t)
  // Larger than the buffers of the system.
  const large = Buffer.alloc(64 * 1024 * 1024)
  app.get('/large', (_request, reply) => reply.send(large))
  app.get('/recorded', (request, reply) => {
    recordDisclosure(request, reply, disclosure)
    return reply.send(large)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const left = { status: null, msg: 'caller disconnected before the response', record: undefined, contact: undefined }
  for (const [route, recorded] of [
    ['/large', []],
    ['/recorded', [{ route: '/recorded', record: 'disclosure', ...disclosure, status: 200, msg: 'answered' }]],
  ] as const) {
    const [before, ended] = [logLines().length, records.length]
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${route} HTTP/1.1\r\nHost: a\r\n\r\n`))
    await once(socket, 'data')
    t.match(logLines().slice(before), recorded, 'what is shown is recorded before the caller has read it')
    t.equal(logLines().length, before + recorded.length)
    socket.destroy()
    await until(() => records.length > ended)
    const record = records.at(-1)
    t.match(record, { status: null, route, failure: null })
    t.ok(
      Number(record?.durationMs) > logLines().at(before).durationMs + (recorded.length > 0 ? 0.1 : -0.1),
      'the metrics count the whole time',
    )
    t.match(logLines().slice(before + recorded.length), [{ route, ...left }])
  }
})

t.test(
  'a caller that has disconnected before the response was ready is shown nothing, so nothing is recorded',
  async (t) => {
    const { app, records, recordDisclosure, logLines } = start(t)
    const ready = Promise.withResolvers<void>()
    const handled = Promise.withResolvers<void>()
    app.get('/', async (request, reply) => {
      handled.resolve()
      await ready.promise
      recordDisclosure(request, reply, disclosure)
      return 'data'
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    await handled.promise
    socket.destroy()
    await until(() => records.length > 0)
    ready.resolve()
    await new Promise(setImmediate)
    t.match(logLines().slice(1), [{ status: null, record: undefined, msg: 'caller disconnected before the response' }])
    t.equal(logLines().length, 2)
  },
)

t.test('a stream has a line for each state that it shows, and none at its end', async (t) => {
  const { app, records, recordDisclosure, logLines } = start(t)
  const ends = [(stream: PassThrough) => stream.end(), (stream: PassThrough) => stream.destroy(), null] as const
  app.get('/:end', (request, reply) => {
    request.isWatch = true
    request.isRecorded = true
    const handling = { fwd: null, stored: false, collapsed: false, detail: null, reloadDenied: false } as const
    request.cacheUse = { ...handling, ageMs: 0, waitedMs: 0 }
    const stream = new PassThrough()
    stream.write('one')
    for (const _ of ['one', 'two']) recordDisclosure(request, reply, { ...disclosure, stream: true })
    const { end } = request.params as { end: number }
    setImmediate(() => ends[end]?.(stream))
    return reply.send(stream)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const shown = { record: 'disclosure', stream: true, ...disclosure, cache: undefined, status: 200, msg: 'state sent' }
  for (const end of ends.keys()) {
    const [before, ended] = [logLines().length, records.length]
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET /${end} HTTP/1.1\r\nHost: a\r\n\r\n`))
    socket.on('error', () => {})
    await once(socket, 'data')
    if (ends[end] === null) socket.destroy()
    await until(() => records.length > ended)
    socket.destroy()
    t.match(records.at(-1), { status: 200, isWatch: true, cache: { fwd: null } })
    t.match(logLines().slice(before), [shown, shown])
    t.equal(logLines().length, before + 2)
  }
})

t.test('a caller that leaves while its request is held has disconnected before the response', async (t) => {
  const { app, records, logLines } = start(t)
  const held = Promise.withResolvers<void>()
  app.get('/', (request) => {
    request.isWatch = true
    held.resolve()
    return new Promise(() => {})
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  await held.promise
  socket.destroy()
  await until(() => records.length > 0)
  t.match(records, [{ status: null, isWatch: true }])
  t.match(logLines().slice(1), [{ status: null, msg: 'caller disconnected before the response' }])
  t.equal(logLines().length, 2)
})

t.test('a response that was recorded and fails has a second line that says so', async (t) => {
  const { app, records, recordDisclosure, logLines } = start(t)
  app.get('/', (request, reply) => {
    recordDisclosure(request, reply, disclosure)
    throw new Failure('overloaded')
  })
  await (await fetch(await app.listen({ host: '127.0.0.1', port: 0 }))).text()
  await until(() => records.length > 0)
  t.match(logLines().slice(1), [
    { record: 'disclosure', status: 200 },
    { record: undefined, status: 503, err: { code: 'overloaded' }, level: 40 },
  ])
})

t.test('times are logged in milliseconds with one decimal', async (t) => {
  const { app, records, logLines } = start(t)
  app.get('/', (request, reply) => {
    const handling = { fwd: 'stale', stored: true, collapsed: false, detail: null, reloadDenied: false } as const
    request.cacheUse = { ...handling, ageMs: 0, waitedMs: 1234.56 }
    return reply.send('here')
  })
  await app.inject('/')
  await until(() => records.length > 0)
  const [{ waitedMs, durationMs }] = logLines()
  t.equal(waitedMs, 1234.6)
  t.equal(durationMs, Math.round((records[0]?.durationMs ?? 0) * 10) / 10)
  t.ok(durationMs > 0)
})
