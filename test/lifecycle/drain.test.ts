import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { drainable } from '../../src/lifecycle/drain.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { until } from '../harness/service.ts'
import { createTimers, settled } from '../harness/timers.ts'

const lingerMs = 500
const noDelay = Promise.resolve()
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
/** More than any socket holds for somebody who does not read. */
const large = Buffer.alloc(32 * 1024 * 1024, 'x')

/** A caller's connection, and what it has heard. */
interface Caller {
  readonly socket: Socket
  readonly heard: () => string
  readonly isClosed: () => boolean
  /** How many bytes of it the server has read. */
  readonly bytesRead: () => number
}

/** A server whose `/slow` answers when told to, in the order of the requests, and timers that ring when told to. */
async function start(t: Test) {
  const timers = createTimers()
  let ring = () => {}
  const after = (ms: number) =>
    new Promise<void>((resolve) => {
      ring = resolve
      timers.schedule(resolve, ms)
    })
  const lifecycle = createLifecycle()
  const slow: (() => void)[] = []
  const app = Fastify({ return503OnClosing: false })
  const drain = drainable(app, lifecycle, after)
  // Answered before anything else can happen.
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

  async function call(text = ''): Promise<Caller> {
    const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1')
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('error', () => {})
    const accepted = once(app.server, 'connection')
    await once(socket, 'connect')
    const [serverSide] = (await accepted) as [Socket]
    socket.write(text)
    return { socket, heard: () => heard, isClosed: () => socket.closed, bytesRead: () => serverSide.bytesRead }
  }

  /** Drains, and tells whether that is over. */
  function drainNow(options: Partial<Parameters<typeof drain>[0]> = {}) {
    let isOver = false
    const over = drain({ delay: noDelay, lingerMs, ...options }).then(() => {
      isOver = true
    })
    return { over, isOver: () => isOver }
  }

  /** Lets a linger pass, and what it leads to happen. */
  async function linger(ms = lingerMs): Promise<void> {
    await settled()
    await timers.advance(ms)
    for (let turn = 0; turn < 5; turn += 1) await settled()
  }
  return { app, lifecycle, slow, call, drainNow, linger, ringNow: () => ring() }
}

const answered = (caller: Caller, count = 1) => until(() => caller.heard().split('HTTP/1.1 200').length > count)
const isListening = ({ server }: { server: { listening: boolean } }) => server.listening
const closes = /\r\nconnection: close\r\n/i

t.test('requests in flight, when they come and go, are counted', async (t) => {
  const { lifecycle, slow, call } = await start(t)
  const caller = await call(get('/slow') + get('/slow'))
  await until(() => slow.length === 2)
  t.equal(lifecycle.requestsInFlight(), 2)
  slow[0]?.()
  await answered(caller)
  await until(() => lifecycle.requestsInFlight() === 1)
  caller.socket.destroy()
  await until(() => lifecycle.requestsInFlight() === 0)
  const leaver = await call(get('/slow') + get('/slow') + get('/quick'))
  await until(() => lifecycle.requestsInFlight() === 3)
  leaver.socket.destroy()
  await until(() => lifecycle.requestsInFlight() === 0)
  const misled = await call('GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => misled.heard().includes('400'))
  await until(() => lifecycle.requestsInFlight() === 0)
})

t.test('a server, until it drains, keeps connections', async (t) => {
  const { call } = await start(t)
  const caller = await call(get('/quick'))
  await answered(caller)
  caller.socket.write(get('/quick'))
  await answered(caller, 2)
  t.notMatch(caller.heard(), closes)
})

t.test('a server, while the delay lasts, takes new work and closes each connection after its answer', async (t) => {
  const { app, lifecycle, slow, call, drainNow, linger } = await start(t)
  const kept = await call(get('/quick'))
  await answered(kept)
  const inFlight = await call(get('/slow'))
  await until(() => slow.length === 1)
  const delay = Promise.withResolvers<void>()
  const { over, isOver } = drainNow({ delay: delay.promise })
  t.equal(lifecycle.state(), 'draining')
  slow[0]?.()
  kept.socket.write(get('/quick'))
  const newcomer = await call(get('/quick'))
  await until(() => [kept, inFlight, newcomer].every(({ isClosed }) => isClosed()))
  for (const { heard } of [kept, inFlight, newcomer]) t.match(heard(), closes)
  const idle = await call()
  await linger(60_000)
  t.ok(isListening(app))
  t.notOk(idle.isClosed())
  t.notOk(isOver())
  delay.resolve()
  await until(() => !isListening(app))
  t.notOk(idle.isClosed())
  await linger()
  await over
  await until(idle.isClosed)
})

t.test(
  'a connection, when it carries nothing for a linger, is closed; when a request comes, after its answer',
  async (t) => {
    const { app, call, drainNow, linger } = await start(t)
    const neverUsed = await call()
    const idle = await call(get('/quick'))
    const late = await call(get('/quick'))
    await Promise.all([answered(idle), answered(late)])
    const { over } = drainNow()
    await until(() => !isListening(app))
    await linger(lingerMs - 1)
    t.notOk(neverUsed.isClosed() || idle.isClosed())
    late.socket.write(get('/quick'))
    await answered(late, 2)
    t.match(late.heard(), closes)
    await linger(1)
    await over
    await until(() => neverUsed.isClosed() && idle.isClosed() && late.isClosed())
  },
)

t.test('a request, when it arrives in parts meanwhile, is waited for as long as it grows', async (t) => {
  const { app, call, drainNow, linger } = await start(t)
  const [slowly, stalled] = [await call('GET /qu'), await call('GET /qu')]
  await until(() => slowly.bytesRead() === 7 && stalled.bytesRead() === 7)
  const { over } = drainNow()
  await until(() => !isListening(app))
  slowly.socket.write('ick HTTP/1.1\r\n')
  await until(() => slowly.bytesRead() > 7)
  await linger()
  await until(stalled.isClosed)
  slowly.socket.write('Host: a\r\n\r\n')
  await until(slowly.isClosed)
  t.match(slowly.heard(), /^HTTP\/1\.1 200 .*\r\nconnection: close\r\n/is)
  await linger()
  await over
})

t.test('a request, when it comes while the process is busy, is read before its connection is given up', async (t) => {
  const { app, call, drainNow, linger, ringNow } = await start(t)
  const caller = await call(get('/quick'))
  await answered(caller)
  const { over } = drainNow()
  await until(() => !isListening(app))
  await linger(lingerMs - 1)
  caller.socket.write(get('/quick'))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  ringNow()
  await over
  await until(caller.isClosed)
  t.match(caller.heard().split('HTTP/1.1 200')[2], closes)
})

t.test('a server, when nothing may linger, closes at once whatever waits for no answer', async (t) => {
  const { slow, call, drainNow } = await start(t)
  const others = [await call(), await call('GET /qu'), await call(get('/quick'))]
  await until(() => others[1]?.bytesRead() === 7)
  await answered(others[2] as Caller)
  const inFlight = await call(get('/slow'))
  await until(() => slow.length === 1)
  const draining = drainNow({ lingerMs: 0 })
  await until(() => others.every(({ isClosed }) => isClosed()))
  t.notOk(inFlight.isClosed() || draining.isOver())
  slow[0]?.()
  await draining.over
  await until(inFlight.isClosed)
  t.match(inFlight.heard(), /\r\n\r\nslow$/)
})

for (const [lingers, options, lookMs] of [
  ['after a linger', { lingerMs }, lingerMs],
  ['soon, where none may linger', { lingerMs: 0 }, 50],
] as const)
  t.test(
    `an answer, when it began before the drain, is finished, and its connection is closed ${lingers}`,
    async (t) => {
      const { slow, call, drainNow, linger } = await start(t)
      const caller = await call(get('/stream'))
      await until(() => caller.heard().includes('begun'))
      const draining = drainNow(options)
      await linger(10 * lookMs)
      t.notOk(caller.isClosed())
      slow[0]?.()
      await until(() => caller.heard().endsWith('0\r\n\r\n'))
      t.notMatch(caller.heard(), closes)
      await linger(2 * lookMs)
      await draining.over
      await until(caller.isClosed)
    },
  )

for (const options of [{ lingerMs }, { lingerMs: 0 }])
  t.test(`a slow reader, when the answer is ended but not sent, gets all of it (${options.lingerMs} ms)`, async (t) => {
    const { lifecycle, call, drainNow, linger } = await start(t)
    const reader = await call()
    reader.socket.pause().write(get('/large'))
    await until(() => lifecycle.requestsInFlight() === 1)
    await linger(0)
    const draining = drainNow(options)
    await linger(3 * lingerMs)
    t.notOk(draining.isOver())
    t.equal(lifecycle.requestsInFlight(), 1)
    reader.socket.resume()
    await until(() => reader.heard().length > large.length)
    await linger(2 * lingerMs)
    await draining.over
    t.match(reader.heard().slice(0, 200), /^HTTP\/1\.1 200 /)
    t.ok(reader.heard().endsWith('x'.repeat(1000)))
  })

t.test('requests, when they wait behind one another on a connection, are all answered before it closes', async (t) => {
  const { slow, call, drainNow } = await start(t)
  const caller = await call(get('/slow') + get('/slow'))
  await until(() => slow.length === 2)
  const { over } = drainNow()
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

t.test('a server, when it never listened or was drained before, is drained at once', async (t) => {
  const app = Fastify()
  const drain = drainable(app, createLifecycle())
  await drain({ delay: noDelay, lingerMs })
  await drain({ delay: noDelay, lingerMs: 0 })
  await app.close()
  t.pass()
})
