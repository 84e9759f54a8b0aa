import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import { startProcess } from '../harness/process.ts'

/** The exit status of the check with these settings. */
function check(t: Test, settings: Record<string, string>): Promise<number | null> {
  return startProcess(t, 'src/healthcheck.ts', settings).ended
}

/** A listener in the operators' place; says on which port, and what it was asked. */
async function listen(t: Test, answer: RequestListener, host = '127.0.0.1') {
  const asked: string[] = []
  const server = createServer((request, reply) => {
    asked.push(`${request.method} ${request.url}`)
    answer(request, reply)
  }).listen(0, host)
  await once(server, 'listening')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  return { port: String((server.address() as AddressInfo).port), asked }
}

t.test('the check, when the operators’ listener answers, asks /livez once and ends with 0', async (t) => {
  const { port, asked } = await listen(t, (_request, reply) => reply.end('ok\n'))
  t.equal(await check(t, { ADMIN_PORT: port }), 0)
  t.strictSame(asked, ['GET /livez'])
})

t.test('the check, when the listener is on every address or on one of its own, finds it', async (t) => {
  const { port } = await listen(t, (_request, reply) => reply.end())
  for (const host of ['0.0.0.0', '::', '', ' ', 'localhost', '127.0.0.1'])
    t.equal(await check(t, { ADMIN_HOST: host, ADMIN_PORT: port }), 0, `ADMIN_HOST=${host}`)
  const sixth = await listen(t, (_request, reply) => reply.end(), '::1')
  t.equal(await check(t, { ADMIN_HOST: '::1', ADMIN_PORT: sixth.port }), 0, 'IPv6')
})

t.test('the check, when there is no operators’ listener, has nothing to ask and ends with 0', async (t) => {
  t.equal(await check(t, { ADMIN_HOST: 'nowhere.invalid', ADMIN_PORT: '0' }), 0)
})

for (const status of [204, 301, 404, 503])
  t.test(`the check, when the answer is ${status}, says so and ends with 1`, async (t) => {
    const { port } = await listen(t, (_request, reply) => reply.writeHead(status).end())
    const { ended, stderr } = startProcess(t, 'src/healthcheck.ts', { ADMIN_PORT: port })
    t.equal(await ended, 1)
    t.equal(stderr(), `/livez at 127.0.0.1, port ${port}: answered with ${status}\n`)
  })

t.test('the check, when nobody listens, says where it asked and ends with 1', async (t) => {
  const { operators } = loadConfig({ HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
  // The port is the one that the service has without settings; the address is nobody's.
  const refused = `connect ECONNREFUSED 127.0.0.3:${operators?.port}`
  for (const given of [{}, { ADMIN_PORT: '' }, { ADMIN_PORT: ' ' }]) {
    const { ended, stderr } = startProcess(t, 'src/healthcheck.ts', { ADMIN_HOST: '127.0.0.3', ...given })
    t.equal(await ended, 1)
    t.equal(stderr(), `/livez at 127.0.0.3, port ${operators?.port}: ${refused}\n`)
  }
  t.equal(operators?.host, '127.0.0.1', 'where the other checks here ask')
})

t.test('the check, when no answer comes, ends with 1 by itself', async (t) => {
  const { port } = await listen(t, () => {})
  const startedMs = performance.now()
  const { ended, stderr } = startProcess(t, 'src/healthcheck.ts', { ADMIN_PORT: port })
  t.equal(await ended, 1)
  t.match(stderr(), /aborted/)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 1500 && tookMs < 10_000, `${tookMs} ms`)
})
