import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { refuseForeignRequests } from '../../src/plugins/foreign-requests.ts'
import { answerWithProblems } from '../../src/plugins/problems.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

type Headers = Readonly<Record<string, string>>

/** A listener with a route, and a function that sends a request to it at an address and returns `ok` or why it was refused. */
async function start(t: Test, allowedHosts: readonly string[] = [], host = '127.0.0.1') {
  const app = Fastify()
  answerWithProblems(app)
  const reasons: unknown[] = []
  app.addHook('onResponse', async ({ failure }) => void reasons.push(failure?.facts.reason ?? 'ok'))
  refuseForeignRequests(app, allowedHosts)
  app.route({ method: ['GET', 'DELETE'], url: '/', handler: async () => 'ok' })
  t.teardown(() => app.close())
  await app.listen({ host, port: 0 })
  const { port } = app.server.address() as AddressInfo
  const ask = async (headers: Headers, { address = host, path = '/', method = 'DELETE' } = {}) => {
    const sent = request({ host: address, port, path, method, headers }).end()
    const [reply] = (await once(sent, 'response')) as [IncomingMessage]
    await once(reply.resume(), 'end')
    return reply.statusCode === 200 || reply.statusCode === 403 ? reasons.pop() : reply.statusCode
  }
  return { ask, port, reasons }
}

type Row = readonly [string, unknown]
const checkHosts = (t: Test, rows: readonly Row[], ask: (headers: Headers) => Promise<unknown>) =>
  checkRowsInTurn(t, rows, async ([host, wanted]) => difference(await ask({ host }), wanted), 'each Host')

t.test('a Host is this machine’s name for itself, or one that the settings allow', async (t) => {
  const { ask } = await start(t, ['ops.example', '10.0.0.1', 'fd00::1'])
  const own = ['localhost:3001', 'LOCALHOST', 'localhost.', '127.0.0.1:9', '[::1]:3001', '[::ffff:127.0.0.1]']
  const allowed = ['ops.example', 'OPS.EXAMPLE.:3001', '10.0.0.1:3001', '[fd00:0::1]:3001']
  const names = ['evil.example', 'evil.example:3001', 'ops.example.evil.example', 'an.ops.example', 'xlocalhost']
  const likeOurs = ['localhost.evil.example', '127.0.0.1.evil.example', '127.0.0.1.nip.io', 'ops.example@evil.example']
  const addresses = ['10.0.0.2', '127.0.0.2', '0.0.0.0:3001', '[fd00::2]', '[::]', '1.2.3.4.5']
  await checkHosts(
    t,
    [...own, ...allowed].map((host) => [host, 'ok'] as const),
    ask,
  )
  await checkHosts(
    t,
    [...names, ...likeOurs, ...addresses].map((host) => [host, 'host'] as const),
    ask,
  )
  t.equal(await ask({ host: 'evil.example' }, { method: 'GET' }), 'host', 'for each method')
})

t.test('a Host is also the address at which the connection arrived, and no other', async (t) => {
  const one = await start(t, [], '127.0.0.2')
  await checkHosts(
    t,
    [
      ['127.0.0.2:3001', 'ok'],
      ['[::ffff:127.0.0.2]', 'ok'],
      ['127.0.0.3', 'host'],
    ],
    one.ask,
  )
  const all = await start(t, [], '::')
  for (const [address, host] of [
    ['127.0.0.2', '127.0.0.2'],
    ['127.0.0.3', '127.0.0.3'],
    ['::1', '[::1]'],
  ] as const)
    t.equal(await all.ask({ host: `${host}:3001` }, { address }), 'ok')
  t.equal(await all.ask({ host: '127.0.0.3' }, { address: '127.0.0.2' }), 'host')
})

t.test('the host in a target counts instead of the Host header', async (t) => {
  const { ask } = await start(t)
  const [host, evil] = ['localhost', 'evil.example']
  t.equal(await ask({ host }, { path: 'http://evil.example/' }), 'host')
  t.equal(await ask({ host }, { path: 'HTTP://localhost@evil.example/' }), 'host')
  t.equal(await ask({ host: evil }, { path: 'http://localhost:3001/' }), 'ok')
  t.equal(await ask({ host: evil }, { path: '//localhost/' }), 'host', 'this is a path')
})

t.test('a request without Host is not sent by a browser', async (t) => {
  const { port, reasons } = await start(t)
  for (const lines of ['', 'Origin: null\r\n', 'Origin: http://undefined\r\n'])
    await once(connect(port, '127.0.0.1').resume().end(`GET / HTTP/1.0\r\n${lines}\r\n`), 'close')
  t.strictSame(reasons, ['ok', 'origin', 'origin'])
})

t.test('a request of a page of another site is refused, and one of a person or a program is not', async (t) => {
  const { ask } = await start(t)
  const host = '127.0.0.1:3001'
  const rows = [
    [{}, 'ok'],
    [{ origin: `http://${host}` }, 'ok'],
    [{ origin: `https://${host}` }, 'ok'],
    [{ origin: 'https://evil.example' }, 'origin'],
    [{ origin: 'null' }, 'origin'],
    [{ origin: '' }, 'origin'],
    [{ origin: 'http://127.0.0.1:3000' }, 'origin'],
    [{ origin: 'http://127.0.0.1' }, 'origin'],
    [{ origin: `http://${host}.evil.example` }, 'origin'],
    [{ 'sec-fetch-site': 'none' }, 'ok'],
    [{ 'sec-fetch-site': 'same-origin' }, 'ok'],
    [{ 'sec-fetch-site': 'same-site' }, 'site'],
    [{ 'sec-fetch-site': 'cross-site' }, 'site'],
    [{ 'sec-fetch-site': 'cross-site', origin: `http://${host}` }, 'site'],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 'site'],
    [{ 'sec-fetch-site': 'none, cross-site' }, 'site'],
    [{ 'sec-fetch-site': '' }, 'site'],
  ] as const
  await checkRowsInTurn(
    t,
    rows,
    async ([headers, wanted]) => difference(await ask({ host, ...headers }), wanted),
    'each page',
  )
})
