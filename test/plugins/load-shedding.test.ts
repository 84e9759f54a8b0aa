import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { shedLoad } from '../../src/plugins/load-shedding.ts'
import { type Reply, type RunningService, startService, until } from '../harness/service.ts'
import { settled } from '../harness/timers.ts'

const path = `/execution-contacts/${documentIds.ready}`
const origin = 'https://support.example'

/** Asks until the answer has this status. */
async function untilStatus({ get }: RunningService, status: number): Promise<Reply> {
  for (;;) {
    const reply = await get(path, { origin })
    if (reply.status === status) return reply
  }
}

/** Holds the event loop for this long. */
function block(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {}
}

/** Makes every turn of the event loop take this long. @returns how to stop it */
function keepBusy(ms: number): () => void {
  let next = setImmediate(turn)
  function turn() {
    block(ms)
    next = setImmediate(turn)
  }
  return () => clearImmediate(next)
}

/** What a refusal has to be, whatever the reason. */
function checkRefusal(t: Test, running: RunningService, reply: Reply, reason: string): void {
  t.match(reply.json(), { code: 'overloaded', status: 503, retryable: true, retryAfterSeconds: 2, instance: path })
  t.match(Object.fromEntries(reply.headers), {
    'retry-after': '2',
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    'x-content-type-options': 'nosniff',
    'access-control-allow-origin': origin,
    'x-request-id': reply.json().requestId,
  })
  const line = running.logLines().find(({ requestId }) => requestId === reply.json().requestId)
  t.match(line, { level: 40, msg: 'answered', status: 503, err: { code: 'overloaded', reason } })
}

const linesAbout = (running: RunningService) =>
  running.logLines().filter(({ msg }) => /^requests are (shed|taken again)$/.test(String(msg)))

t.test(
  'requests, while the event loop lags, are turned away at the door, probes are not, and all is well when it is over',
  async (t) => {
    const running = await startService(t, {
      env: { CORS_ORIGINS: origin },
      shedding: { sampleMs: 250, maxEventLoopDelayMs: 50, quietMs: 500 },
    })
    await untilStatus(running, 200)
    const asked = running.sandbox.requests.length
    const stop = keepBusy(100)
    t.teardown(stop)
    const refused = await untilStatus(running, 503)
    const preflight = { origin, 'access-control-request-method': 'GET' }
    t.equal((await running.get(path, preflight, 'OPTIONS')).status, 204, 'pages may still ask whether they may ask')
    t.equal((await running.get('/nowhere')).json().code, 'overloaded', 'nothing is looked at')
    t.equal((await running.service.operators?.inject('/livez'))?.statusCode, 200)
    const metrics = await running.service.operators?.inject('/metrics')
    t.match(metrics?.body, /^hilos_bff_requests_shed_total\{reason="event-loop-delay"\} [1-9]/m)
    stop()
    checkRefusal(t, running, refused, 'event-loop-delay')
    t.equal((await untilStatus(running, 200)).headers.get('access-control-allow-origin'), origin)
    t.equal(running.sandbox.requests.length, asked)
    while (linesAbout(running).length < 2) await running.get(path)
    t.match(linesAbout(running).slice(0, 2), [
      { level: 40, reason: 'event-loop-delay', msg: 'requests are shed' },
      { level: 30, reason: 'event-loop-delay', msg: 'requests are taken again' },
    ])
  },
)

t.test('requests, while memory is short, are turned away for as long as may be, and then no longer', async (t) => {
  const running = await startService(t, {
    env: { CORS_ORIGINS: origin },
    // What it has already is more than it may have, and it may well grow.
    shedding: { sampleMs: 50, maxEventLoopDelayMs: 0, memoryLimitBytes: 1, longestMemorySpellMs: 60_000 },
  })
  checkRefusal(t, running, await untilStatus(running, 503), 'memory')
  t.equal((await running.service.operators?.inject('/livez'))?.statusCode, 200)
  running.clock.advance(60_000)
  t.match((await untilStatus(running, 200)).json(), { id: documentIds.ready })
})

t.test('requests, while there is memory enough, are answered', async (t) => {
  const running = await startService(t, {
    shedding: { sampleMs: 50, maxEventLoopDelayMs: 0, memoryLimitBytes: process.memoryUsage.rss() * 2 },
  })
  const statuses = new Set<number>()
  const startedMs = performance.now()
  while (performance.now() - startedMs < 200) statuses.add((await running.get(path)).status)
  t.strictSame([...statuses], [200])
  t.strictSame(linesAbout(running), [])
})

t.test('requests, when the start took long, are not turned away for it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await shedLoad(app, {
    ...{ sampleMs: 1000, maxEventLoopDelayMs: 250, elapsed: () => 0 },
    ...{ memoryLimitBytes: null, memoryShare: 0.9, longestMemorySpellMs: 0, onShed: () => t.fail('shed') },
  })
  app.get('/', (_request, reply) => reply.send('here'))
  await app.ready()
  block(1100)
  await until(() => app.isUnderPressure())
  const { status } = await fetch(await app.listen({ host: '127.0.0.1', port: 0 }))
  t.equal(status, 200)
})

t.test('requests, when memory is short before anybody listens, are turned away all the same', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const shed: string[] = []
  const memoryLimitBytes = process.memoryUsage.rss()
  await shedLoad(app, {
    ...{ sampleMs: 20, maxEventLoopDelayMs: 0, elapsed: () => 0, onShed: (reason) => shed.push(reason) },
    ...{ memoryLimitBytes, memoryShare: 0.8, longestMemorySpellMs: 1 },
  })
  app.get('/', (_request, reply) => reply.send('here'))
  // The first look is a moment away, and comes only when the event loop turns.
  while (shed.length === 0) {
    await app.inject('/')
    await settled()
  }
  t.strictSame(shed, ['memory'])
  t.ok(app.memoryUsage().heapUsed < memoryLimitBytes * 0.8, 'by what the process holds, not by its heap')
})

t.test('connections, while they are dropped because there are too many, are told of at both ends', async (t) => {
  const { service, origin, logLines } = await startService(t, { shedding: { quietMs: 500 } })
  service.callers.server.maxConnections = 1
  const { port, hostname } = new URL(origin)
  const open = async () => {
    const socket = connect(Number(port), hostname).resume()
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  await open()
  for (const _ of [1, 2, 3]) await once(await open(), 'close')
  t.match((await service.operators?.inject('/metrics'))?.body, /^hilos_bff_connections_dropped_total 3$/m)
  const told = () => logLines().filter(({ reason }) => reason === 'max-connections')
  await until(() => told().length >= 2)
  t.match(told().slice(0, 2), [
    { level: 40, msg: 'connections are dropped' },
    { level: 30, msg: 'connections are taken again', times: Number },
  ])
})
