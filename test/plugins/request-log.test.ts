import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { loadConfig } from '../../src/config/config.ts'
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
  logRequests(app, (record) => records.push(record))
  answerWithProblems(app)
  return { app, records, logLines: () => lines.map((line) => JSON.parse(line)) }
}

t.test('a request is logged as one line with these fields and no others', async (t) => {
  const { get, as, clock, sandbox, logLines } = await startService(t, {
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
  t.strictSame(await ask(), { ...common, status: 200, cache: 'uri-miss', waited: true })
  t.strictSame(await ask(), { ...common, status: 200, cache: 'hit' })
  clock.advance(10_000)
  t.strictSame(await ask(), { ...common, status: 200, cache: 'hit', detail: 'revalidating' })
  await until(() => sandbox.requests.length === 2)
  const err = (code: string) => ({ type: 'Failure', code })
  t.strictSame(await ask(pathOf('canary')), { ...common, status: 400, err: err('invalid_id') })
  const { caller: _caller, ...withoutCaller } = common
  t.strictSame(await ask('/canary?canary', {}), {
    ...withoutCaller,
    route: null,
    status: 404,
    err: err('route_not_found'),
  })
  t.equal(lines().length, 5)
  t.notMatch(JSON.stringify(lines()), new RegExp(`canary|${running}|hbff_`))
  await get(pathOf(faultIds.broken), as('web'))
  t.equal(lines().at(-1)?.level, 40, 'a failure of Hilos is a warning')
})

t.test('a request has no status when the caller disconnects during the response', async (t) => {
  const { app, records, logLines } = start(t)
  // Larger than the buffers of the system.
  app.get('/large', (_request, reply) => reply.send(Buffer.alloc(64 * 1024 * 1024)))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n'))
  await once(socket, 'data')
  socket.destroy()
  await until(() => records.length > 0)
  t.match(records, [{ status: null, route: '/large', failure: null }])
  t.match(logLines().at(-1), { status: null, msg: 'caller disconnected before the response' })
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
