import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { uuid } from '../../sandbox/parts.ts'
import type { HilosOptions } from '../../src/upstream/hilos.ts'
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { settled } from '../harness/timers.ts'
import {
  type Answer,
  closed,
  codeFor,
  contactId,
  createClient,
  failureOf,
  httpResponse,
  jsonResponse,
  startRawHilos,
} from './raw-hilos.ts'

const retries = { share: 0.1, reserve: 5, longestDelayMs: 0 }
const minimal = jsonResponse('{"contact":{}}')
const json = { 'content-type': 'application/json' }

/** An upstream that answers each request, counted from 0, in its own way, and a client that retries. */
async function arrange(t: Test, answers: (index: number) => Answer, overrides: Partial<HilosOptions> = {}) {
  /** On which connection each request came. */
  const usedBy: Socket[] = []
  const hilos = await startRawHilos(t, (socket, request) => {
    usedBy.push(socket)
    const answer = answers(usedBy.length - 1)
    if (typeof answer === 'function') answer(socket, request)
    else socket.write(answer)
  })
  return { ...hilos, ...createClient(t, hilos.baseUrl, { retries, ...overrides }), usedBy }
}

const until = async (holds: () => boolean) => {
  while (!holds()) await settled()
}

/** These answers first, then a document. */
const first =
  (...answers: Answer[]) =>
  (index: number) =>
    answers[index] ?? minimal

const losses: Record<string, (socket: Socket) => void> = {
  'by FIN': (socket) => socket.end(),
  'by reset': (socket) => socket.resetAndDestroy(),
  'by FIN in the status line': (socket) => socket.end('HTTP/1.1 2'),
  'by reset between headers': (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nx: y\r\n', () => setImmediate(() => socket.resetAndDestroy())),
}

for (const [how, lose] of Object.entries(losses))
  t.test(`a kept-alive connection, when lost ${how} under a request, is replaced by a new one, once`, async (t) => {
    const { getExecutionContact, usedBy, sockets, requests } = await arrange(
      t,
      (index) => (index === 1 ? lose : minimal),
      {
        // One, so that the second request goes out on the connection of the first.
        maxConnections: 1,
      },
    )
    t.ok(await getExecutionContact(contactId))
    t.equal((await getExecutionContact(contactId))?.id, contactId)
    t.equal(requests.length, 3)
    t.equal(usedBy[1], usedBy[0], 'on the kept connection')
    t.not(usedBy[2], usedBy[0], 'on a new one')
    t.equal(sockets.length, 2)
    t.match(requests[1], /\r\nconnection: keep-alive\r\n/i)
    t.match(requests[2], /\r\nconnection: close\r\n/i)
    t.equal(requests[2]?.split('\r\n')[0], requests[1]?.split('\r\n')[0], 'and is the same request')
    await closed(usedBy[2])
    t.ok(usedBy[2]?.destroyed, 'the new one is not kept')
  })

for (const [how, lose] of Object.entries(losses))
  t.test(`a connection, when lost ${how} each time, is tried twice and never three times`, async (t) => {
    const { getExecutionContact, requests, sockets } = await arrange(t, () => lose)
    t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'upstream_unavailable')
    t.equal(requests.length, 2)
    t.equal(sockets.length, 2)
  })

t.test('a connection, when refused, is tried once more, and may be there by then', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).on('data', () => socket.end(minimal)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  t.teardown(() => server.close())
  let delays = 0
  const refusedAlways = createClient(t, `http://127.0.0.1:${port}`, {
    retries,
    random: () => {
      delays += 1
      return 0
    },
  })
  t.equal((await failureOf(t, refusedAlways.getExecutionContact(contactId))).code, 'upstream_unavailable')
  t.equal(delays, 1, 'one retry')

  const refusedOnce = createClient(t, `http://127.0.0.1:${port}`, {
    retries: { ...retries, longestDelayMs: 100 },
    random: () => {
      server.listen(port, '127.0.0.1')
      return 0.9
    },
  })
  t.ok(await refusedOnce.getExecutionContact(contactId))
})

const pause = (value: string) => ({ ...json, 'retry-after': value })
const soon = 'Sun, 22 Nov 2026 10:05:09 GMT'

t.test('a gateway, when it has no luck and asks for no pause, is asked once more', async (t) => {
  for (const status of [502, 503, 504])
    for (const headers of [json, pause('soon'), pause('-7'), pause('')]) {
      const shown = `${status} ${JSON.stringify(headers)}`
      const unlucky = httpResponse(status, headers, '{}')
      const unluckyOnce = await arrange(t, first(unlucky))
      t.ok(await unluckyOnce.getExecutionContact(contactId), shown)
      t.equal(unluckyOnce.requests.length, 2, shown)
      t.not(unluckyOnce.usedBy[0], unluckyOnce.usedBy[1])
      const unluckyAlways = await arrange(t, () => unlucky)
      await failureOf(t, unluckyAlways.getExecutionContact(contactId))
      t.equal(unluckyAlways.requests.length, 2, shown)
    }
})

t.test('a gateway, when it asks for a pause that can be read, is left alone', async (t) => {
  for (const status of [502, 503, 504])
    for (const value of ['7', '0', soon, '31536000']) {
      const { getExecutionContact, requests } = await arrange(t, first(httpResponse(status, pause(value), '{}')))
      await failureOf(t, getExecutionContact(contactId))
      t.equal(requests.length, 1, `${status} ${value}`)
    }
})

t.test('what is not the connection’s fault, when it fails, is not tried again', async (t) => {
  const cut = (socket: Socket) => socket.end(minimal.subarray(0, -1))
  const answers: Record<string, Answer> = {
    ...Object.fromEntries(
      [
        201, 204, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 405, 408, 409, 410, 418, 425, 429, 500, 501,
        505, 599,
      ].map((status) => [status, httpResponse(status, { ...json, location: '/' })]),
    ),
    'an HTML 404': httpResponse(404, { 'content-type': 'text/html' }, '<h1>Not Found</h1>'),
    'a JSON 404 that is none': httpResponse(404, json, '<h1>Not Found</h1>'),
    '429 with a pause': httpResponse(429, pause('7')),
    '500 with a pause': httpResponse(500, pause('7')),
    'bad JSON': jsonResponse('{'),
    'no document': jsonResponse('{"detail":"no"}'),
    'another id': jsonResponse('{"id":"00000000-0000-4000-8000-000000000001","contact":{}}'),
    'a strange encoding': jsonResponse('x', { 'content-encoding': 'br' }),
    'no gzip': jsonResponse('x', { 'content-encoding': 'gzip' }),
    'too large': jsonResponse('{"contact":{}}'.padEnd(2000)),
    'no HTTP': '220 ESMTP\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 14\r\ncontent-length: 15\r\n\r\n{"contact":{}}',
    'a cut body': cut,
    'a reset in the body': (socket) =>
      socket.write(minimal.subarray(0, -1), () => setImmediate(() => socket.resetAndDestroy())),
  }
  for (const [name, answer] of Object.entries(answers)) {
    const { getExecutionContact, requests } = await arrange(t, first(answer), { maxBodyBytes: 1024 })
    await failureOf(t, getExecutionContact(contactId))
    t.equal(requests.length, 1, name)
  }
})

t.test('Hilos, when it does not answer in time, is not asked again', async (t) => {
  const table: Record<string, Answer> = {
    'before an answer': () => {},
    'in the body': (socket) => socket.write(minimal.subarray(0, -1)),
  }
  for (const [name, answer] of Object.entries(table))
    t.equal(await codeFor(t, answer, { retries, timeoutMs: 300 }), 'upstream_timeout', name)
})

t.test('Hilos, when it cannot prove who it is or never answers a handshake, is not connected to again', async (t) => {
  const untrusted = await startRawHilos(t, minimal, { key: throwawayKey, cert: throwawayCertificates.rightHost })
  const refusing = createClient(t, untrusted.baseUrl, { retries })
  t.equal((await failureOf(t, refusing.getExecutionContact(contactId))).code, 'upstream_untrusted')
  t.equal(untrusted.sockets.length, 1)
  const silent = await startRawHilos(t, minimal)
  const waiting = createClient(t, silent.baseUrl.replace('http:', 'https:'), { retries, connectTimeoutMs: 200 })
  const { facts } = await failureOf(t, waiting.getExecutionContact(contactId))
  t.match(facts, { reason: 'UND_ERR_CONNECT_TIMEOUT' })
  t.equal(silent.sockets.length, 1)
})

t.test('a failure, when half of the time is gone, is not tried again', async (t) => {
  for (const [tookMs, requests] of [
    [0, 2],
    [4999, 2],
    [5000, 1],
    [9000, 1],
  ] as const) {
    const arranged = await arrange(
      t,
      first((socket) => {
        arranged.clock.advance(tookMs)
        socket.end()
      }),
      { timeoutMs: 10_000 },
    )
    const asked = arranged.getExecutionContact(contactId)
    if (requests === 2) t.ok(await asked)
    else t.equal((await failureOf(t, asked)).code, 'upstream_unavailable')
    t.equal(arranged.requests.length, requests, `after ${tookMs} ms`)
  }
})

t.test('the wait for a turn, when it was long, counts as time gone', async (t) => {
  let elapsed = 0
  const held: Socket[] = []
  const { getExecutionContact, requests } = await arrange(t, () => (socket) => held.push(socket), {
    maxConnections: 1,
    maxWaitMs: 8000,
    elapsed: () => elapsed,
  })
  const before = getExecutionContact(uuid(1, 1))
  const waiting = getExecutionContact(contactId)
  await until(() => held.length === 1)
  elapsed = 5000
  held[0]?.write(minimal)
  t.ok(await before)
  await until(() => held.length === 2)
  held[1]?.end()
  t.equal((await failureOf(t, waiting)).code, 'upstream_unavailable')
  t.equal(requests.length, 2)
})

t.test('retries, when the budget is used up, are not made until calls have earned one', async (t) => {
  const { getExecutionContact, requests } = await arrange(t, () => httpResponse(502, json))
  const requestsOfNext = async () => {
    const before = requests.length
    await failureOf(t, getExecutionContact(contactId))
    return requests.length - before
  }
  const counts: number[] = []
  for (let index = 0; index < 17; index += 1) counts.push(await requestsOfNext())
  t.strictSame(counts, [2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1])
})

t.test('a budget, when there is none, allows no retry', async (t) => {
  const { getExecutionContact, requests } = await arrange(t, () => httpResponse(502, json), {
    retries: { ...retries, reserve: 0 },
  })
  await failureOf(t, getExecutionContact(contactId))
  t.equal(requests.length, 1)
})

t.test('a failure, when it is the one that opens the breaker, is not tried again, nor is a probe', async (t) => {
  const { getExecutionContact, requests, clock, reports } = await arrange(t, () => httpResponse(502, json), {
    circuitBreaker: { maxFailedContacts: 2, openMs: 1000, refusalMs: 0 },
  })
  await failureOf(t, getExecutionContact(uuid(1, 1)))
  t.equal(requests.length, 2, 'one contact')
  await failureOf(t, getExecutionContact(uuid(2, 2)))
  t.equal(requests.length, 3, 'the second opens')
  t.strictSame(reports, ['pause: upstream_unavailable'])
  const refused = await failureOf(t, getExecutionContact(uuid(3, 3)))
  t.equal(refused.code, 'upstream_unavailable')
  t.equal(requests.length, 3, 'none while it is open')
  clock.advance(1000)
  await failureOf(t, getExecutionContact(uuid(3, 3)))
  t.equal(requests.length, 4, 'one to see whether it is over')
})

t.test('the budget, when a failure is not tried again for another reason, is not touched', async (t) => {
  const unlucky = httpResponse(502, json)
  const late: Answer = (socket) => {
    arranged.clock.advance(5000)
    socket.write(unlucky)
  }
  const arranged = await arrange(t, first(httpResponse(400, json), late, unlucky, minimal, unlucky, minimal, unlucky), {
    retries: { ...retries, share: 0, reserve: 1 },
    circuitBreaker: { maxFailedContacts: 2, openMs: 1000, refusalMs: 0 },
  })
  const ask = (index: number) => arranged.getExecutionContact(uuid(index, index))
  await failureOf(t, ask(1))
  await failureOf(t, ask(2))
  await failureOf(t, ask(3))
  t.equal(arranged.requests.length, 3)
  arranged.clock.advance(1000)
  t.ok(await ask(4))
  t.strictSame(arranged.reports.splice(0), ['pause: upstream_unavailable', 'resume'])
  t.ok(await ask(5))
  t.equal(arranged.requests.length, 6, 'the only retry there was')
  await failureOf(t, ask(6))
  t.equal(arranged.requests.length, 7)
})

t.test('a retry, when calls are rationed, waits for a turn like any other', async (t) => {
  const { getExecutionContact, requests } = await arrange(t, () => httpResponse(502, json), {
    maxCallsPerSecond: 1,
    maxWaitMs: 50,
    elapsed: () => performance.now(),
  })
  const failure = await failureOf(t, getExecutionContact(contactId))
  t.equal(failure.code, 'overloaded')
  t.ok(failure instanceof UpstreamFailure)
  t.equal(requests.length, 1)
})

t.test('a turn, when its call has failed, is given back before the retry takes one', async (t) => {
  const { getExecutionContact, requests } = await arrange(t, first(httpResponse(502, json)), { maxConnections: 1 })
  t.ok(await getExecutionContact(contactId))
  t.ok(await getExecutionContact(contactId))
  t.equal(requests.length, 3)
})

t.test('a retry, when it is due, waits for its part of the longest delay', async (t) => {
  const table = [
    [0, 60_000, 0],
    [0.002, 60_000, 119],
    [0.5, 200, 99],
  ] as const
  for (const [random, longestDelayMs, atLeastMs] of table) {
    const { getExecutionContact } = await arrange(t, first(httpResponse(502, json)), {
      retries: { ...retries, longestDelayMs },
      random: () => random,
    })
    const startedMs = performance.now()
    t.ok(await getExecutionContact(contactId))
    const tookMs = performance.now() - startedMs
    t.ok(tookMs >= atLeastMs && tookMs < atLeastMs + 5000, `${Math.round(tookMs)} ms`)
  }
})

t.test('a retry, when its delay leaves half of the time or less, is not made', async (t) => {
  for (const [random, asked] of [
    [299, 2],
    [300, 1],
  ] as const) {
    const { getExecutionContact, requests } = await arrange(t, first(httpResponse(502)), {
      timeoutMs: 600,
      retries: { ...retries, longestDelayMs: 1 },
      random: () => random,
    })
    await getExecutionContact(contactId).catch(() => {})
    t.equal(requests.length, asked, `${random} ms`)
  }
})
