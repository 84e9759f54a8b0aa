import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import type { Limits } from '../../src/config/limits.ts'
import { createServer } from '../../src/http/server.ts'
import { answerWithProblems } from '../../src/plugins/problems.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

const { limits } = loadConfig({ HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })

/** Far larger than what the system takes over on the way to a caller who does not read. */
const largeBody = Buffer.alloc(64 * 1024 * 1024)

/** A server with three routes that waits a tenth of a second for a request, unless told otherwise. */
async function start(t: Test, given: Partial<Limits> = {}) {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const quick = { headersTimeoutMs: 100, requestTimeoutMs: 100, timeoutCheckMs: 10 }
  const server = createServer({ ...limits, ...quick, ...given }, logger)
  answerWithProblems(server)
  server.get('/', (_request, reply) => reply.send('here'))
  server.get('/large', (_request, reply) => reply.send(largeBody))
  const asked = Promise.withResolvers<() => void>()
  server.get('/slow', (_request, reply) => {
    asked.resolve(() => reply.send('here'))
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as AddressInfo
  t.teardown(() => {
    server.server.closeAllConnections()
    return server.close()
  })
  const open = async (text = '') => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(text)
    return socket
  }
  const status = async () => (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status
  /** Ends the slow answer, once it has been asked for. */
  const slow = asked.promise
  return { server, open, status, slow, log: () => lines.join('') }
}

t.test(
  'a request, when its headers take too long to arrive, is answered with a 408 problem and a closed connection',
  async (t) => {
    const { open } = await start(t)
    const socket = await open('GET / HTTP/1.1\r\nHost: a\r\n')
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    await once(socket, 'close')
    t.match(heard, /^HTTP\/1\.1 408 The request took too long to arrive\r\n/)
    for (const header of ['connection: close', 'cache-control: no-store', 'retry-after: 1'])
      t.match(heard, `\r\n${header}\r\n`)
    t.match(JSON.parse(heard.split('\r\n\r\n')[1] ?? ''), { code: 'request_timeout', status: 408, retryable: true })
  },
)

t.test(
  'a hundred connections, while each sends a header line every few milliseconds, end when a request has to be complete',
  async (t) => {
    const { open, status } = await start(t, { headersTimeoutMs: 800, requestTimeoutMs: 800 })
    const sockets = await Promise.all(Array.from({ length: 100 }, () => open('GET / HTTP/1.1\r\nHost: a\r\n')))
    const openedMs = performance.now()
    const dripping = setInterval(() => {
      for (const [index, socket] of sockets.entries()) socket.write(`X-Drip-${index}: more\r\n`)
    }, 20)
    t.teardown(() => clearInterval(dripping))
    const ends = Promise.all(sockets.map((socket) => once(socket.resume(), 'close')))
    t.equal(await status(), 200, 'others are answered meanwhile')
    t.notOk(sockets.some((socket) => socket.closed))
    await ends
    t.ok(performance.now() - openedMs < 3000)
    t.equal(await status(), 200)
  },
)

t.test('a body, when it drips, ends its connection when a request has to be complete', async (t) => {
  const { open } = await start(t, { requestTimeoutMs: 200 })
  const socket = await open('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4096\r\n\r\n')
  const dripping = setInterval(() => socket.write('x'), 20)
  t.teardown(() => clearInterval(dripping))
  await once(socket.resume(), 'close')
  t.pass('closed')
})

t.test('an answer, when nobody reads it, is let go once nothing has moved for too long', async (t) => {
  const { open, status, server } = await start(t, { silentSocketMs: 200 })
  const [accepted, socket] = await Promise.all([
    once(server.server, 'connection'),
    open('GET /large HTTP/1.1\r\nHost: a\r\n\r\n'),
  ])
  socket.pause()
  t.equal(await status(), 200)
  await once(accepted[0], 'close')
  t.pass('closed')
})

t.test(
  'connections, when there are as many as may be, are closed as they come and told, until one has gone',
  async (t) => {
    const { open, status, server } = await start(t, {
      maxConnections: 2,
      headersTimeoutMs: 60_000,
      requestTimeoutMs: 60_000,
    })
    let dropped = 0
    server.server.on('drop', () => {
      dropped += 1
    })
    const taken = [await open(), await open()]
    const third = await open()
    await once(third.resume(), 'close')
    t.equal(dropped, 1)
    t.notOk(taken.some((socket) => socket.readableEnded))
    taken[0]?.destroy()
    while ((await status().catch(() => 0)) !== 200) t.ok(dropped > 1, 'it has not been seen to go yet')
  },
)

t.test('a connection, when its other side resets it, is let go without a word', async (t) => {
  const { server, open, log } = await start(t)
  const socket = await open()
  const failed = once(server.server, 'clientError')
  socket.write('GET / HTTP/1.1\r\n')
  socket.resetAndDestroy()
  const [error] = await failed
  // The latter is what Node.js 22 calls it.
  t.match(error.code, /^(ECONNRESET|HPE_INVALID_EOF_STATE)$/)
  t.notMatch(log(), /answered what is no request/)
})

t.test('CONNECT, whatever it asks for, is answered with what is allowed, and nothing after it', async (t) => {
  const { open, log } = await start(t)
  const socket = await open('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n')
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk
  })
  await once(socket, 'close')
  t.match(heard, /^HTTP\/1\.1 405 /)
  t.match(heard, '\r\nallow: GET, HEAD\r\n')
  t.notMatch(heard, /retry-after/)
  t.equal(log().match(/answered what is no request/g)?.length, 1)
})

t.test('requests, when their connection is open while the server closes, are answered', async (t) => {
  const { server, open, slow } = await start(t, { requestTimeoutMs: 60_000, headersTimeoutMs: 60_000 })
  const socket = await open('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  const finish = await slow
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk
  })
  const closed = Promise.all([once(socket, 'close'), server.close()])
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(server.server, 'request')
  finish()
  await closed
  t.equal(heard.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 2)
})

t.test('what is no request, when more of it comes after the answer, is answered once', async (t) => {
  const { server, open, log } = await start(t)
  const socket = await open('no request\r\n\r\n')
  const again = once(server.server, 'clientError').then(() => once(server.server, 'clientError'))
  server.server.once('clientError', () => socket.write('nor is this\r\n\r\n'))
  await again
  t.equal(log().match(/answered what is no request/g)?.length, 1)
})

t.test('a path that cannot be decoded, where an id belongs, is about the id, whatever stands before it', async (t) => {
  const { server } = await start(t)
  for (const [url, code] of [
    ['/execution-contacts/%zz', 'invalid_id'],
    ['/cache/execution-contacts/%zz', 'invalid_id'],
    ['/%zz', 'malformed_request'],
    ['/%zz?/execution-contacts/', 'malformed_request'],
    ['/execution-contacts%zz/', 'malformed_request'],
  ] as const) {
    const { headers, json } = await server.inject({ url })
    t.match(json(), { code }, url)
    t.match(headers, { 'x-content-type-options': 'nosniff', 'x-request-id': json().requestId }, url)
  }
})

t.test('the server, when made, has the bounds it was given', async (t) => {
  const logger = createLogger('silent', { write: () => {} })
  // None is what Fastify or Node.js would take without being told.
  const given = { ...limits, keepAliveMs: 12_345, headersTimeoutMs: 2345, requestTimeoutMs: 3456, silentSocketMs: 4567 }
  const { server } = createServer(given, logger)
  t.match(server, {
    headersTimeout: given.headersTimeoutMs,
    requestTimeout: given.requestTimeoutMs,
    keepAliveTimeout: given.keepAliveMs,
    timeout: given.silentSocketMs,
    maxConnections: limits.maxConnections,
    // No end to the requests of one connection: balancers keep theirs.
    maxRequestsPerSocket: 0,
  })
})
