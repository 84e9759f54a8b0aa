import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import { executionContact, uuid } from '../sandbox/parts.ts'
import { sandboxToken, startService, until } from './harness/service.ts'

const path = `/execution-contacts/${documentIds.ready}`

/** The longest time, in milliseconds, for which the event loop did not come round while something else was done. */
async function longestBlockMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let cameRoundAt = performance.now()
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - cameRoundAt)
    cameRoundAt = performance.now()
  }, 1)
  await work()
  clearInterval(timer)
  return Math.max(longest, performance.now() - cameRoundAt)
}

t.test('an outage, when Hilos is gone and comes back at the same address, is over within five seconds', async (t) => {
  const running = await startService(t, { env: { HILOS_TIMEOUT_MS: '2000' } })
  const { get, clock, sandbox, hilosPort } = running
  await get(path)
  await sandbox.close()
  clock.advance(45_000)
  t.match((await get(path)).headers.get('cache-status'), /^hilos-bff; fwd=stale; ttl=-40; detail=origin-failed$/)
  for (let index = 0; index < 20; index += 1) {
    const reply = await get(`/execution-contacts/${uuid(0xdead, index)}`)
    t.match([reply.status, reply.json().code], [503, 'upstream_unavailable'])
  }
  const healed = createSandbox({ token: sandboxToken, now: clock.now })
  t.teardown(healed.close)
  await healed.listen(hilosPort)
  clock.advance(5000)
  t.equal((await get(path)).headers.get('cache-status'), 'hilos-bff; fwd=stale; ttl=5; stored')
  t.equal((await get(`/execution-contacts/${uuid(0xdead, 1)}`)).status, 404)
})

t.test('random ids, when there is a flood of them, evict nothing real', async (t) => {
  const { get, sandbox } = await startService(t, { env: { CACHE_MAX_BYTES: '1048576' } })
  await get(path)
  for (let batch = 0; batch < 40; batch += 1) {
    const ids = Array.from({ length: 25 }, (_, index) => uuid(0xf100d, batch * 25 + index))
    const replies = await Promise.all(ids.map((id) => get(`/execution-contacts/${id}`)))
    t.ok(replies.every(({ status }) => status === 404))
  }
  t.equal(sandbox.requests.length, 1001)
  t.match((await get(path)).headers.get('cache-status'), /; hit; /)
})

t.test('a hundred callers, when each leaves at another moment, disturb nobody', async (t) => {
  const { get, origin, sandbox } = await startService(t)
  const rejections: unknown[] = []
  const onRejection = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', onRejection)
  t.teardown(() => process.off('unhandledRejection', onRejection))
  const gate = Promise.withResolvers<void>()
  sandbox.documents.set(documentIds.ready, async () => {
    await gate.promise
    return executionContact(documentIds.ready)
  })
  const staying = get(path)
  const { hostname, port } = new URL(origin)
  const leavers = Array.from({ length: 100 }, () => connect(Number(port), hostname))
  for (const [index, socket] of leavers.entries()) {
    socket.on('error', () => {})
    const id = index % 2 === 0 ? documentIds.ready : uuid(0x1ea7e, index)
    socket.write(`GET /execution-contacts/${id} HTTP/1.1\r\nhost: a\r\n${index % 3 === 0 ? '' : '\r\n'}`)
  }
  await until(() => sandbox.requests.length > 10)
  for (const socket of leavers) socket.resetAndDestroy()
  gate.resolve()
  t.equal((await staying).status, 200)
  t.equal((await get(path)).status, 200)
  t.strictSame(rejections, [])
})

/** A Hilos that answers with these bytes, and a service that asks it. */
async function startBefore(t: Test, answer: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return await startService(t, { env: { HILOS_BASE_URL: `http://127.0.0.1:${port}` } })
}

const head = (headers: string) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${headers}\r\n`

t.test('a monstrous answer, of any kind, is a 502 while the service goes on and its memory stays', async (t) => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, ' '), { level: 9 })
  const monsters: Record<string, (socket: Socket) => void> = {
    'a gzip bomb of 256 MiB': (socket) =>
      socket.end(
        Buffer.concat([Buffer.from(head(`content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n`)), bomb]),
      ),
    'a gzip in a gzip': (socket) =>
      socket.end(
        Buffer.concat([Buffer.from(head('content-encoding: gzip\r\n')), gzipSync(gzipSync('{"contact":{}}'))]),
      ),
    'a body of 100 MB': (socket) => {
      socket.write(head('content-length: 100000000\r\n'))
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(256 * 1024, ' '))) {}
      }
      socket.on('drain', pour)
      pour()
    },
    '40,000 steps': (socket) => {
      const body = `{"execution_steps":[${Array(40_000).fill('{"step":{},"messages":[]}').join()}]}`
      socket.end(`${head(`content-length: ${body.length}\r\n`)}${body}`)
    },
  }
  for (const [name, answer] of Object.entries(monsters)) {
    const { get } = await startBefore(t, answer)
    const before = process.memoryUsage().rss
    let status = 0
    const blockedMs = await longestBlockMs(async () => {
      status = (await get(path)).status
    })
    t.equal(status, 502, name)
    t.ok(blockedMs < 400, `${name}: the event loop came round within ${Math.round(blockedMs)} ms`)
    const grownMiB = (process.memoryUsage().rss - before) / 1024 ** 2
    t.ok(grownMiB < 100, `${name}: ${Math.round(grownMiB)} MiB more`)
  }
})

t.test('connections that bring nothing, or not all of it, are closed in time while others are served', async (t) => {
  const { get, origin } = await startService(t, { env: { HILOS_TIMEOUT_MS: '1' } })
  const { hostname, port } = new URL(origin)
  const open = (text: string) => {
    const socket = connect(Number(port), hostname, () => socket.write(text))
    return socket.on('error', () => {}).resume()
  }
  const slow = [open('G'), open(`GET ${path} HTTP/1.1\r\nhost: a\r\n`)]
  const closed = slow.map((socket) => once(socket, 'close'))
  const startedMs = performance.now()
  t.equal((await get('/problems/invalid_id')).status, 200)
  await Promise.all(closed)
  t.ok(performance.now() - startedMs < 8000)
})
