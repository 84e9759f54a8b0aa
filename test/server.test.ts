import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { loadConfig } from '../src/config.ts'
import { createServer } from '../src/server.ts'
import { createLogger } from '../src/telemetry/logger.ts'

const { limits } = loadConfig({ HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })

/** A server without routes that waits a tenth of a second for the headers, and a connection to it. */
async function start(t: Test) {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const server = createServer({ ...limits, headersTimeoutMs: 100, requestTimeoutMs: 100, timeoutCheckMs: 10 }, logger)
  await server.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => server.close())
  const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
  await once(socket, 'connect')
  return { server, socket, log: () => lines.join('') }
}

t.test(
  'a request, when its headers take too long to arrive, is answered with a 408 problem and a closed connection',
  async (t) => {
    const { socket } = await start(t)
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n')
    await once(socket, 'close')
    t.match(heard, /^HTTP\/1\.1 408 The request took too long to arrive\r\n/)
    t.match(heard, /\r\nconnection: close\r\n/)
    t.match(JSON.parse(heard.split('\r\n\r\n')[1] ?? ''), { code: 'request_timeout', status: 408, retryable: true })
  },
)

t.test('a connection, when its other side resets it, is let go without a word', async (t) => {
  const { server, socket, log } = await start(t)
  const failed = once(server.server, 'clientError')
  socket.write('GET / HTTP/1.1\r\n')
  socket.resetAndDestroy()
  const [error] = await failed
  t.equal(error.code, 'ECONNRESET')
  t.notMatch(log(), /could not be read/)
})

t.test('the server, when made, has the bounds it was given', async (t) => {
  const logger = createLogger('silent', { write: () => {} })
  const { server } = createServer(limits, logger)
  t.match(server, {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    timeout: limits.silentSocketMs,
  })
})
