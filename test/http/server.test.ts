import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { Limits } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createServer } from '../../src/http/server.ts'
import { answerWithProblems } from '../../src/plugins/problems.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { until } from '../harness/service.ts'

const { limits } = loadConfig({ HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })

/** Larger than the buffers of the system, so that a caller who does not read stops the response. */
const largeBody = Buffer.alloc(64 * 1024 * 1024)

const patient = { headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 }

/** A server with three routes. By default a request has to arrive within a tenth of a second. */
async function start(t: Test, given: Partial<Limits> = {}, corsOrigins: readonly string[] = []) {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const quick = { headersTimeoutMs: 100, requestTimeoutMs: 100, timeoutCheckMs: 10 }
  let dropped = 0
  const onDrop = () => {
    dropped += 1
  }
  const { app: server } = createServer({ ...limits, ...quick, ...given }, logger, { onDrop, corsOrigins })
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
  const rejections = () => lines.join('').match(/malformed request rejected/g)?.length ?? 0
  /** Resolves when the slow response was requested, with the function that sends it. */
  const slow = asked.promise
  return { server, open, status, slow, rejections, dropped: () => dropped }
}

/** Everything that the socket receives until it is closed. */
async function heardBy(socket: Socket): Promise<string> {
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk
  })
  await once(socket, 'close')
  return heard
}

t.test('headers that arrive too slowly cause a 408 problem, and the connection is closed', async (t) => {
  const { open } = await start(t, {}, ['https://support.example'])
  for (const start of ['GET / HTTP/1.1\r\nHost: a\r\n', 'G']) {
    const [head = '', body = ''] = (await heardBy(await open(start))).split('\r\n\r\n')
    t.match(head, /^HTTP\/1\.1 408 The request took too long to arrive\r\n/)
    const cors = ['access-control-allow-origin: https://support.example', 'vary: Origin']
    for (const header of ['connection: close', 'cache-control: no-store', 'retry-after: 1', ...cors])
      t.ok(head.split('\r\n').includes(header), header)
    t.match(JSON.parse(body), { code: 'request_timeout', status: 408, retryable: true })
  }
})

t.test('a connection that was opened in advance gets no 408 before a byte of a request has come', async (t) => {
  const { open, server, rejections } = await start(t)
  const expired = once(server.server, 'clientError')
  const socket = await open()
  const [{ code }] = await expired
  t.equal(code, 'ERR_HTTP_REQUEST_TIMEOUT', 'Node.js reports it')
  t.equal(rejections(), 0)
  const again = open()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.match(await heardBy(socket), /^HTTP\/1.1 200 OK/, 'it is as good as a new one')
  const late = await again
  await once(server.server, 'clientError')
  late.write('GET /')
  t.match(await heardBy(late), /^HTTP\/1.1 408 /)
})

t.test('a hundred connections that send slowly are closed, and others are served meanwhile', async (t) => {
  const { open, status } = await start(t, { headersTimeoutMs: 3000, requestTimeoutMs: 3000 })
  const headers = { start: 'GET / HTTP/1.1\r\nHost: a\r\n', more: 'X-Drip: more\r\n' }
  const body = { start: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4096\r\n\r\n', more: 'x' }
  const drips = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? headers : body))
  const sockets = await Promise.all(drips.map(({ start }) => open(start)))
  const ends = Promise.all(sockets.map((socket) => once(socket.resume(), 'close')))
  const dripping = setInterval(() => {
    for (const [index, socket] of sockets.entries()) socket.write(drips[index]?.more ?? '')
  }, 20)
  t.teardown(() => clearInterval(dripping))
  t.equal(await status(), 200)
  t.notOk(sockets.some((socket) => socket.closed))
  await ends
  clearInterval(dripping)
  t.equal(await status(), 200)
})

t.test('a response that the caller does not read is cut when the socket has been silent for too long', async (t) => {
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

t.test('a connection beyond the limit is dropped, until another one is closed', async (t) => {
  const { open, status, server, dropped } = await start(t, { maxConnections: 2, ...patient })
  const begin = async () => {
    const [[accepted], socket] = await Promise.all([once(server.server, 'connection'), open('GET')])
    await until(() => accepted.bytesRead > 0)
    return socket
  }
  const taken = [await begin(), await begin()]
  const third = await open()
  await once(third.resume(), 'close')
  t.equal(dropped(), 1)
  t.notOk(taken.some((socket) => socket.readableEnded))
  taken[0]?.destroy()
  while ((await status().catch(() => 0)) !== 200) t.ok(dropped() > 1, 'the server has not seen yet that it is closed')
})

t.test('a connection that the client resets is not a malformed request', async (t) => {
  const { server, open, rejections } = await start(t)
  const socket = await open()
  const failed = once(server.server, 'clientError')
  socket.write('GET / HTTP/1.1\r\n')
  socket.resetAndDestroy()
  const [error] = await failed
  // The latter is the code in Node.js 22.
  t.match(error.code, /^(ECONNRESET|HPE_INVALID_EOF_STATE)$/)
  t.equal(rejections(), 0)
})

t.test('a connection that is reset after its CONNECT was refused does not end the process', async (t) => {
  const { open, status, server } = await start(t)
  const [[accepted], socket] = await Promise.all([
    once(server.server, 'connection'),
    open('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n'),
  ])
  await once(socket, 'data')
  accepted.emit('error', Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
  socket.resetAndDestroy()
  await until(() => accepted.destroyed)
  t.equal(await status(), 200)
})

t.test('an expectation is never met with a 100, which would stand in the middle of another response', async (t) => {
  const { open } = await start(t)
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n'
  const heard = heardBy(await open(`${request}\r\n${request}Expect: 100-continue\r\n\r\n`))
  t.notMatch(await heard, /100 Continue/)
  t.equal((await heard).match(/HTTP\/1.1 200 OK/g)?.length, 2)
})

t.test('CONNECT behind a request in flight closes the connection without a response', async (t) => {
  const { open, slow } = await start(t, patient)
  const socket = await open('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  await slow
  const heard = heardBy(socket)
  socket.write('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n')
  t.equal(await heard, '')
})

t.test('requests on open connections are answered while the server closes', async (t) => {
  const { server, open, slow } = await start(t, patient)
  const socket = await open('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  const finish = await slow
  const heard = heardBy(socket)
  const closed = server.close()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(server.server, 'request')
  finish()
  await closed
  t.equal((await heard).match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 2)
})

t.test('malformed data after the response to malformed data is not answered', async (t) => {
  const { server, open, rejections } = await start(t)
  const socket = await open('no request\r\n\r\n')
  const again = once(server.server, 'clientError').then(() => once(server.server, 'clientError'))
  server.server.once('clientError', () => socket.write('nor is this\r\n\r\n'))
  await again
  t.equal(rejections(), 1)
})

t.test('a path that cannot be decoded is an invalid id where an id belongs', async (t) => {
  const { server } = await start(t)
  const ids = ['/execution-contacts/%zz', '/cache/execution-contacts/%zz']
  for (const url of [...ids, '/%zz', '/%zz?/execution-contacts/', '/execution-contacts%zz/']) {
    const { headers, json } = await server.inject({ url })
    t.equal(json().code, ids.includes(url) ? 'invalid_id' : 'malformed_request', url)
    t.match(headers, { 'x-content-type-options': 'nosniff', 'x-request-id': json().requestId, connection: 'close' })
  }
})

t.test('the server has the limits that it was given', async (t) => {
  const logger = createLogger('silent', { write: () => {} })
  // None is the default of Fastify or Node.js.
  const given = { ...limits, keepAliveMs: 12_345, headersTimeoutMs: 2345, requestTimeoutMs: 3456, silentSocketMs: 4567 }
  t.match(createServer(given, logger).app.server, {
    headersTimeout: given.headersTimeoutMs,
    requestTimeout: given.requestTimeoutMs,
    keepAliveTimeout: given.keepAliveMs,
    // The requests of one connection are not limited, because load balancers keep their connections.
    maxRequestsPerSocket: 0,
  })
})
