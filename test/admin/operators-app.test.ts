import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { createOperatorsApp, type PartStatus } from '../../src/admin/operators-app.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startService } from '../harness/service.ts'

/** The operators' listener of a service whose parts are as given. */
async function start(t: Test, parts: Readonly<Record<string, PartStatus | null>> = {}): Promise<string> {
  const logger = createLogger('silent', { write: () => {} })
  const metrics = createMetrics()
  metrics.tokenRefused('upstream_unauthorized')
  metrics.fileChanged('CALLERS_FILE', 'refused')
  const app = createOperatorsApp(logger, { parts: () => parts, metrics })
  t.teardown(() => app.close())
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

t.test('livez, when the event loop turns, is ok and never from a cache', async (t) => {
  const origin = await start(t)
  for (const method of ['GET', 'HEAD']) {
    const reply = await fetch(`${origin}/livez`, { method })
    t.equal(reply.status, 200)
    t.equal(reply.headers.get('cache-control'), 'no-store')
    t.equal(await reply.text(), method === 'GET' ? 'ok\n' : '')
  }
})

t.test('readyz, when a part goes on with what it had, says so and stays ready', async (t) => {
  const parts = { callersFile: { ok: false, keys: 3, problems: ['callers[0].name: must be …'] }, hilosToken: null }
  const reply = await fetch(`${await start(t, parts)}/readyz`)
  t.equal(reply.status, 200)
  t.equal(reply.headers.get('cache-control'), 'no-store')
  t.strictSame(await reply.json(), { ready: true, parts })
})

t.test('metrics, as Prometheus reads them, have what was counted', async (t) => {
  const reply = await fetch(`${await start(t)}/metrics`)
  t.match(reply.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const text = await reply.text()
  t.match(text, '\nhilos_bff_token_refusals_total{code="upstream_unauthorized"} 1\n')
  t.match(text, '\nhilos_bff_file_changes_total{setting="CALLERS_FILE",outcome="refused"} 1\n')
})

t.test('the operators’ listener, when it is asked, logs nothing but where it listens', async (t) => {
  const lines: string[] = []
  const logger = createLogger('trace', { write: (line) => void lines.push(line) })
  const app = createOperatorsApp(logger, { parts: () => ({}), metrics: createMetrics() })
  t.teardown(() => app.close())
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of ['/livez', '/readyz', '/metrics', '/nothing']) await (await fetch(origin + path)).text()
  t.match(
    lines.map((line) => JSON.parse(line).msg),
    [`Server listening at ${origin}`],
  )
  t.equal(lines.length, 1)
})

t.test('the operators’ listener, when it closes, waits for no request that is still to come', async (t) => {
  const app = createOperatorsApp(createLogger('silent', { write: () => {} }), {
    parts: () => ({}),
    metrics: createMetrics(),
  })
  const { hostname, port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(port), hostname, () => socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /'))
  socket.on('error', () => {})
  await once(socket, 'data')
  const closed = once(socket, 'close')
  await app.close()
  await closed
  t.ok(socket.destroyed)
})

t.test('the operators’ listener, when turned off, is not there; the callers’ never has its routes', async (t) => {
  const off = await startService(t, { env: { ADMIN_PORT: '0' } })
  t.equal(off.service.operators, null)
  const on = await startService(t)
  t.not(on.service.operators, null)
  t.equal((await on.get('/livez')).status, 404)
})

t.test('a part, when it cannot say how it is, is a 500 without a word, and a line in the log', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const parts = () => {
    throw Object.assign(new Error('canary'), { canary: 'canary' })
  }
  const app = createOperatorsApp(logger, { parts, metrics: createMetrics() })
  t.teardown(() => app.close())
  const reply = await app.inject('/readyz')
  t.match([reply.statusCode, reply.body], [500, 'failed, see the log\n'])
  t.match(
    lines.map((line) => JSON.parse(line)),
    [{ level: 50, msg: 'the operators’ listener failed', err: { type: 'Error' } }],
  )
  t.notMatch(reply.body + lines.join(), 'canary')
  t.equal(
    (await app.inject({ method: 'POST', url: '/livez', headers: { 'content-type': 'text/x' }, payload: 'x' }))
      .statusCode,
    404,
  )
  t.equal((await app.inject('/%zz')).statusCode, 400)
})
