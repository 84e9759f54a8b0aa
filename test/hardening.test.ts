import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import { executionContact, uuid } from '../sandbox/parts.ts'
import { sandboxToken, startService, until } from './harness/service.ts'
import { type Answer, jsonResponse, startRawHilos } from './upstream/raw-hilos.ts'

const path = `/execution-contacts/${documentIds.ready}`

/** The most CPU time, in milliseconds, that passed between two turns of the event loop during the work. */
async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let before = process.cpuUsage()
  const endTurn = () => {
    const { user, system } = process.cpuUsage(before)
    longest = Math.max(longest, (user + system) / 1000)
    before = process.cpuUsage()
  }
  const timer = setInterval(endTurn, 1)
  await work()
  clearInterval(timer)
  endTurn()
  return longest
}

t.test('fresh data is sent within five seconds of the end of an outage', async (t) => {
  const running = await startService(t, { env: { HILOS_TIMEOUT_MS: '120000' } })
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

t.test('a flood of random ids evicts no stored contact', async (t) => {
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

t.test('a hundred callers that disconnect at different moments do not affect the others', async (t) => {
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

t.test('a monstrous response of Hilos is a 502, and neither the event loop nor the memory suffers', async (t) => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, ' '), { level: 9 })
  const gzip = { 'content-encoding': 'gzip' }
  const steps = `{"execution_steps":[${Array(40_000).fill('{"step":{},"messages":[]}').join()}]}`
  const monsters: Record<string, Answer> = {
    'a gzip bomb of 256 MiB': jsonResponse(bomb, gzip),
    'a gzip in a gzip': jsonResponse(gzipSync(gzipSync('{"contact":{}}')), gzip),
    'a body of 100 MB': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n')
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(256 * 1024, ' '))) {}
      }
      socket.on('drain', pour)
      pour()
    },
    '40,000 steps': jsonResponse(steps),
  }
  for (const [name, answer] of Object.entries(monsters)) {
    const { baseUrl } = await startRawHilos(t, answer)
    const { get } = await startService(t, { env: { HILOS_BASE_URL: baseUrl } })
    const before = process.memoryUsage().rss
    const turnsMs: number[] = []
    for (const _attempt of [1, 2, 3])
      turnsMs.push(await longestTurnMs(async () => t.equal((await get(path)).status, 502, name)))
    const turns = turnsMs.map(Math.round).join(', ')
    t.ok(Math.min(...turnsMs) < 400, `${name}: the longest turns of the event loop took ${turns} ms of CPU time`)
    const grownMiB = (process.memoryUsage().rss - before) / 1024 ** 2
    t.ok(grownMiB < 100, `${name}: ${Math.round(grownMiB)} MiB more`)
  }
})

t.test('the callers’ listener limits how slowly a request can arrive', async (t) => {
  const { service } = await startService(t)
  t.match(service.callers.server, { headersTimeout: 5000, requestTimeout: 10_000 })
})
