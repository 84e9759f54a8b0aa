import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { faultIds } from '../../sandbox/faults.ts'
import { createSandbox } from '../../sandbox/hilos.ts'
import { executionContact, uuid } from '../../sandbox/parts.ts'
import type { HilosOptions } from '../../src/upstream/hilos.ts'
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts'
import { createClock } from '../harness/clock.ts'
import { settled } from '../harness/timers.ts'
import { contactId, createClient, failureOf, httpResponse, jsonResponse, startRawHilos, token } from './raw-hilos.ts'

const circuitBreaker = { maxFailedContacts: 10, openMs: 1000, refusalMs: 3000 }
const retries = { share: 0.1, reserve: 5, longestDelayMs: 0 }
const minimal = jsonResponse('{"contact":{}}')

/** As the service is set up, but for the rate: the clock stands still, and with it the tokens. */
async function arrangeSandbox(t: Test, overrides: Partial<HilosOptions> = {}) {
  const sandbox = createSandbox({ token, now: createClock().now })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  const client = createClient(t, baseUrl, { circuitBreaker, retries, reportDrift: () => {}, ...overrides })
  const ids = [...sandbox.documents.keys()]
  /** How each of these contacts ends, asked for at the same time. */
  const askAll = (wanted: readonly string[]) =>
    Promise.all(
      wanted.map((id) =>
        client.getExecutionContact(id).then(
          () => 'ok',
          ({ code, retryAfterSeconds }) => `${code} ${retryAfterSeconds}`,
        ),
      ),
    )
  return { ...sandbox, ...client, ids, askAll }
}

/** Connections that owe an answer. */
async function startHeld(t: Test) {
  const held: Socket[] = []
  const hilos = await startRawHilos(t, (socket) => held.push(socket))
  const until = async (count: number) => {
    while (held.length < count) await settled()
  }
  return { ...hilos, held, until }
}

t.test('Hilos, when it asks one call for seven seconds, is left alone by all of them, then asked by one', async (t) => {
  const { askAll, requests, clock, ids, reports, getExecutionContact } = await arrangeSandbox(t)
  await failureOf(t, getExecutionContact(faultIds.rateLimited))
  for (const [ms, seconds] of [
    [0, 7],
    [1, 7],
    [5998, 2],
    [1, 1],
    [999, 1],
  ] as const) {
    clock.advance(ms)
    const refusal = `upstream_rate_limited ${seconds}`
    t.strictSame(new Set(await askAll(ids)), new Set([refusal]))
    t.equal(requests.length, 1)
  }
  clock.advance(1)
  const [first, ...others] = await askAll(ids)
  t.equal(first, 'ok')
  t.strictSame(new Set(others), new Set(['upstream_rate_limited 1']))
  t.equal(requests.length, 2)
  t.strictSame(new Set(await askAll(ids)), new Set(['ok']))
  t.strictSame(reports, ['pause: upstream_rate_limited', 'resume'])
})

t.test('Hilos, when it still refuses after the pause, is left alone for another', async (t) => {
  const { askAll, requests, clock, ids, reports } = await arrangeSandbox(t)
  await askAll([faultIds.rateLimited])
  clock.advance(7000)
  await askAll([faultIds.rateLimited, ...ids])
  t.equal(requests.length, 2)
  clock.advance(6999)
  await askAll(ids)
  t.equal(requests.length, 2)
  t.strictSame(reports, ['pause: upstream_rate_limited'])
})

t.test('our key, when refused, is not shown again for as long as set, and is a refusal to everyone', async (t) => {
  const { askAll, requests, clock, ids, reports, getExecutionContact } = await arrangeSandbox(t)
  await failureOf(t, getExecutionContact(faultIds.unauthorized))
  clock.advance(2999)
  t.strictSame(new Set(await askAll(ids)), new Set(['upstream_unauthorized null']))
  const failure = await failureOf(t, getExecutionContact(contactId))
  t.notOk(failure instanceof UpstreamFailure)
  t.equal(requests.length, 1)
  clock.advance(1)
  t.equal((await askAll(ids))[0], 'ok')
  t.strictSame(reports, ['pause: upstream_unauthorized', 'resume'])
})

t.test('Hilos, when ten different contacts in a row fail, is left alone, and asked again when healed', async (t) => {
  for (const [random, openMs] of [
    [0, 1000],
    [0.999, 1999],
  ] as const) {
    const { askAll, requests, clock, faults, ids, reports } = await arrangeSandbox(t, { random: () => random })
    const failing = Array.from({ length: 10 }, (_, index) => uuid(index, index))
    for (const id of failing) faults.set(id, 'broken')
    for (let index = 0; index < 20; index += 1) await askAll(failing.slice(0, 1))
    for (const id of failing.slice(1, 9)) await askAll([id])
    t.strictSame(reports, [])
    await askAll(failing.slice(9))
    t.strictSame(reports, ['pause: upstream_unavailable'])
    const before = requests.length
    t.strictSame(new Set(await askAll(ids)), new Set([`upstream_unavailable ${Math.ceil(openMs / 1000)}`]))
    t.equal(requests.length, before)
    clock.advance(openMs - 1)
    await askAll(ids)
    t.equal(requests.length, before)
    clock.advance(1)
    await askAll(ids)
    t.strictSame(new Set(await askAll(ids)), new Set(['ok']))
    t.strictSame(reports, ['pause: upstream_unavailable', 'resume'])
  }
})

t.test(
  'calls, when Hilos answers none, are as many at once as connections; some wait, the rest are refused',
  async (t) => {
    const { baseUrl, held, until, requests } = await startHeld(t)
    const { getExecutionContact } = createClient(t, baseUrl, { maxConnections: 3, maxQueuedCalls: 4 })
    const outcomes: string[] = []
    const all = Array.from({ length: 20 }, (_, index) =>
      getExecutionContact(uuid(index, index)).then(
        () => outcomes.push('ok'),
        ({ code }) => outcomes.push(code),
      ),
    )
    await until(3)
    t.strictSame(outcomes, Array(13).fill('overloaded'))
    for (let answered = 0; answered < 7; answered += 1) {
      await until(answered + 1)
      t.ok(requests.length - answered <= 3)
      held[answered]?.write(minimal)
    }
    await Promise.all(all)
    t.strictSame(outcomes.slice(13), Array(7).fill('ok'))
    t.equal(requests.length, 7)
  },
)

/** One call that is under way on the only connection, on the real clock, and the time that others take. */
async function arrangeBusy(t: Test, timeoutMs: number, maxWaitMs: number) {
  const hilos = await startHeld(t)
  const { getExecutionContact } = createClient(t, hilos.baseUrl, {
    timeoutMs,
    maxWaitMs,
    maxConnections: 1,
    elapsed: () => performance.now(),
    retries,
  })
  const first = getExecutionContact(contactId)
  await hilos.until(1)
  const timed = async () => {
    const startedMs = performance.now()
    const { code } = await failureOf(t, getExecutionContact(uuid(1, 1)))
    return { code, tookMs: performance.now() - startedMs }
  }
  return { ...hilos, first, timed }
}

t.test('a call, when it gets no turn, is told when it has waited long enough', async (t) => {
  const { first, timed, held, requests } = await arrangeBusy(t, 60_000, 100)
  const { code, tookMs } = await timed()
  t.equal(code, 'overloaded')
  t.ok(tookMs >= 99 && tookMs < 5000, `${tookMs} ms`)
  held[0]?.write(minimal)
  t.ok(await first)
  t.equal(requests.length, 1)
})

t.test('a call, when it gets its turn late, has less time left than it began with', async (t) => {
  const { first, timed, held, requests } = await arrangeBusy(t, 800, 600)
  const late = timed()
  setTimeout(() => held[0]?.write(minimal), 400)
  t.ok(await first)
  const { code, tookMs } = await late
  t.equal(code, 'upstream_timeout')
  t.ok(tookMs >= 790 && tookMs < 1150, `${tookMs} ms in all`)
  t.equal(requests.length, 2)
})

t.test(
  'calls, when the breaker opens while they wait for a turn, are refused at once and keep nobody else out',
  async (t) => {
    const { baseUrl, until, held, requests } = await startHeld(t)
    const { getExecutionContact, clock } = createClient(t, baseUrl, { maxCallsPerSecond: 1, circuitBreaker })
    const first = failureOf(t, getExecutionContact(contactId))
    const waiting = [1, 2, 3].map((index) => failureOf(t, getExecutionContact(uuid(index, index))))
    await until(1)
    held[0]?.write(httpResponse(429, { 'retry-after': '7' }))
    t.equal((await first).code, 'upstream_rate_limited')
    for (const { code, retryAfterSeconds } of await Promise.all(waiting))
      t.strictSame([code, retryAfterSeconds], ['upstream_rate_limited', 7])
    t.equal(requests.length, 1)
    clock.advance(7000)
    const probe = getExecutionContact(contactId)
    await until(2)
    held[1]?.write(minimal)
    t.ok(await probe)
  },
)

t.test(
  'calls about others, when one contact is forbidden while they wait for a turn, may be stood in for',
  async (t) => {
    const { baseUrl, until, held } = await startHeld(t)
    const { getExecutionContact } = createClient(t, baseUrl, {
      maxCallsPerSecond: 1,
      circuitBreaker: { ...circuitBreaker, refusalMs: 1000 },
    })
    const first = failureOf(t, getExecutionContact(contactId))
    const waiting = failureOf(t, getExecutionContact(uuid(1, 1)))
    await until(1)
    held[0]?.write(httpResponse(403, {}))
    t.notOk((await first) instanceof UpstreamFailure)
    const refused = await waiting
    t.ok(refused instanceof UpstreamFailure)
    t.strictSame([refused.code, refused.facts], ['upstream_forbidden', { reason: 'calls to Hilos pause' }])
  },
)

t.test('a call, when the breaker is open, is refused before it waits for a turn, and takes none', async (t) => {
  const { baseUrl, requests } = await startRawHilos(t, (socket) =>
    socket.write(requests.length === 1 ? httpResponse(429, { 'retry-after': '7' }) : minimal),
  )
  const { getExecutionContact, clock } = createClient(t, baseUrl, {
    maxCallsPerSecond: 0.1,
    maxQueuedCalls: 0,
    circuitBreaker,
  })
  await failureOf(t, getExecutionContact(contactId))
  t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'upstream_rate_limited', 'rather than overloaded')
  clock.advance(7000)
  t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'overloaded', 'only the first call took a turn')
  clock.advance(3000)
  t.ok(await getExecutionContact(contactId))
})

t.test('a refresh, when callers wait too, goes after them, unless somebody begins to wait for it', async (t) => {
  const { baseUrl, until, held, requests } = await startHeld(t)
  const { getExecutionContact } = createClient(t, baseUrl, { maxConnections: 1 })
  let isAwaited = false
  const all = [
    getExecutionContact(uuid(0, 0)),
    getExecutionContact(uuid(1, 1), () => false),
    getExecutionContact(uuid(2, 2), () => isAwaited),
    getExecutionContact(uuid(3, 3)),
  ]
  isAwaited = true
  for (let index = 0; index < all.length; index += 1) {
    await until(index + 1)
    held[index]?.write(minimal)
  }
  await Promise.all(all)
  t.strictSame(
    requests.map((request) => all.findIndex((_, index) => request.includes(uuid(index, index)))),
    [0, 2, 3, 1],
  )
})

t.test('the rate, when set, is kept between calls', async (t) => {
  const { baseUrl, requests } = await startRawHilos(t, (socket) => socket.write(minimal))
  const { getExecutionContact, clock } = createClient(t, baseUrl, { maxCallsPerSecond: 2, maxQueuedCalls: 0 })
  const ask = () => getExecutionContact(contactId)
  await ask()
  await ask()
  t.equal((await failureOf(t, ask())).code, 'overloaded')
  clock.advance(999)
  t.equal((await failureOf(t, ask())).code, 'overloaded')
  clock.advance(1)
  t.ok(await ask())
  t.equal(requests.length, 3)
})

t.test('Hilos, when closed, is let go, with what is under way on connections of both kinds', async (t) => {
  const { baseUrl, until, held } = await startHeld(t)
  const { getExecutionContact, close } = createClient(t, baseUrl, { retries })
  const kept = failureOf(t, getExecutionContact(uuid(1, 1)))
  await until(1)
  held[0]?.destroy()
  // Its retry, on a fresh connection.
  await until(2)
  const other = failureOf(t, getExecutionContact(uuid(2, 2)))
  await until(3)
  await close()
  for (const failure of await Promise.all([kept, other])) t.equal(failure.code, 'upstream_unavailable')
  t.equal(held.length, 3)
  t.equal((await failureOf(t, getExecutionContact(uuid(3, 3)))).code, 'upstream_unavailable')
})

t.test(
  'calls, when somebody counts them, are told by how they ended and how long they and their turns took',
  async (t) => {
    const told: string[] = []
    const events = {
      onTurn: (waitedMs: number) => told.push(`turn after ${waitedMs}`),
      onTurnRefused: () => told.push('no turn'),
      onCall: (outcome: string, durationMs: number) => told.push(`${outcome} after ${durationMs}`),
      onRetry: () => told.push('again'),
    }
    const toldNow = () => told.splice(0)
    const { getExecutionContact, ids, documents, clock } = await arrangeSandbox(t, events)
    const [id = ''] = ids
    documents.set(id, () => {
      clock.advance(250)
      return executionContact(id)
    })
    await getExecutionContact(id)
    t.strictSame(toldNow(), ['turn after 0', 'found after 250'])
    await getExecutionContact(uuid(0xdead, 1))
    t.strictSame(toldNow(), ['turn after 0', 'absent after 0'])
    documents.set(id, () => {
      clock.advance(125)
      return executionContact(uuid(0xdead, 1))
    })
    await failureOf(t, getExecutionContact(id))
    t.strictSame(toldNow(), ['turn after 0', 'upstream_invalid_response after 125'])
    await failureOf(t, getExecutionContact(faultIds.outOfService))
    t.strictSame(toldNow(), [
      'turn after 0',
      'upstream_unavailable after 0',
      'again',
      'turn after 0',
      'upstream_unavailable after 0',
    ])
  },
)

t.test('a call, when it waits for its turn, says for how long; one that gets none is told as such', async (t) => {
  const waits: number[] = []
  let refused = 0
  const { baseUrl, held, until } = await startHeld(t)
  const { getExecutionContact, health, clock } = createClient(t, baseUrl, {
    maxConnections: 1,
    maxQueuedCalls: 1,
    onTurn: (waitedMs) => waits.push(waitedMs),
    onTurnRefused: () => {
      refused += 1
    },
  })
  const first = getExecutionContact(uuid(0, 1))
  const second = getExecutionContact(uuid(0, 2))
  await until(1)
  t.match(health(), { callsInFlight: 1, callsQueued: 1 })
  t.equal((await failureOf(t, getExecutionContact(uuid(0, 3)))).code, 'overloaded')
  t.equal(refused, 1)
  clock.advance(400)
  held[0]?.end(minimal)
  await first
  await until(2)
  held[1]?.end(minimal)
  await second
  t.strictSame(waits, [0, 400])
  t.strictSame(health(), { circuitBreaker: 'closed', pausedFor: null, callsInFlight: 0, callsQueued: 0 })
})

t.test('the health of calls, while they pause, says why, and when a probe is out, that it is', async (t) => {
  const { askAll, health, clock, getExecutionContact, documents, ids } = await arrangeSandbox(t)
  await askAll([faultIds.rateLimited])
  t.match(health(), { circuitBreaker: 'open', pausedFor: 'upstream_rate_limited' })
  clock.advance(7000)
  const [id = ''] = ids
  let during = {}
  documents.set(id, () => {
    during = health()
    return executionContact(id)
  })
  await getExecutionContact(id)
  t.match(during, { circuitBreaker: 'half-open', pausedFor: 'upstream_rate_limited', callsInFlight: 1 })
  t.match(health(), { circuitBreaker: 'closed', pausedFor: null })
})
