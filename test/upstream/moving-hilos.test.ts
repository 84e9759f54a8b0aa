import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import tls, { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { createFetch } from '../../src/upstream/transport/connections.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { createClock } from '../harness/clock.ts'
import { startNameServer } from '../harness/name-server.ts'
import { createProxy } from '../harness/proxy.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { createTimers } from '../harness/timers.ts'
import {
  type Answer,
  type ClientOptions,
  connectionsOptions,
  createClient,
  httpResponse,
  idsOf,
  json,
  jsonResponse,
  minimal,
  outcomeOf,
  retries,
  startRawHilos,
  until,
} from './raw-hilos.ts'

const hilosName = 'hilos.test'
const [oldAddress, newAddress] = ['127.0.0.1', '127.0.0.2']

/** Two servers on the same port of two addresses, one name that leads to the old one at first, and a client. */
async function arrangeMove(t: Test, oldAnswer: () => Answer, options = {}) {
  const received: string[] = []
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.on('data', () => {
      const isOld = socket.localAddress === oldAddress
      received.push(isOld ? 'old' : 'new')
      const answer = isOld ? oldAnswer() : minimal
      if (typeof answer === 'function') answer(socket, '')
      else socket.write(answer)
    })
  })
  await once(server.listen(0, '0.0.0.0'), 'listening')
  const addresses = new Map([[hilosName, oldAddress]])
  const names = startNameServer(t, addresses)
  const client = createClient(t, `http://${hilosName}:${(server.address() as AddressInfo).port}`, {
    maxConnections: 1,
    ...options,
  })
  t.teardown(() => server.close())
  return { ...client, ...names, received, addresses, move: () => addresses.set(hilosName, newAddress) }
}

t.test('kept connections are replaced after their longest life', async (t) => {
  const { call, received, clock, move, lookups } = await arrangeMove(t, () => minimal)
  t.ok(await call())
  move()
  for (let seconds = 1; seconds < 60; seconds += 1) {
    clock.advance(1000)
    t.ok(await call())
  }
  t.strictSame([...new Set(received)], ['old'])
  t.equal(lookups.length, 1)
  clock.advance(1000)
  t.ok(await call())
  t.equal(received.at(-1), 'new')
})

const wrongAnswers: Readonly<Record<string, Answer>> = {
  'server error': httpResponse(500, json, '{}'),
  'out of service': httpResponse(503, json, '{}'),
  'other token': httpResponse(401, json, '{}'),
  redirect: httpResponse(301, { location: 'http://127.0.0.1/' }),
  'no route': httpResponse(404, { 'content-type': 'text/html' }, '<h1>'),
  'not a document': httpResponse(200, json, '{"detail":"moved"}'),
  HTML: httpResponse(200, { 'content-type': 'text/html' }, '<h1>'),
  'no HTTP': 'moved\r\n\r\n',
}

for (const [name, wrong] of Object.entries(wrongAnswers))
  t.test(`after a failure (${name}), the next call is sent to the address that the name has by then`, async (t) => {
    let answer: Answer = minimal
    const { call, received, clock, move } = await arrangeMove(t, () => answer)
    t.ok(await call())
    clock.advance(2000)
    move()
    answer = wrong
    t.not(await outcomeOf(call()), 'ok')
    // The pause after a refusal is over.
    clock.advance(3000)
    t.equal(await outcomeOf(call()), 'ok')
    t.equal(received.at(-1), 'new')
  })

t.test('a request that is lost with the old server is sent to the new one at once', async (t) => {
  let answer: Answer = minimal
  const { call, received, move } = await arrangeMove(t, () => answer)
  t.ok(await call())
  move()
  answer = (socket) => socket.end()
  t.ok(await call())
  t.strictSame(received, ['old', 'old', 'new'])
})

t.test('a failing contact does not replace the connections of the others each time', async (t) => {
  const { call, clock, lookups } = await arrangeMove(t, () => httpResponse(500, json, '{}'))
  for (let times = 0; times < 20; times += 1) {
    clock.advance(100)
    await outcomeOf(call())
  }
  // One for the first connection, one for that after two seconds.
  t.ok(lookups.length <= 3, `${lookups.length} connections`)
  clock.advance(100)
  await outcomeOf(call())
  t.ok(lookups.length <= 3)
})

t.test('the probe of the circuit breaker, and what follows it, are sent to the new address', async (t) => {
  const clock = createClock(undefined, { random: () => 0 })
  const { call, received, reports, move } = await arrangeMove(t, () => httpResponse(500, json, '{}'), { clock })
  const [last = '', ...ids] = idsOf(10)
  for (const id of ids) await outcomeOf(call(id))
  // Just now, so that the failure that opens the circuit breaker does not replace connections by itself.
  clock.advance(2000)
  await outcomeOf(call(ids[0]))
  clock.advance(100)
  await outcomeOf(call(last))
  t.strictSame(reports, ['opened: upstream_unavailable'])
  move()
  clock.advance(1000)
  t.equal(await outcomeOf(call()), 'ok')
  t.equal(await outcomeOf(call()), 'ok')
  t.strictSame(received.slice(-2), ['new', 'new'])
})

t.test('a call that is under way when connections are replaced ends on its own', async (t) => {
  const held: Socket[] = []
  const { call, clock, move, received, untilReceived } = await arrangeHeldMove(t, held)
  const first = call()
  await untilReceived(1)
  move()
  clock.advance(60_000)
  const second = call()
  await untilReceived(2)
  for (const socket of held) socket.write(minimal)
  t.ok(await first)
  t.ok(await second)
  t.strictSame(received, ['old', 'new'])
})

async function arrangeHeldMove(t: Test, held: Socket[]) {
  const moving = await arrangeMove(t, () => (socket) => held.push(socket), { maxConnections: 2 })
  const untilReceived = async (count: number) => {
    while (moving.received.length < count) await new Promise(setImmediate)
  }
  return { ...moving, untilReceived }
}

type Way = 'plain' | 'TLS' | 'proxy'

/** A client and an upstream that loses each connection in the request after the first. */
async function arrangeClosing(t: Test, lose: (socket: Socket) => void, way: Way = 'plain', settings = {}) {
  const used = new Set<Socket>()
  const answer: Answer = (socket) => {
    if (used.has(socket)) lose(socket)
    else used.add(socket)
    if (!socket.destroyed && !socket.writableEnded) socket.write(minimal)
  }
  if (way === 'plain') return withClient(t, await startRawHilos(t, answer), settings)
  trust(t, throwawayCertificates.rightHost)
  const hilos = await startRawHilos(t, answer, { key: throwawayKey, cert: throwawayCertificates.rightHost })
  const proxy = way === 'proxy' ? new Secret((await createProxy(t, Number(new URL(hilos.origin).port))).url) : null
  return withClient(t, hilos, { proxy, ...settings })
}

function withClient(t: Test, hilos: Awaited<ReturnType<typeof startRawHilos>>, settings: ClientOptions) {
  return { ...hilos, ...createClient(t, hilos.baseUrl, { retries, maxConnections: 1, ...settings }) }
}

/** Trusts this certificate and no other until the test ends. */
function trust(t: Test, certificate: string): void {
  const before = tls.getCACertificates('default')
  t.teardown(() => tls.setDefaultCACertificates(before))
  tls.setDefaultCACertificates([certificate])
}

const noRetries = { share: 0, reserve: 0, longestDelayMs: 0 }
const waysToClose = {
  FIN: (socket: Socket) => socket.end(),
  reset: (socket: Socket) => (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy()),
}

t.test('requests on connections that Hilos closes when they are used again all succeed', async (t) => {
  await checkRowsInTurn(
    t,
    Object.values(waysToClose).flatMap((lose) => (['plain', 'TLS', 'proxy'] as const).map((way) => ({ lose, way }))),
    async ({ lose, way }) => {
      const { call, reports } = await arrangeClosing(t, lose, way)
      const outcomes: string[] = []
      for (const id of idsOf(60)) outcomes.push(await outcomeOf(call(id)))
      return difference([outcomes.filter((each) => each === 'ok').length, reports], [60, []])
    },
    '60 of 60, and nothing is said of the circuit breaker',
  )
})

t.test('a loss of a kept connection costs a slot, and no retry of the budget', async (t) => {
  let retried = 0
  const settings = { retries: noRetries, observer: { callRetried: () => (retried += 1) } }
  const { call, requests, sockets } = await arrangeClosing(t, waysToClose.FIN, 'plain', settings)
  t.ok(await call())
  t.ok(await call())
  t.strictSame([requests.length, sockets.length, retried], [3, 2, 1])
  const limited = { ...settings, maxCallsPerSecond: 2, maxQueuedCalls: 0 }
  const rationed = await arrangeClosing(t, waysToClose.FIN, 'plain', limited)
  t.ok(await rationed.call())
  t.equal(await outcomeOf(rationed.call()), 'overloaded', 'there is no third slot')
  t.equal(rationed.requests.length, 2)
  t.strictSame(rationed.health().failuresInARow, 0, 'which is no failure of Hilos')
})

t.test('a connection that is lost before any answer came, or in an answer, is a failure of Hilos', async (t) => {
  const without = { retries: noRetries, maxConnections: 1 }
  const first = await startRawHilos(t, (socket) => socket.end())
  const { call } = createClient(t, first.baseUrl, without)
  for (const count of [1, 2]) {
    t.equal(await outcomeOf(call()), 'upstream_unavailable')
    t.equal(first.requests.length, count)
  }
  t.equal(await outcomeOf(createClient(t, first.baseUrl, { retries }).call()), 'upstream_unavailable')
  t.equal(first.requests.length, 4, 'with its retry')
  const partial = await arrangeClosing(t, (socket) => socket.end(minimal.subarray(0, -1)), 'plain', without)
  t.ok(await partial.call())
  t.equal(await outcomeOf(partial.call()), 'upstream_invalid_response')
  t.equal(partial.requests.length, 2)
})

t.test('a request for which no connection could be opened was not lost', async (t) => {
  let retried = 0
  const options = { observer: { callRetried: () => (retried += 1) } }
  const closing = jsonResponse('{"contact":{}}', { connection: 'close' })
  const { call, addresses } = await arrangeMove(t, () => closing, options)
  t.ok(await call())
  addresses.clear()
  t.equal(await outcomeOf(call()), 'upstream_unavailable')
  t.equal(retried, 0)
})

t.test('a server that loses all connections costs one request more, until the next connections', async (t) => {
  let isDown = false
  const answer: Answer = (socket) => (isDown ? socket.end() : socket.write(minimal))
  const { call, requests, clock } = withClient(t, await startRawHilos(t, answer), { retries: noRetries })
  t.ok(await call())
  clock.advance(2000)
  isDown = true
  for (const count of [3, 4, 5]) {
    t.equal(await outcomeOf(call()), 'upstream_unavailable')
    t.equal(requests.length, count)
  }
})

t.test('TLS gets the name of the server without the dot of an absolute DNS name', async (t) => {
  const host = 'another-host.example'
  trust(t, throwawayCertificates.wrongHost)
  const serverNames: (string | false)[] = []
  const answer: Answer = (socket) => {
    serverNames.push((socket as TLSSocket & { servername: string | false }).servername)
    socket.end(minimal)
  }
  const hilos = await startRawHilos(t, answer, { key: throwawayKey, cert: throwawayCertificates.wrongHost })
  const { port } = new URL(hilos.origin)
  const proxy = await createProxy(t, Number(port))
  const { lookups } = startNameServer(t, new Map([host, `${host}.`].map((each) => [each, '127.0.0.1'])))
  for (const through of [null, new Secret(proxy.url)])
    for (const given of [host, `${host}.`])
      t.ok(await createClient(t, `https://${given}:${port}`, { proxy: through }).call())
  t.ok(await createFetch(`https://${host}.:${port}`, connectionsOptions)(`https://${host}.:${port}/keys`))
  lookups.pop()
  t.strictSame(serverNames, Array(5).fill(host))
  const asked = [host, `${host}.`]
  t.strictSame([lookups, proxy.requests], [asked, asked.map((each) => `CONNECT ${each}:${port}`)], 'DNS gets the dot')
})

t.test('a connection that takes too long to open is opened anew, with the rest of the time', async (t) => {
  const hilos = await startRawHilos(t, minimal)
  const never = new Promise<void>(() => {})
  const another = Promise.withResolvers<void>()
  const { baseUrl } = hilos
  const slowly = baseUrl.replace('127.0.0.1', hilosName)
  const options = { connectTimeoutMs: 1, timeoutMs: 60_000 }
  const answerWhen = async (number: number) => {
    if (number !== 2) return await never
    // This one begins later and is given up.
    await outcomeOf(createClient(t, slowly, options).call())
    another.resolve()
  }
  startNameServer(t, new Map([[hilosName, '127.0.0.1']]), answerWhen)
  t.ok(await createClient(t, slowly, { ...options, retries }).call())
  await another.promise
  t.equal(hilos.requests.length, 1)
})

t.test('the time to open a connection is no part of the age of an answer', async (t) => {
  const hilos = await startRawHilos(t, minimal)
  const clock = createClock()
  startNameServer(t, new Map([[hilosName, '127.0.0.1']]), async () => clock.advance(2000))
  const { load } = createClient(t, hilos.baseUrl.replace('127.0.0.1', hilosName), { clock })
  t.equal((await load()).ageMs, 0)
  t.equal(clock.elapsed() - createClock().elapsed(), 2000)
})

t.test('error bodies without an end hold back no other call', async (t) => {
  const endless: Answer = (socket) => socket.write('HTTP/1.1 500 no\r\ncontent-length: 99\r\n\r\nslow')
  const hilos = await startRawHilos(t, (socket, request) =>
    request.includes('/flow-execution-contact/f') ? endless(socket, request) : socket.write(minimal),
  )
  const { call, health } = createClient(t, hilos.baseUrl, { maxConnections: 2 })
  const failing = idsOf(4).map((id) => outcomeOf(call(`f${id.slice(1)}`)))
  t.ok(await call())
  t.strictSame(await Promise.all(failing), Array(4).fill('upstream_error'))
  t.equal(health().callsInFlight, 0)
})

t.test('a call whose error body is still being read is under way', async (t) => {
  const hilos = await startRawHilos(t, (socket) => socket.write('HTTP/1.1 500 no\r\ncontent-length: 99\r\n\r\nslow'))
  const scheduled: (() => void)[] = []
  const clock = createClock(undefined, {
    schedule: (run, ms) => {
      if (ms === 100) scheduled.push(run)
      return () => {}
    },
  })
  const { call, health } = createClient(t, hilos.baseUrl, { clock })
  const outcome = outcomeOf(call())
  while (scheduled.length === 0 || hilos.requests.length === 0) await new Promise(setImmediate)
  t.equal(health().callsInFlight, 1)
  const open = hilos.sockets.filter(({ destroyed }) => !destroyed)
  t.equal(open.length, 1)
  while (health().callsInFlight > 0) {
    for (const run of scheduled.splice(0)) run()
    await new Promise(setImmediate)
  }
  t.equal(await outcome, 'upstream_error')
})

/** An upstream with TLS, of which so many connections get no answer to their handshake, and a client. */
async function arrangeHalfOpen(t: Test, silent: number, options: ClientOptions = {}) {
  trust(t, throwawayCertificates.rightHost)
  const hilos = await startRawHilos(t, (socket) => socket.write(minimal), {
    key: throwawayKey,
    cert: throwawayCertificates.rightHost,
  })
  const opened: Socket[] = []
  const front = createServer((socket) => {
    socket.on('error', () => {})
    opened.push(socket)
    if (opened.length <= silent) return
    const behind = connect(Number(new URL(hilos.origin).port), '127.0.0.1').on('error', () => {})
    socket.pipe(behind).pipe(socket)
  })
  await once(front.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    front.close()
    for (const socket of opened) socket.destroy()
  })
  const client = createClient(t, `https://127.0.0.1:${(front.address() as AddressInfo).port}`, options)
  return { ...client, untilOpened: (count: number) => until(() => opened.length >= count) }
}

t.test('the deadline of a call ends it while a connection is opened', async (t) => {
  const timers = createTimers()
  for (const proxied of [false, true]) {
    const silent = await startRawHilos(t, () => {})
    const proxy = proxied ? new Secret((await createProxy(t, 1, 'hanging')).url) : null
    const { call } = createClient(t, silent.origin.replace('http:', 'https:'), {
      ...{ proxy, clock: timers, connectTimeoutMs: 60_000 },
    })
    const failing = outcomeOf(call())
    if (!proxied) await until(() => silent.sockets.length > 0)
    await timers.advance(10_000)
    t.equal(await failing, 'upstream_timeout')
  }
})

t.test('a handshake without an answer holds back no other call, and is given up in time', async (t) => {
  const timers = createTimers()
  const { call, untilOpened } = await arrangeHalfOpen(t, 1, {
    clock: timers,
    connectTimeoutMs: 60_000,
    timeoutMs: 300_000,
    retries,
  })
  const [first, ...others] = idsOf(5)
  const slow = outcomeOf(call(first))
  await untilOpened(1)
  t.strictSame(await Promise.all(others.map((id) => outcomeOf(call(id)))), Array(4).fill('ok'))
  await timers.advance(60_000)
  t.equal(await slow, 'ok', 'the retry')
})

t.test('a failure replaces connections later if they are too young', async (t) => {
  let answer: Answer = minimal
  const { call, received, clock, move } = await arrangeMove(t, () => answer)
  t.ok(await call())
  clock.advance(100)
  answer = httpResponse(500, json, '{}')
  t.equal(await outcomeOf(call()), 'upstream_error')
  move()
  clock.advance(1899)
  t.equal(await outcomeOf(call()), 'upstream_error')
  clock.advance(1)
  t.ok(await call())
  t.strictSame(received, ['old', 'old', 'old', 'new'])
})
