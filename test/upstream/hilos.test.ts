import type { Socket } from 'node:net'
import t from 'tap'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact, uuid } from '../../sandbox/parts.ts'
import type { CreateRation, RationListener } from '../../src/upstream/calls/ration.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createTimers } from '../harness/timers.ts'
import {
  arrangeHeld,
  arrangeRaw,
  arrangeSandbox,
  failureOf,
  httpResponse,
  idsOf,
  minimal,
  outcomeOf,
  retries,
} from './raw-hilos.ts'

t.test('at most as many calls as connections are in flight, some wait, and the rest are refused', async (t) => {
  const { call, held, untilHeld, requests, sockets } = await arrangeHeld(t, {
    maxConnections: 3,
    maxQueuedCalls: 4,
  })
  const outcomes: string[] = []
  const all = idsOf(20).map(async (id) => outcomes.push(await outcomeOf(call(id))))
  await untilHeld(3)
  t.strictSame(outcomes, Array(13).fill('overloaded'))
  for (let answered = 0; answered < 7; answered += 1) {
    await untilHeld(answered + 1)
    t.ok(requests.length - answered <= 3)
    held[answered]?.write(minimal)
  }
  await Promise.all(all)
  t.strictSame(outcomes.slice(13), Array(7).fill('ok'))
  t.equal(requests.length, 7)
  t.equal(sockets.length, 3)
})

t.test('a call waits for a slot for a limited time, and reports how long it has waited', async (t) => {
  const events: unknown[] = []
  const clock = createTimers()
  const { call, health, held, untilHeld } = await arrangeHeld(t, {
    clock,
    maxConnections: 1,
    maxQueuedCalls: 1,
    maxWaitMs: 500,
    observer: { slotGranted: (waitedMs) => events.push(waitedMs), slotRefused: () => events.push('refused') },
  })
  const first = call()
  const second = call()
  await untilHeld(1)
  t.match(health(), { callsInFlight: 1, callsQueued: 1 })
  t.equal((await failureOf(call())).code, 'overloaded')
  await clock.advance(400)
  held[0]?.write(minimal)
  await first
  await untilHeld(2)
  const third = failureOf(call())
  await clock.advance(499)
  t.strictSame(events, [0, 'refused', 400])
  await clock.advance(1)
  t.equal((await third).code, 'overloaded')
  held[1]?.write(minimal)
  await second
  t.strictSame(events, [0, 'refused', 400, 'refused'])
  t.equal(held.length, 2)
  t.match(health(), { circuitBreaker: 'closed', pausedFor: null, callsInFlight: 0, callsQueued: 0 })
  const lastCalls = { ok: true, lastCall: { outcome: 'found' }, failuresInARow: 0 }
  t.match(health(), lastCalls, 'one without a slot is no call')
})

t.test('the time that a call waits for a slot counts against its deadline', async (t) => {
  const timers = createTimers()
  const { call, held, untilHeld } = await arrangeHeld(t, { clock: timers, maxConnections: 1 })
  const first = call()
  const late = failureOf(call())
  await untilHeld(1)
  await timers.advance(4000)
  held[0]?.write(minimal)
  t.ok(await first)
  await untilHeld(2)
  t.strictSame(timers.armed(), [6000])
  await timers.advance(6000)
  t.equal((await late).code, 'upstream_timeout')
})

t.test('calls that wait for a slot are refused when the breaker opens, and take no slot', async (t) => {
  for (const [answer, code, retryAfterSeconds, openMs] of [
    [httpResponse(429, { 'retry-after': '7' }), 'upstream_rate_limited', 7, 7000],
    [httpResponse(401), 'upstream_unauthorized', null, 3000],
  ] as const) {
    const { call, clock, untilHeld, held, requests } = await arrangeHeld(t, { maxCallsPerSecond: 1 })
    const first = failureOf(call())
    const waiting = idsOf(3).map((id) => failureOf(call(id)))
    await untilHeld(1)
    held[0]?.write(answer)
    t.equal((await first).code, code)
    for (const failure of await Promise.all(waiting)) {
      t.equal(failure instanceof UpstreamFailure, code === 'upstream_rate_limited')
      t.match(failure, { code, retryAfterSeconds, facts: { reason: 'the circuit breaker is open' } })
    }
    t.equal(requests.length, 1)
    clock.advance(openMs)
    const probe = call()
    await untilHeld(2)
    held[1]?.write(minimal)
    t.ok(await probe)
  }
})

t.test('calls that wait for a slot are not refused when one contact pauses, unless they are about it', async (t) => {
  const { call, clock, untilHeld, held, requests } = await arrangeHeld(t, { maxConnections: 1 })
  const [id, other] = idsOf(2)
  const first = failureOf(call(id))
  const [again, waiting] = [failureOf(call(id)), call(other)]
  await untilHeld(1)
  held[0]?.write(httpResponse(503, { 'retry-after': '300' }))
  t.equal((await first).code, 'upstream_rate_limited')
  const facts = { reason: 'calls about this contact pause' }
  t.match(await again, { code: 'upstream_rate_limited', retryAfterSeconds: 300, facts })
  await untilHeld(2)
  held[1]?.write(minimal)
  t.ok(await waiting)
  t.equal(requests.length, 2)
  clock.advance(300_000)
  const last = call(id)
  await untilHeld(3)
  held[2]?.write(minimal)
  t.ok(await last)
})

t.test('an open breaker refuses a call before it takes a slot', async (t) => {
  const answer = (socket: Socket) =>
    socket.write(requests.length === 1 ? httpResponse(429, { 'retry-after': '7' }) : minimal)
  const { call, clock, requests } = await arrangeRaw(t, answer, { maxCallsPerSecond: 0.1, maxQueuedCalls: 0 })
  const outcome = () => outcomeOf(call())
  t.equal(await outcome(), 'upstream_rate_limited')
  t.equal(await outcome(), 'upstream_rate_limited', 'it is not overloaded')
  clock.advance(7000)
  t.equal(await outcome(), 'overloaded', 'only the first call took a token')
  clock.advance(3000)
  t.equal(await outcome(), 'ok')
})

t.test('a refresh waits behind callers, unless a caller waits for it by then', async (t) => {
  const { call, untilHeld, held, requests } = await arrangeHeld(t, { maxConnections: 1 })
  let urgency: 0 | 2 = 0
  const ids = idsOf(4)
  const refreshes = [undefined, () => 0 as const, () => urgency]
  const all = ids.map((id, index) => call(id, refreshes[index]))
  urgency = 2
  for (let index = 0; index < all.length; index += 1) {
    await untilHeld(index + 1)
    held[index]?.write(minimal)
  }
  await Promise.all(all)
  t.strictSame(
    requests.map((request) => ids.findIndex((id) => request.includes(id))),
    [0, 2, 3, 1],
  )
})

t.test('close aborts all calls, on kept and on fresh connections, and refuses new ones', async (t) => {
  const { call, close, untilHeld, held } = await arrangeHeld(t, { retries })
  const retried = failureOf(call())
  await untilHeld(1)
  held[0]?.destroy()
  await untilHeld(2)
  const other = failureOf(call())
  await untilHeld(3)
  await close()
  for (const { code } of await Promise.all([retried, other, failureOf(call())])) t.equal(code, 'upstream_unavailable')
  t.equal(held.length, 3)
})

t.test('each call is reported with its outcome and duration, and each wait for a slot with its length', async (t) => {
  const events: string[] = []
  const { call, documents, clock } = await arrangeSandbox(t, {
    retries,
    observer: {
      slotGranted: (waitedMs) => events.push(`slot after ${waitedMs}`),
      callEnded: (outcome, durationMs) => events.push(`${outcome} after ${durationMs}`),
      callRetried: () => events.push('retry'),
    },
  })
  const documentAfter = (ms: number, documentId: string) => () => {
    clock.advance(ms)
    return executionContact(documentId)
  }
  const [id = ''] = documents.keys()
  const eventsOf = async (wanted: string) => {
    await outcomeOf(call(wanted))
    return events.splice(0)
  }
  documents.set(id, documentAfter(250, id))
  t.strictSame(await eventsOf(id), ['slot after 0', 'found after 250'])
  t.strictSame(await eventsOf(uuid(0xdead, 1)), ['slot after 0', 'absent after 0'])
  documents.set(id, documentAfter(125, uuid(0xdead, 1)))
  t.strictSame(await eventsOf(id), ['slot after 0', 'upstream_invalid_response after 125'])
  const failed = ['slot after 0', 'upstream_unavailable after 0']
  t.strictSame(await eventsOf(faultIds.outOfService), [...failed, 'retry', ...failed])
})

t.test('the health says why the breaker is open, and whether a probe is in flight', async (t) => {
  const { health, clock, call, documents } = await arrangeSandbox(t)
  await failureOf(call(faultIds.rateLimited))
  t.match(health(), { circuitBreaker: 'open', pausedFor: 'upstream_rate_limited' })
  clock.advance(7000)
  const [id = ''] = documents.keys()
  let during = {}
  documents.set(id, () => {
    during = health()
    return executionContact(id)
  })
  await call(id)
  t.match(during, { circuitBreaker: 'half-open', pausedFor: 'upstream_rate_limited', callsInFlight: 1 })
  t.match(health(), { circuitBreaker: 'closed', pausedFor: null })
})

t.test(
  'a ration that was made for it is told of a pause, and tells of one, which refuses the calls that wait',
  async (t) => {
    const pauses: number[] = []
    let listener: RationListener | undefined
    let at = 0
    const createRation: CreateRation = (given) => {
      listener = given
      const permit = { sent: () => {} }
      return { want: () => {}, nextAt: () => at, take: () => permit, pause: (ms) => pauses.push(ms) }
    }
    const answer = httpResponse(429, { 'retry-after': '7' })
    const clock = createTimers()
    const { call } = await arrangeRaw(t, answer, { createRation, clock })
    t.equal(await outcomeOf(call()), 'upstream_rate_limited')
    t.strictSame(pauses, [7000])
    await clock.advance(7000)
    at = Number.POSITIVE_INFINITY
    const waiting = failureOf(call())
    listener?.paused(3000)
    const failure = await waiting
    t.strictSame(
      [failure.code, failure.retryAfterSeconds, failure.facts.reason],
      ['upstream_rate_limited', 3, 'the circuit breaker is open'],
    )
    t.strictSame(pauses, [7000], 'it is not told again')
    await clock.advance(3000)
    const next = outcomeOf(call())
    at = 0
    listener?.changed()
    t.equal(await next, 'upstream_rate_limited', 'it was asked')
  },
)
