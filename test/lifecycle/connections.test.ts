import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type ConnectionLimits, createConnections } from '../../src/lifecycle/connections.ts'
import { createLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { until } from '../harness/service.ts'
import { createTimers } from '../harness/timers.ts'

const patient: ConnectionLimits = {
  maxConnections: 100,
  keepAliveMs: 60_000,
  strangerKeepAliveMs: 60_000,
  silentSocketMs: 60_000,
  maxUnanswered: 8,
  maxWaiting: 56,
  lingerMs: 60_000,
  headersTimeoutMs: 5000,
}
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
const gets = (count: number) => Array.from({ length: count }, (_, index) => get(`/${index}`)).join('')

/** A server whose responses are sent when the test says so, unless the path is `/quick`. `/trusted` shows a good credential. */
async function start(t: Test, given: Partial<ConnectionLimits> = {}) {
  let dropped = 0
  const lifecycle = createLifecycle()
  const clock = createTimers()
  const onDrop = () => {
    dropped += 1
  }
  const connections = createConnections({ ...patient, ...given }, { onDrop, lifecycle, clock })
  const handled: string[] = []
  const begun: { url: string; response: ServerResponse }[] = []
  const server = connections.createServer({ keepAliveTimeout: patient.keepAliveMs }, (request, response) => {
    const { url = '' } = request
    handled.push(url)
    if (url === '/trusted') connections.trust(request)
    if (url === '/quick' || url === '/trusted') response.end('here')
    else if (url === '/large') response.end('x'.repeat(50_000_000))
    else if (url === '/last') response.setHeader('connection', 'close').end('the last')
    else begun.push({ url, response })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  /** Opens a connection and writes to it. */
  async function open(text = '') {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).setEncoding('latin1')
    let heard = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard += chunk
    })
    const [[accepted]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
    socket.write(text)
    const answers = () => heard.split('HTTP/1.1 200').length - 1
    return {
      socket,
      accepted: accepted as Socket,
      heard: () => heard,
      answers,
      hears: (n: number) => until(() => answers() >= n),
    }
  }
  return { ...{ server, open, handled, begun, lifecycle, clock, connections }, dropped: () => dropped }
}

t.test('a connection has a number of requests in work, and the next ones wait and are not read', async (t) => {
  const { open, begun, lifecycle } = await start(t)
  const { socket, accepted, heard, answers, hears } = await open(gets(60))
  await until(() => lifecycle.requestsInFlight() === 60)
  t.equal(begun.length, 8)
  const read = accepted.bytesRead
  socket.write(gets(1))
  await (await open(get('/quick'))).hears(1)
  t.equal(accepted.bytesRead, read, 'nothing is read while requests wait')
  begun[0]?.response.end('first')
  await hears(1)
  t.equal(accepted.bytesRead, read, 'nothing is read while requests wait')
  t.equal(begun.length, 9)
  for (let index = 1; index < 61; index += 1) {
    await until(() => begun.length > index)
    begun[index]?.response.end(`answer ${index}`)
  }
  await hears(61)
  t.strictSame(
    heard().match(/answer \d+/g),
    Array.from({ length: 60 }, (_, index) => `answer ${index + 1}`),
  )
  t.equal(answers(), 61)
  t.equal(lifecycle.requestsInFlight(), 0)
})

t.test('a client may pipeline again and again', async (t) => {
  const { open } = await start(t)
  const { socket, hears, answers } = await open()
  for (let batch = 1; batch <= 5; batch += 1) {
    socket.write(get('/quick').repeat(50))
    await hears(batch * 50)
  }
  t.equal(answers(), 250)
})

t.test('a connection with too many requests that wait is closed, and none of them counts as in flight', async (t) => {
  const { open, begun, lifecycle } = await start(t)
  const { socket } = await open(gets(65))
  await once(socket, 'end')
  await until(() => lifecycle.requestsInFlight() === 0)
  t.equal(begun.length, 8)
  const next = await open(gets(64))
  await until(() => begun.length === 16)
  t.notOk(next.accepted.destroyed, 'one fewer may wait')
})

t.test('each request ends when its caller disconnects, also one that waits behind others', async (t) => {
  const { open, begun, lifecycle } = await start(t)
  const { socket } = await open(gets(8))
  await until(() => begun.length === 8)
  let closed = 0
  for (const { response } of begun)
    response.once('close', () => {
      closed += 1
    })
  socket.destroy()
  await until(() => lifecycle.requestsInFlight() === 0)
  t.equal(closed, 8)

  const full = await open(gets(20))
  await until(() => lifecycle.requestsInFlight() === 20)
  full.socket.resetAndDestroy()
  // A connection that is not read is found to be closed when something is written to it.
  for (const { response } of begun.slice(8)) response.end('x'.repeat(100_000))
  await until(() => lifecycle.requestsInFlight() === 0)
  t.ok(begun.length < 8 + 20, 'no work begins for those that wait')
})

t.test('a connection that was opened in advance is closed silently, as late as any idle one', async (t) => {
  const { open } = await start(t, { keepAliveMs: -900, strangerKeepAliveMs: -1000 })
  const { socket, heard } = await open()
  await once(socket, 'end')
  t.equal(heard(), '')
})

t.test('an idle connection is kept for a shorter time while no good credential has been shown on it', async (t) => {
  const { open } = await start(t, { strangerKeepAliveMs: -900 })
  const stranger = await open(get('/quick'))
  const caller = await open(get('/trusted'))
  const later = await open(get('/quick') + get('/trusted') + get('/quick'))
  await later.hears(3)
  await once(stranger.socket, 'end')
  t.notOk(caller.accepted.destroyed)
  t.notOk(later.accepted.destroyed)
  t.equal(caller.accepted.timeout, patient.keepAliveMs + 1000)
  t.equal(later.accepted.timeout, patient.keepAliveMs + 1000)
})

t.test('a response says how long its connection is kept', async (t) => {
  const { open } = await start(t, { strangerKeepAliveMs: 5000 })
  const { heard, hears } = await open(get('/quick') + get('/trusted') + get('/quick'))
  await hears(3)
  t.strictSame(heard().match(/Keep-Alive: .*/g), [
    'Keep-Alive: timeout=5',
    'Keep-Alive: timeout=60',
    'Keep-Alive: timeout=60',
  ])
})

t.test('a connection with a request in flight is closed when it carries nothing', async (t) => {
  const { open, begun } = await start(t, { silentSocketMs: 50 })
  const { socket } = await open(get('/slow'))
  await once(socket, 'end')
  t.equal(begun.length, 1)
})

t.test('a response that is not read is cut in time, and a request behind it has its own time', async (t) => {
  const { open, begun } = await start(t)
  const { accepted } = await open(get('/one') + get('/two'))
  await until(() => begun.length === 2)
  t.equal(accepted.timeout, patient.silentSocketMs)
  begun[0]?.response.end('one')
  t.equal(accepted.timeout, patient.silentSocketMs / 2)
  await once(begun[0]?.response as ServerResponse, 'close')
  t.equal(accepted.timeout, patient.silentSocketMs)
})

t.test('a response that was sent at once and is not read is cut in time, too', async (t) => {
  const { open, handled } = await start(t)
  const { socket, accepted } = await open()
  socket.pause().write(get('/large'))
  await until(() => handled.length === 1)
  t.equal(accepted.timeout, patient.silentSocketMs / 2)
  socket.resume()
  await until(() => accepted.timeout === patient.strangerKeepAliveMs + 1000)
})

t.test('the order in which connections became idle counts, not that in which they were opened', async (t) => {
  const { open, clock } = await start(t, { maxConnections: 3, strangerKeepAliveMs: 0 })
  const both = [await open(get('/trusted')), await open(get('/trusted'))]
  for (const each of both) await each.hears(1)
  const busy = await open(get('/slow'))
  await clock.advance(1)
  const [first, second] = both as [(typeof both)[0], (typeof both)[0]]
  first.socket.write(get('/trusted'))
  await first.hears(2)
  await open()
  await until(() => second.accepted.destroyed)
  for (const each of [first, busy]) t.notOk(each.accepted.destroyed)
})

t.test('a new connection takes the place of the one that has been idle for longest, strangers first', async (t) => {
  const { open, begun, dropped } = await start(t, { maxConnections: 4 })
  const openBusy = async () => {
    const before = begun.length
    const busy = await open(get('/slow'))
    await until(() => begun.length > before)
    return busy
  }
  const caller = await open(get('/trusted'))
  await caller.hears(1)
  const first = await open(get('/quick'))
  await first.hears(1)
  const advance = await open()
  const begins = await open('GET')
  await until(() => begins.accepted.bytesRead > 0)
  await first.hears(1)
  first.socket.write(get('/quick'))
  await first.hears(2)
  const ended = (each: Awaited<ReturnType<typeof open>>) => until(() => each.accepted.destroyed)
  const fifth = await openBusy()
  await ended(advance)
  const sixth = await openBusy()
  await ended(first)
  const seventh = await openBusy()
  await ended(caller)
  t.equal(dropped(), 0)
  const eighth = await open()
  await ended(eighth)
  t.equal(dropped(), 1, 'none of the others is idle')
  for (const each of [begins, fifth, sixth, seventh]) t.notOk(each.accepted.destroyed)
})

t.test('however many known connections are idle, few are asked for what they have received', async (t) => {
  const { open, clock } = await start(t, { maxConnections: 20, strangerKeepAliveMs: 5000 })
  const known = []
  for (let index = 0; index < 19; index += 1) known.push(await open(get('/trusted')))
  for (const each of known) await each.hears(1)
  const stranger = await open()
  let asked = 0
  for (const { accepted } of [...known, stranger]) {
    const received = accepted.bytesRead
    Object.defineProperty(accepted, 'bytesRead', {
      get: () => {
        asked += 1
        return received
      },
    })
  }
  await clock.advance(1)
  await open()
  await until(() => stranger.accepted.destroyed)
  t.ok(asked <= 3, `${asked}`)
})

t.test('a connection that has just been opened does not make room for the next one', async (t) => {
  const { open, clock } = await start(t, { maxConnections: 2, strangerKeepAliveMs: 5000 })
  const old = await open(get('/trusted'))
  await old.hears(1)
  await clock.advance(5001)
  const first = await open()
  await open()
  await until(() => old.accepted.destroyed)
  t.notOk(first.accepted.destroyed)
  const young = await start(t, { maxConnections: 2, strangerKeepAliveMs: 5000 })
  const caller = await young.open(get('/trusted'))
  await caller.hears(1)
  await young.clock.advance(5000)
  const stranger = await young.open()
  await young.open()
  await until(() => stranger.accepted.destroyed)
  t.notOk(caller.accepted.destroyed)
})

t.test(
  'a connection that sends only empty lines makes room, but not before it could have sent a request',
  async (t) => {
    const { open, clock, dropped } = await start(t, { maxConnections: 1 })
    const { socket, accepted } = await open()
    socket.write('\r\n')
    await until(() => accepted.bytesRead === 2)
    await clock.advance(5000)
    const early = await open()
    await until(() => early.accepted.destroyed)
    t.equal(dropped(), 1)
    await clock.advance(1)
    const next = await open(get('/quick'))
    await next.hears(1)
    t.ok(accepted.destroyed)
  },
)

t.test('a client that still sends gets to read the last response', async (t) => {
  const { open, clock, handled } = await start(t)
  const { socket, accepted, heard } = await open(`POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n`)
  await once(socket, 'end')
  for (let sent = 0; sent < 90; sent += 1) if (!socket.write('x'.repeat(100_000))) await once(socket, 'drain')
  t.match(heard(), /the last$/)
  t.notOk(accepted.destroyed)
  socket.end(get('/quick'))
  await once(socket, 'close')
  t.strictSame(handled, ['/last'], 'no further request is read')
  await until(() => clock.armed().length === 0)
})

t.test('a client that never closes its end is not read for ever', async (t) => {
  const { open, clock, handled } = await start(t)
  const { socket, accepted } = await open(get('/last'))
  await once(socket, 'end')
  const before = accepted.bytesRead
  socket.write(get('/quick'))
  await until(() => accepted.bytesRead > before)
  await open(get('/other'))
  await until(() => handled.includes('/other'))
  t.strictSame(handled, ['/last', '/other'], 'what is read is not a request any more')
  t.notOk(accepted.destroyed)
  await clock.advance(patient.lingerMs)
  t.ok(accepted.destroyed)
})

t.test('a request that waits behind the last response is not begun', async (t) => {
  const { open, begun, handled } = await start(t, { maxUnanswered: 1 })
  const { socket, heard } = await open(get('/slow') + get('/last') + get('/quick'))
  await until(() => begun.length === 1)
  begun[0]?.response.end('slow')
  await once(socket, 'end')
  t.match(heard(), /slow.*the last$/s)
  t.strictSame(handled, ['/slow', '/last'])
})

t.test('a stream counts as no request in flight, whenever it ends', async (t) => {
  const { open, begun, connections, lifecycle } = await start(t)
  const { socket } = await open(get('/stream') + get('/other'))
  await until(() => begun.length === 2)
  const { response } = begun[0] as { response: ServerResponse }
  t.equal(lifecycle.requestsInFlight(), 2)
  connections.countAsStream(response)
  t.equal(lifecycle.requestsInFlight(), 1)
  response.end()
  await once(response, 'close')
  t.equal(lifecycle.requestsInFlight(), 1)
  connections.countAsStream(response)
  t.equal(lifecycle.requestsInFlight(), 1, 'one that is over already was counted down')
  socket.destroy()
  await until(() => lifecycle.requestsInFlight() === 0)
})

t.test('a request that is held may be silent for longer, until it is answered', async (t) => {
  const { open, begun, connections } = await start(t)
  const { socket, accepted } = await open(get('/held'))
  await until(() => begun.length === 1)
  const { response } = begun[0] as { response: ServerResponse }
  connections.allowSilence(response, 30_000)
  t.equal(accepted.timeout, patient.silentSocketMs + 30_000)
  socket.write(get('/behind'))
  await until(() => begun.length === 2)
  t.equal(accepted.timeout, patient.silentSocketMs + 30_000, 'a request behind it does not shorten that')
  response.end('held')
  t.equal(accepted.timeout, patient.silentSocketMs / 2, 'from its end on, it is a response like any other')
  await once(response, 'close')
  t.equal(accepted.timeout, patient.silentSocketMs)
  socket.destroy()
  await until(() => accepted.destroyed)
  connections.allowSilence(response, 30_000)
})
