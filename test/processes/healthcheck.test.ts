import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import { preload, startProcess } from '../harness/process.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const { operators } = loadConfig({ HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })

/** The exit status and standard error of a check with these settings. */
async function check(t: Test, settings: Record<string, string>) {
  const { ended, stderr } = startProcess(t, 'src/healthcheck.ts', settings, { isCovered: true })
  return [await ended, stderr()]
}

/** A listener in place of the operators' listener. It responds with status 200 unless a test replaces the handler. */
async function listen(t: Test, host = '127.0.0.1') {
  const server = createServer((_request, reply) => reply.end()).listen(0, host)
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const respond = (listener: RequestListener) => server.removeAllListeners('request').on('request', listener)
  return { respond, port: String((server.address() as AddressInfo).port) }
}

t.test('the exit status is 0 when /livez has status 200, and 1 with the reason otherwise', async (t) => {
  const { respond, port } = await listen(t)
  const requests: string[] = []
  const checkStatus = async (status: number) => {
    respond(({ method, url }, reply) => {
      requests.push(`${method} ${url}`)
      reply.writeHead(status).end()
    })
    const failed = [1, `/livez at 127.0.0.1, port ${port}: answered with ${status}\n`]
    return difference(await check(t, { ADMIN_PORT: port }), status === 200 ? [0, ''] : failed)
  }
  await checkRowsInTurn(t, [200, 204, 301, 404, 503], checkStatus, 'the status decides')
  t.strictSame(requests, Array(5).fill('GET /livez'))
})

t.test('the check finds a listener on all addresses or on one, and without one the exit status is 0', async (t) => {
  const [{ port }, sixth] = [await listen(t), await listen(t, '::1')]
  const hosts = ['0.0.0.0', '::', '', ' ', 'localhost', '127.0.0.1']
  const rows = [...hosts.map((host) => [host, port] as const), ['::1', sixth.port], ['missing.invalid', '0']] as const
  const checkHost = async ([host, port]: (typeof rows)[number]) =>
    difference(await check(t, { ADMIN_HOST: host, ADMIN_PORT: port }), [0, ''])
  await checkRowsInTurn(t, rows, checkHost, 'the exit status is 0')
})

t.test('without settings the check asks where the service listens without settings', async (t) => {
  t.equal(operators?.host, '127.0.0.1')
  // No process listens at this address.
  const refused = `connect ECONNREFUSED 127.0.0.3:${operators?.port}`
  const wanted = [1, `/livez at 127.0.0.3, port ${operators?.port}: ${refused}\n`]
  const checkPort = async (given: Record<string, string>) =>
    difference(await check(t, { ADMIN_HOST: '127.0.0.3', ...given }), wanted)
  await checkRowsInTurn(t, [{}, { ADMIN_PORT: '' }, { ADMIN_PORT: ' ' }], checkPort, 'the port is the default')
})

t.test('the exit status is 1 when no response comes within 1.5 s', async (t) => {
  const { respond, port } = await listen(t)
  const held = new Promise((resolve) => respond(resolve))
  // The time is over when the test says so.
  const deadline = preload(`AbortSignal.timeout = (ms) => {
    const controller = new AbortController()
    process.stdin.once('data', () => controller.abort())
    console.log(ms)
    return controller.signal
  }`)
  const { child, ended, stdout, stderr } = startProcess(
    t,
    'src/healthcheck.ts',
    { ADMIN_PORT: port },
    { nodeOptions: deadline },
  )
  await held
  child.stdin?.end('over')
  t.equal(await ended, 1)
  t.equal(stdout(), '1500\n')
  t.match(stderr(), /aborted/)
})
