import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { uuid } from '../../sandbox/parts.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import {
  type Answer,
  arrangeHeld,
  arrangeRaw,
  type ClientOptions,
  closed,
  createClient,
  failureFor,
  failureOf,
  httpResponse,
  json,
  minimal,
  outcomeOf,
  retries,
} from './raw-hilos.ts'

/** An upstream that answers each request, counted from 0, in its own way, and a client that retries. */
async function arrange(t: Test, answers: (index: number) => Answer, overrides: ClientOptions = {}) {
  /** The connection of each request. */
  const usedBy: Socket[] = []
  const answerNext: Answer = (socket, request) => {
    usedBy.push(socket)
    const answer = answers(usedBy.length - 1)
    if (typeof answer === 'function') answer(socket, request)
    else socket.write(answer)
  }
  return { ...(await arrangeRaw(t, answerNext, { retries, ...overrides })), usedBy }
}

/** These answers first, then documents. */
const first =
  (...answers: Answer[]) =>
  (index: number) =>
    answers[index] ?? minimal

/** Ends a connection after these bytes. */
const ends = {
  FIN: (bytes: string) => (socket: Socket) => socket.end(bytes),
  reset: (bytes: string) => (socket: Socket) => socket.write(bytes, () => setImmediate(() => socket.resetAndDestroy())),
}
const unlucky = httpResponse(502, json)
const ok = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
const endingsAfter = (texts: readonly string[]) =>
  Object.entries(ends).flatMap(([name, end]) => texts.map((text) => ({ name, text, lose: end(text) })))
const losses = endingsAfter(['', 'HTTP/1.1 2', ok])

t.test('a request on a kept connection that is lost before the answer is sent once more, on a new one', async (t) => {
  for (const { lose } of losses) {
    // One connection, so that the second request goes out on the connection of the first.
    const settings = { maxConnections: 1 }
    const { call, usedBy, sockets, requests } = await arrange(t, (index) => (index === 1 ? lose : minimal), settings)
    t.ok(await call())
    t.ok(await call())
    t.equal(requests.length, 3)
    t.equal(usedBy[1], usedBy[0], 'on the kept connection')
    t.not(usedBy[2], usedBy[0], 'on a new one')
    t.equal(sockets.length, 2)
    t.match(requests[1], /\r\nconnection: keep-alive\r\n/i)
    t.equal(requests[2], requests[1]?.replace('keep-alive', 'close'), 'it is the same request')
    await closed(usedBy[2])
    t.ok(usedBy[2]?.destroyed, 'the new one is not kept')
  }
})

t.test('a request that is lost each time is sent twice', async (t) => {
  await checkRowsInTurn(
    t,
    losses,
    async ({ lose }) => {
      const { call, requests, sockets } = await arrange(t, () => lose)
      const { code } = await failureOf(call())
      return difference([code, requests.length, sockets.length], ['upstream_unavailable', 2, 2])
    },
    'Hilos cannot be reached',
  )
})

t.test('a response that is cut off in its body is invalid and is not requested again', async (t) => {
  const bodies = [
    `content-length: 15\r\n\r\n{"contact":{}}`,
    `content-length: 15\r\n\r\n`,
    `transfer-encoding: chunked\r\n\r\ne\r\n{"contact":{}}\r\n`,
    `transfer-encoding: chunked\r\n\r\n`,
  ]
  await checkRowsInTurn(
    t,
    endingsAfter(bodies.map((body) => `${ok}${body}`)),
    async ({ lose }) => {
      const { code, facts } = await failureFor(t, lose)
      return difference([code, facts], ['upstream_invalid_response', { reason: 'cut off in the middle of the body' }])
    },
    'the response is invalid',
  )
})

t.test('a refused connection is tried once more', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).on('data', () => socket.end(minimal)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  t.teardown(() => server.close())
  const callWith = (beforeRetry: (retry: () => void) => unknown) => {
    const schedule = (retry: () => void, ms: number) => {
      if (ms === 0) beforeRetry(retry)
      return () => {}
    }
    const clock = createClock(undefined, { schedule })
    return createClient(t, `http://127.0.0.1:${port}`, { retries, clock }).call()
  }
  let times = 0
  const refused = callWith((retry) => {
    times += 1
    retry()
  })
  const { code, facts } = await failureOf(refused)
  t.strictSame([code, facts, times], ['upstream_unavailable', { reason: 'ECONNREFUSED' }, 1])
  t.ok(await callWith((retry) => server.listen(port, '127.0.0.1', retry)))
})

t.test('a gateway error without a readable Retry-After is retried once, on another connection', async (t) => {
  await checkRowsInTurn(
    t,
    [502, 503, 504].flatMap((status) =>
      [json, { ...json, 'retry-after': 'soon' }].map((headers) => ({ status, headers })),
    ),
    async ({ status, headers }) => {
      const error = httpResponse(status, headers, '{}')
      const [once, always] = [await arrange(t, first(error)), await arrange(t, () => error)]
      const outcomes = [await outcomeOf(once.call()), await outcomeOf(always.call())]
      return difference(
        [outcomes, once.requests.length, always.requests.length, once.usedBy[0] === once.usedBy[1]],
        [['ok', status === 503 ? 'upstream_unavailable' : 'upstream_error'], 2, 2, false],
      )
    },
    'two requests',
  )
})

t.test('a retry waits for a random part of the longest delay, and needs half of the time after it', async (t) => {
  await checkRowsInTurn(
    t,
    [
      [0, 0, true],
      [0, 4999, true],
      [0, 5000, false],
      [4999, 0, true],
      [5000, 0, false],
      [9000, 0, false],
    ] as const,
    async ([tookMs, delayMs, isRetried]) => {
      const longestDelayMs = 2 ** 14
      const delays: number[] = []
      const clock = createClock(undefined, {
        random: () => delayMs / longestDelayMs,
        schedule: (run, ms) => {
          // The others are the times to connect.
          if (ms !== delayMs) return () => {}
          delays.push(ms)
          setImmediate(run)
          return () => {}
        },
      })
      const late: Answer = (socket) => {
        clock.advance(tookMs)
        socket.end()
      }
      const { call } = await arrange(t, first(late), { clock, retries: { ...retries, longestDelayMs } })
      const expected = isRetried ? ['ok', [delayMs]] : ['upstream_unavailable', []]
      return difference([await outcomeOf(call()), delays], expected)
    },
    'the delay is kept',
  )
})

t.test('the wait for a slot counts against the time for a retry', async (t) => {
  const settings = { retries, maxConnections: 1, maxWaitMs: 8000 }
  const { call, clock, held, untilHeld } = await arrangeHeld(t, settings)
  const before = call()
  const waiting = failureOf(call())
  await untilHeld(1)
  clock.advance(5000)
  held[0]?.write(minimal)
  t.ok(await before)
  await untilHeld(2)
  held[1]?.write(unlucky)
  t.equal((await waiting).code, 'upstream_error')
  t.equal(held.length, 2)
})

t.test('after the reserve is spent, calls earn the retries', async (t) => {
  const { call, requests } = await arrange(t, () => unlucky)
  const counts: number[] = []
  for (let index = 0; index < 17; index += 1) {
    await failureOf(call())
    counts.push(requests.splice(0).length)
  }
  t.strictSame(counts, [2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1])
})

const circuitBreaker = { maxFailedContacts: 2, openMs: 1000, refusalMs: 0, maxPausedContacts: 500 }

t.test('neither the call that opens the breaker for a random time nor a probe is retried', async (t) => {
  const clock = createClock(undefined, { random: () => 0.999 })
  const { call, requests, reports } = await arrange(t, () => unlucky, { circuitBreaker, clock })
  const requestsAfter = async (number: number) => {
    await failureOf(call(uuid(number, number)))
    return requests.length
  }
  t.equal(await requestsAfter(1), 2)
  t.equal(await requestsAfter(2), 3, 'the second contact opens the breaker')
  t.strictSame(reports, ['opened: upstream_unavailable'])
  clock.advance(1998)
  t.equal(await requestsAfter(3), 3, 'it is open')
  clock.advance(1)
  t.equal(await requestsAfter(3), 4, 'the probe')
})

t.test('a failure that is not retried for another reason spends no retry', async (t) => {
  const late: Answer = (socket) => {
    clock.advance(5000)
    socket.write(unlucky)
  }
  const answers = first(httpResponse(400, json), late, unlucky, minimal, unlucky, minimal, unlucky)
  const budget = { ...retries, share: 0, reserve: 1 }
  const { call, clock, requests, reports } = await arrange(t, answers, { retries: budget, circuitBreaker })
  const outcomes: string[] = []
  for (const number of [1, 2, 3]) outcomes.push(await outcomeOf(call(uuid(number, number))))
  t.strictSame(outcomes, ['upstream_error', 'upstream_error', 'upstream_error'])
  t.equal(requests.length, 3)
  clock.advance(1000)
  t.ok(await call())
  t.strictSame(reports, ['opened: upstream_unavailable', 'closed'])
  t.ok(await call())
  t.equal(requests.length, 6, 'the only retry')
  await failureOf(call())
  t.equal(requests.length, 7)
})

t.test('the failure of a retry is its own', async (t) => {
  const { call, requests } = await arrange(t, first(unlucky, httpResponse(401)))
  t.equal((await failureOf(call())).code, 'upstream_unauthorized')
  t.equal(requests.length, 2)
})

t.test('a retry needs a slot of its own', async (t) => {
  const { call, requests } = await arrange(t, () => unlucky, { maxCallsPerSecond: 1, maxQueuedCalls: 0 })
  const failure = await failureOf(call())
  t.equal(failure.code, 'upstream_error', 'Hilos has failed, so the failure is not that of our own limit')
  t.ok(failure instanceof UpstreamFailure)
  t.equal(requests.length, 1)
})
