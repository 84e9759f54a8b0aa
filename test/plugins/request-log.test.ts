import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createServer } from '../../src/http/server.ts'
import { answerWithProblems } from '../../src/plugins/problems.ts'
import { logRequests } from '../../src/plugins/request-log.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { RequestRecord } from '../../src/telemetry/request-record.ts'
import { startService, until } from '../harness/service.ts'

const running = documentIds.deliveryConfirmation
const pathOf = (id: string) => `/execution-contacts/${id}`

t.test('a request, when it is over, is one line with these fields and no others', async (t) => {
  const { get, as, clock, sandbox, logLines } = await startService(t, { callers: [{ name: 'web', profile: 'agent' }] })
  const lines = () => logLines().filter(({ msg }) => msg === 'answered')
  const fields = () => {
    const { time: _time, durationMs, waitedMs, level: _level, msg: _msg, ...rest } = lines().at(-1) ?? {}
    t.ok(typeof durationMs === 'number' && durationMs >= Number(waitedMs ?? 0))
    for (const ms of [durationMs, waitedMs ?? 0]) t.match(String(ms), /^\d+(\.\d)?$/, 'tenths')
    return { ...rest, ...(waitedMs !== undefined && { waited: true }) }
  }
  const common = { requestId: 'r', method: 'GET', route: '/execution-contacts/:id', status: 200, caller: 'web' }
  const ask = async (path = `${pathOf(running)}?view=summary`, headers: Record<string, string> = as('web')) => {
    await get(path, { 'x-request-id': 'r', ...headers })
    return fields()
  }
  t.strictSame(await ask(), { ...common, cache: 'uri-miss', waited: true })
  t.strictSame(await ask(), { ...common, cache: 'hit' })
  clock.advance(10_000)
  t.strictSame(await ask(), { ...common, cache: 'hit', detail: 'revalidating' })
  await until(() => sandbox.requests.length === 2)
  t.strictSame(await ask(pathOf('canary')), {
    ...common,
    status: 400,
    err: { type: 'Failure', code: 'invalid_id' },
  })
  t.strictSame(await ask('/canary?canary', {}), {
    requestId: 'r',
    method: 'GET',
    route: null,
    status: 404,
    err: { type: 'Failure', code: 'route_not_found' },
  })
  t.equal(lines().length, 5)
  t.notMatch(JSON.stringify(lines()), new RegExp(`canary|${running}|hbff_`))
})

t.test('a request, when it ends in a failure, is a line as grave as that', async (t) => {
  const { get, logLines } = await startService(t)
  for (const [path, level] of [
    [pathOf('x'), 30],
    [pathOf(faultIds.broken), 40],
  ] as const) {
    await get(path)
    t.equal(logLines().findLast(({ msg }) => msg === 'answered')?.level, level, path)
  }
})

t.test('a request, when its caller leaves in the middle of the answer, has no status', async (t) => {
  const { limits } = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  const app = createServer(limits, createLogger('silent', { write: () => {} }))
  t.teardown(() => app.close())
  const over = Promise.withResolvers<RequestRecord>()
  logRequests(app, over.resolve)
  answerWithProblems(app)
  // Far larger than what the system takes over on the way.
  app.get('/large', (_request, reply) => reply.send(Buffer.alloc(64 * 1024 * 1024)))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n'))
  await once(socket, 'data')
  socket.destroy()
  t.match(await over.promise, { status: null, route: '/large', failure: null })
})

t.test('the times of a line, whatever was measured, are milliseconds to a tenth', async (t) => {
  const { limits } = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  const lines: string[] = []
  const app = createServer(limits, createLogger('info', { write: (line) => void lines.push(line) }))
  t.teardown(() => app.close())
  logRequests(app, () => {})
  answerWithProblems(app)
  app.get('/', (request, reply) => {
    request.cacheUse = { word: 'stale', detail: null, ageMs: 0, waitedMs: 1234.56 }
    return reply.send('here')
  })
  const startedMs = performance.now()
  await app.inject('/')
  await until(() => lines.length > 0)
  const tookMs = performance.now() - startedMs
  const { waitedMs, durationMs } = JSON.parse(lines[0] ?? '')
  t.equal(waitedMs, 1234.6)
  t.ok(durationMs > 0 && durationMs < tookMs + 0.1, `${durationMs} of ${tookMs} ms`)
})
