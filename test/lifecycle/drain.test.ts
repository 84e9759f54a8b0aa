import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import Fastify, { type FastifyInstance, type RawServerDefault } from 'fastify'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import { createConnections } from '../../src/lifecycle/connections.ts'
import { createDrain, type DrainOptions } from '../../src/lifecycle/drain.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { until } from '../harness/service.ts'
import { createTimers, settled } from '../harness/timers.ts'

const idleGraceMs = 500
const { limits: connectionLimits } = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' })
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
/** Larger than the buffers of a socket. */
const large = Buffer.alloc(32 * 1024 * 1024, 'x')

/** A server that sends its `/slow` and `/stream` responses when the test says so, in the order of the requests. */
async function start(t: Test) {
  const timers = createTimers()
  let lastScheduled = () => {}
  const schedule = (run: () => void, ms: number) => {
    lastScheduled = run
    return timers.schedule(run, ms)
  }
  const lifecycle = createLifecycle()
  const slow: (() => void)[] = []
  const connections = createConnections(connectionLimits, { lifecycle, clock: { ...timers, schedule } })
  const app: FastifyInstance = Fastify<RawServerDefault>({
    return503OnClosing: false,
    serverFactory: (handle) => connections.createServer({}, handle),
  })
  const drain = createDrain(app.server, connections, lifecycle, { schedule })
  // The response is sent in the turn of the event loop in which the request arrives.
  app.get('/quick', (_request, reply) => void reply.send('quick'))
  app.get('/large', async () => large)
  app.get('/slow', async () => {
    await new Promise<void>((resolve) => slow.push(resolve))
    return 'slow'
  })
  app.get('/stream', async () => {
    const stream = new Readable({ read() {} })
    stream.push('begun')
    slow.push(() => void stream.push(null))
    return stream
  })
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  t.teardown(() => {
    app.server.close()
    app.server.closeAllConnections()
  })

  /** Opens a connection, writes to it, and waits for so many responses. */
  async function call(text = '', responses = 0) {
    const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1')
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('error', () => {})
    const accepted = once(app.server, 'connection')
    await once(socket, 'connect')
    const [serverSide] = (await accepted) as [Socket]
    const say = async (text: string, responses: number) => {
      socket.write(text)
      await until(() => heard.split('HTTP/1.1 200').length > responses)
    }
    await say(text, responses)
    return {
      ...{ socket, say },
      heard: () => heard,
      isClosed: () => socket.closed,
      /** How many bytes the server has read. */
      bytesRead: () => serverSide.bytesRead,
    }
  }

  function startDrain(options: Partial<DrainOptions> = {}) {
    let isOver = false
    const over = drain({ delay: Promise.resolve(), idleGraceMs, ...options }).then(() => {
      isOver = true
    })
    return { over, isOver: () => isOver, stoppedListening: until(() => !app.server.listening) }
  }

  /** Moves the clock, and waits for the effects. */
  async function advance(ms = idleGraceMs): Promise<void> {
    await timers.advance(ms)
    for (let turn = 0; turn < 5; turn += 1) await settled()
  }
  return { app, lifecycle, slow, call, startDrain, advance, runLastScheduled: () => lastScheduled() }
}

const closes = /\r\nconnection: close\r\n/i

t.test('requests in flight are counted until they are answered or their caller disconnects', async (t) => {
  const { lifecycle, slow, call } = await start(t)
  const untilInFlight = (count: number) => until(() => lifecycle.requestsInFlight() === count)
  const caller = await call(get('/slow') + get('/slow'))
  await until(() => slow.length === 2)
  t.equal(lifecycle.requestsInFlight(), 2)
  slow[0]?.()
  await caller.say('', 1)
  await untilInFlight(1)
  caller.socket.destroy()
  await untilInFlight(0)
  const leaver = await call(get('/slow') + get('/slow') + get('/quick'))
  await untilInFlight(3)
  leaver.socket.destroy()
  await untilInFlight(0)
  const malformed = await call('GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => malformed.heard().includes('400'))
  await untilInFlight(0)
  t.pass()
})

t.test('during the delay requests are accepted, and each connection is closed after its response', async (t) => {
  const { app, lifecycle, slow, call, startDrain, advance } = await start(t)
  const kept = await call(get('/quick'), 1)
  t.notMatch(kept.heard(), closes)
  const inFlight = await call(get('/slow'))
  await until(() => slow.length === 1)
  const delay = Promise.withResolvers<void>()
  const { over, isOver, stoppedListening } = startDrain({ delay: delay.promise })
  t.equal(lifecycle.state(), 'draining')
  slow[0]?.()
  await kept.say(get('/quick'), 2)
  const newcomer = await call(get('/quick'))
  await until(() => [kept, inFlight, newcomer].every(({ isClosed }) => isClosed()))
  for (const { heard } of [kept, inFlight, newcomer]) t.match(heard(), closes)
  const idle = await call()
  await advance(60_000)
  t.ok(app.server.listening)
  t.notOk(idle.isClosed() || isOver())
  delay.resolve()
  await stoppedListening
  t.notOk(idle.isClosed())
  await advance()
  await over
  await until(idle.isClosed)
})

t.test('an idle connection is closed after the grace, and one that gets a request after the response', async (t) => {
  const { call, startDrain, advance } = await start(t)
  const [unused, idle, late] = [await call(), await call(get('/quick'), 1), await call(get('/quick'), 1)]
  const { over, stoppedListening } = startDrain()
  await stoppedListening
  await advance(idleGraceMs - 1)
  t.notOk(unused.isClosed() || idle.isClosed())
  await late.say(get('/quick'), 2)
  t.match(late.heard(), closes)
  await advance(1)
  await over
  await until(() => unused.isClosed() && idle.isClosed() && late.isClosed())
})

t.test('a request that arrives in parts is waited for as long as bytes arrive', async (t) => {
  const { call, startDrain, advance } = await start(t)
  const [slowly, stalled] = [await call('GET /qu'), await call('GET /qu')]
  await until(() => slowly.bytesRead() === 7 && stalled.bytesRead() === 7)
  const { over, stoppedListening } = startDrain()
  await stoppedListening
  slowly.socket.write('ick HTTP/1.1\r\n')
  await until(() => slowly.bytesRead() > 7)
  await advance()
  await until(stalled.isClosed)
  slowly.socket.write('Host: a\r\n\r\n')
  await until(slowly.isClosed)
  t.match(slowly.heard(), /^HTTP\/1\.1 200 .*\r\nconnection: close\r\n/is)
  await advance()
  await over
})

t.test('a request that arrives while the process is busy is read before its connection is checked', async (t) => {
  const { call, startDrain, advance, runLastScheduled } = await start(t)
  const caller = await call(get('/quick'), 1)
  const { over, stoppedListening } = startDrain()
  await stoppedListening
  await advance(idleGraceMs - 1)
  caller.socket.write(get('/quick'))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  runLastScheduled()
  await over
  await until(caller.isClosed)
  t.match(caller.heard().split('HTTP/1.1 200')[2], closes)
})

t.test('without a grace every connection without a request in flight is closed at once', async (t) => {
  const { slow, call, startDrain } = await start(t)
  const partial = await call('GET /qu')
  await until(() => partial.bytesRead() === 7)
  const others = [partial, await call(), await call(get('/quick'), 1)]
  const inFlight = await call(get('/slow'))
  await until(() => slow.length === 1)
  const { over, isOver } = startDrain({ idleGraceMs: 0 })
  await until(() => others.every(({ isClosed }) => isClosed()))
  t.notOk(inFlight.isClosed() || isOver())
  slow[0]?.()
  await over
  await until(inFlight.isClosed)
  t.match(inFlight.heard(), /\r\n\r\nslow$/)
})

for (const [options, checkMs] of [
  [{ idleGraceMs }, idleGraceMs],
  [{ idleGraceMs: 0 }, 50],
] as const) {
  t.test(`a response that began before the drain is completed (grace ${options.idleGraceMs} ms)`, async (t) => {
    const { slow, call, startDrain, advance } = await start(t)
    const caller = await call(get('/stream'))
    await until(() => caller.heard().includes('begun'))
    const { over } = startDrain(options)
    await advance(10 * checkMs)
    t.notOk(caller.isClosed())
    slow[0]?.()
    await until(() => caller.heard().endsWith('0\r\n\r\n'))
    t.notMatch(caller.heard(), closes)
    await advance(2 * checkMs)
    await over
    await until(caller.isClosed)
  })

  t.test(`a slow reader gets the whole response (grace ${options.idleGraceMs} ms)`, async (t) => {
    const { lifecycle, call, startDrain, advance } = await start(t)
    const reader = await call()
    reader.socket.pause().write(get('/large'))
    await until(() => lifecycle.requestsInFlight() === 1)
    await advance(0)
    const { over, isOver } = startDrain(options)
    await advance(3 * idleGraceMs)
    t.notOk(isOver())
    t.equal(lifecycle.requestsInFlight(), 1)
    reader.socket.resume()
    await until(() => reader.heard().length > large.length)
    await advance(2 * idleGraceMs)
    await over
    t.match(reader.heard().slice(0, 200), /^HTTP\/1\.1 200 /)
    t.ok(reader.heard().endsWith('x'.repeat(1000)))
  })
}

t.test('all pipelined requests are answered before their connection is closed', async (t) => {
  const { slow, call, startDrain } = await start(t)
  const caller = await call(get('/slow') + get('/slow'))
  await until(() => slow.length === 2)
  const { over } = startDrain()
  caller.socket.write(get('/slow'))
  await until(() => slow.length === 3)
  for (const answer of slow) answer()
  await over
  await until(caller.isClosed)
  const [, first, second, third] = caller.heard().split('HTTP/1.1 200')
  t.notMatch(first, closes)
  t.notMatch(second, closes)
  t.match(third, closes)
  t.match(third, /\r\n\r\nslow$/)
})

t.test('a response that waits behind another one is not lost when the drain begins', async (t) => {
  const { call, startDrain, slow, lifecycle } = await start(t)
  const caller = await call(get('/slow') + get('/quick'))
  await until(() => slow.length === 1 && lifecycle.requestsInFlight() === 2)
  const { over } = startDrain({ idleGraceMs: 0 })
  slow[0]?.()
  await until(caller.isClosed)
  await over
  t.match(caller.heard(), /slow.*quick$/s)
})

t.test('a server that never listened is drained at once, also a second time', async (t) => {
  const connections = createConnections(connectionLimits)
  const server = connections.createServer({}, () => {})
  const drain = createDrain(server, connections, createLifecycle())
  await drain({ delay: Promise.resolve(), idleGraceMs })
  await drain({ delay: Promise.resolve(), idleGraceMs: 0 })
  t.pass()
})
