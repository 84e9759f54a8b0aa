import { once } from 'node:events'
import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { mock } from 'node:test'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createMemoryBrake, type LoadSheddingOptions, shedLoad } from '../../src/plugins/load-shedding.ts'
import { createClock } from '../harness/clock.ts'
import { type Reply, startService, until } from '../harness/service.ts'
import { createTimers } from '../harness/timers.ts'

const path = `/execution-contacts/${documentIds.ready}`
const origin = 'https://support.example'

/** Stops the event loop for this long. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

t.test('requests are shed while the event loop is late, and probes are not', async (t) => {
  const timers = createTimers()
  const { get, sandbox, service, logLines } = await startService(t, {
    env: { CORS_ORIGINS: origin },
    clock: createClock(undefined, { schedule: timers.schedule }),
    shedding: { sampleMs: 250, maxEventLoopDelayMs: 50 },
  })
  const untilStatus = async (status: number): Promise<Reply> => {
    const reply = await get(path, { origin })
    return reply.status === status ? reply : untilStatus(status)
  }
  await untilStatus(200)
  const asked = sandbox.requests.length
  const busy = setInterval(() => block(100), 1)
  t.teardown(() => clearInterval(busy))
  const reply = await untilStatus(503)
  const preflight = { origin, 'access-control-request-method': 'GET' }
  t.equal((await get(path, preflight, 'OPTIONS')).status, 204, 'a page can still send its preflight')
  t.equal((await get('/nowhere')).json().code, 'overloaded', 'the target is not looked at')
  t.equal((await service.operators?.inject('/livez'))?.statusCode, 200)
  const metrics = await service.operators?.inject('/metrics')
  t.match(metrics?.body, /^hilos_bff_requests_shed_total\{reason="event-loop-delay"\} [1-9]/m)
  clearInterval(busy)
  t.match(reply.json(), { code: 'overloaded', status: 503, retryable: true, retryAfterSeconds: 2, instance: path })
  const { requestId } = reply.json()
  t.match(Object.fromEntries(reply.headers), {
    'retry-after': '2',
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    'x-content-type-options': 'nosniff',
    'access-control-allow-origin': origin,
    'x-request-id': requestId,
  })
  t.equal((await untilStatus(200)).headers.get('access-control-allow-origin'), origin)
  t.equal(sandbox.requests.length, asked)
  await timers.advance(10_000)
  const reason = 'event-loop-delay'
  const lines = logLines().filter((line) => line.requestId === requestId || /shedding/.test(String(line.msg)))
  t.match(lines, [
    { level: 40, reason, msg: 'shedding requests' },
    { level: 40, msg: 'answered', status: 503, err: { code: 'overloaded', reason } },
    { level: 30, reason, msg: 'no longer shedding requests' },
  ])
})

t.test('dropped connections are counted and logged', async (t) => {
  const timers = createTimers()
  const clock = createClock(undefined, { schedule: timers.schedule })
  const { service, origin, logLines } = await startService(t, { clock, limits: { maxConnections: 1 } })
  const { port, hostname } = new URL(origin)
  const open = async () => {
    const socket = connect(Number(port), hostname).resume()
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  const [[accepted], busy] = await Promise.all([once(service.callers.server, 'connection'), open()])
  busy.write('GET')
  await until(() => accepted.bytesRead > 0)
  for (const _ of [1, 2, 3]) await once(await open(), 'close')
  t.match((await service.operators?.inject('/metrics'))?.body, /^hilos_bff_connections_dropped_total 3$/m)
  await timers.advance(10_000)
  const lines = logLines().filter(({ reason }) => reason === 'max-connections')
  t.match(lines, [
    { level: 40, msg: 'dropping connections' },
    { level: 30, msg: 'no longer dropping connections', times: 3 },
  ])
})

/** Replaces intervals, so that a server samples when the test says so. */
function mockIntervals(t: Test): { sample: () => void } {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  return { sample: () => mock.timers.tick(1000) }
}

/** A server that sheds load. By default both limits are off. */
async function start(t: Test, options: Partial<LoadSheddingOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  const shed: string[] = []
  shedLoad(app, {
    ...{ sampleMs: 1000, maxEventLoopDelayMs: 0, memoryLimitBytes: null, memoryShare: 0.8, longestMemoryBurstMs: 1 },
    ...{ quietMs: 1, clock: createClock(), isLogFull: () => false, onShed: (reason) => shed.push(reason), ...options },
  })
  app.get('/', (_request, reply) => reply.send('here'))
  await app.ready()
  /** Why a request is shed; undefined when it is not. */
  const reason = async () => {
    const { statusCode } = await app.inject('/')
    const [reason] = shed.splice(0)
    t.equal(statusCode, reason === undefined ? 200 : 500)
    return reason
  }
  return { app, reason, listen: () => app.listen({ host: '127.0.0.1', port: 0 }) }
}

/** Resolves when a histogram of the event loop delay that starts now has a value. */
async function untilMeasured(): Promise<void> {
  const delays = monitorEventLoopDelay({ resolution: 10 })
  delays.enable()
  await until(() => delays.count > 0)
  delays.disable()
}

t.test('no request is shed before the server listens, and a long start is no event loop delay', async (t) => {
  const { sample } = mockIntervals(t)
  const { reason, listen } = await start(t, { maxEventLoopDelayMs: 100 })
  const unready = await start(t, { maxEventLoopDelayMs: 1, memoryLimitBytes: 1 })
  await untilMeasured()
  block(1000)
  sample()
  t.equal(await unready.reason(), undefined)
  await listen()
  await untilMeasured()
  sample()
  t.equal(await reason(), undefined)
})

t.test('the mean delay of the event loop counts, until the next sample', async (t) => {
  const { sample } = mockIntervals(t)
  const { reason, listen } = await start(t, { maxEventLoopDelayMs: 50 })
  await listen()
  block(300)
  sample()
  t.equal(await reason(), undefined, 'the first sample does not count')
  block(300)
  t.equal(await reason(), undefined, 'until the next sample')
  sample()
  t.equal(await reason(), 'event-loop-delay', 'the event loop had no turn to measure')
  await untilMeasured()
  block(1000)
  await untilMeasured()
  sample()
  t.equal(await reason(), 'event-loop-delay')
  // A busy machine can be late again, but not several times in a row.
  let tries = 0
  do {
    await untilMeasured()
    t.equal(await reason(), 'event-loop-delay')
    sample()
    tries += 1
  } while (await reason())
  t.ok(tries < 5, 'older delays do not count')
})

t.test('each limit can be off, and the event loop is named first', async (t) => {
  const { sample } = mockIntervals(t)
  const rss = process.memoryUsage.rss()
  t.ok(process.memoryUsage().heapUsed < rss * 0.8, 'the resident memory counts, not the heap')
  for (const [options, expected] of [
    [{}, undefined],
    [{ memoryLimitBytes: rss * 4 }, undefined],
    [{ memoryLimitBytes: rss }, 'memory'],
    [{ maxEventLoopDelayMs: 1, memoryLimitBytes: rss }, 'event-loop-delay'],
  ] as const) {
    const { reason, listen } = await start(t, options)
    await listen()
    sample()
    block(50)
    sample()
    t.equal(await reason(), expected)
  }
})

t.test('sampling ends when the server is closed', async (t) => {
  const { sample } = mockIntervals(t)
  let samples = 0
  const elapsed = () => {
    samples += 1
    return 0
  }
  const { app, listen } = await start(t, { memoryLimitBytes: 1, clock: { elapsed } })
  await listen()
  sample()
  t.ok(samples > 0)
  await app.close()
  samples = 0
  sample()
  t.equal(samples, 0)
})

/** Says for each resident set size, in a process that may have 1000 bytes, whether memory is short 5 s at a time. */
function createBrake() {
  const clock = createClock()
  const isShort = createMemoryBrake({ memoryLimitBytes: 1000, memoryShare: 0.9, longestMemoryBurstMs: 5000, clock })
  return (afterMs: number, rssBytes: number) => {
    clock.advance(afterMs)
    return isShort(rssBytes)
  }
}

t.test('memory is short beyond the share of the limit', async (t) => {
  for (const bytes of [0, 900, 901, 1001]) t.equal(createBrake()(0, bytes), bytes > 900, String(bytes))
})

t.test('memory that stays short for the longest burst is what the process needs', async (t) => {
  const after = createBrake()
  t.strictSame([after(0, 920), after(4999, 910), after(1, 920)], [true, true, false])
  // Now it is short beyond half of the rest.
  t.strictSame([after(0, 960), after(0, 961), after(4999, 970), after(1, 970)], [false, true, true, false])
  t.strictSame([after(0, 985), after(0, 986)], [false, true])
})

t.test('memory that was freed is short again beyond the same size, for as long', async (t) => {
  const after = createBrake()
  t.strictSame([after(0, 901), after(4000, 900)], [true, false])
  t.strictSame([after(4000, 901), after(4999, 901), after(1, 901)], [true, true, false])
})

t.test('memory beyond the limit is short once for each growth', async (t) => {
  const after = createBrake()
  t.strictSame([after(0, 2000), after(5000, 2000), after(0, 2000), after(0, 2001)], [true, false, false, true])
})

t.test('requests are shed from the moment when the log is full until it has room again', async (t) => {
  let isLogFull = true
  const { reason } = await start(t, { isLogFull: () => isLogFull })
  t.equal(await reason(), 'log')
  isLogFull = false
  t.equal(await reason(), undefined)
})
