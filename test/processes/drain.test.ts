import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { openEvents } from '../harness/event-source.ts'
import { freePort } from '../harness/free-port.ts'
import { startLoad, type Target } from '../harness/load.ts'
import { poll, preload, startProcess } from '../harness/process.ts'
import { originsOf, settingsFor, slowId, startSandbox } from '../harness/service-process.ts'

const path = (id: string) => `/execution-contacts/${id}`
const ids = [documentIds.completed, documentIds.ready, documentIds.deliveryConfirmation, documentIds.live]
const delayMs = 300_000

/** Input ends the delay. However busy the machine is, the event loop counts as punctual, so no request is shed. */
const controlled = preload(`import { syncBuiltinESMExports } from 'node:module'
  import hooks from 'node:perf_hooks'
  const { setTimeout } = globalThis
  globalThis.setTimeout = (run, ms, ...rest) => {
    if (ms === ${delayMs}) process.stdin.once('data', run)
    return setTimeout(run, ms, ...rest)
  }
  const { monitorEventLoopDelay } = hooks
  hooks.monitorEventLoopDelay = (options) => Object.defineProperty(monitorEventLoopDelay(options), 'mean', { value: 0 })
  syncBuiltinESMExports()`)

/** Starts the service as a replica of a load-balanced deployment. */
async function startReplica(t: Test, baseUrl: string, more: Readonly<Record<string, string>> = {}) {
  const settings = {
    ...settingsFor(baseUrl),
    ADMIN_PORT: String(await freePort()),
    HILOS_MAX_RPS: '0',
    CALLER_MAX_RPS: '0',
    DISCLOSURE_LOG_LEVEL: 'silent',
    DRAIN_DELAY_MS: String(delayMs),
    SHUTDOWN_TIMEOUT_MS: '600000',
    ...more,
  }
  const running = startProcess(t, 'src/main.ts', settings, { nodeOptions: controlled })
  const origins = await originsOf(running)
  const readiness = async () => {
    const reply = await fetch(`${origins.operators}/readyz`)
    return { status: reply.status, ...((await reply.json()) as { ready: boolean; state: string }) }
  }
  return { ...running, ...origins, readiness, endDelay: () => running.child.stdin?.end('over') }
}

t.test('no request fails in a rolling restart under the load of 200 connections', async (t) => {
  const { baseUrl } = await startSandbox(t)
  const start = () => startReplica(t, baseUrl)
  const [first, second, third] = await Promise.all([start(), start(), start()])
  const options = { connections: 200, paths: ids.map(path), thinkMs: 500, pollMs: 20 }
  const load = await startLoad({ ...options, targets: [first, second] })
  t.teardown(load.stop)
  const answered = ({ origin }: Target) => load.figures().answered.get(origin) ?? 0
  const untilServes = (target: Target) => poll(() => answered(target) >= 200)

  await Promise.all([untilServes(first), untilServes(second)])
  load.add(third)
  for (const replica of [first, second]) {
    replica.child.kill('SIGTERM')
    await poll(() => !load.isUsing(replica))
    replica.endDelay()
    t.equal(await replica.ended, 0)
    t.match(replica.lines().at(-1), { msg: 'stopped', cut: 0 })
  }
  await untilServes(third)
  await load.stop()
  t.strictSame(load.figures().failures, [])
})

t.test('from SIGTERM on, a replica is not ready, and accepts requests until the delay is over', async (t) => {
  const { sandbox, baseUrl, release } = await startSandbox(t)
  const { origin, child, ended, lines, says, readiness, endDelay } = await startReplica(t, baseUrl)
  t.match(await readiness(), { status: 200, ready: true, state: 'serving' })
  const inFlight = fetch(origin + path(slowId))
  await poll(() => sandbox.requests.length > 0)
  child.kill('SIGTERM')
  await says(/"msg":"stopping"/)
  t.match(await readiness(), { status: 503, ready: false, state: 'draining' })
  const reply = await fetch(origin + path(documentIds.completed))
  t.equal(reply.status, 200)
  t.equal(reply.headers.get('connection'), 'close')
  endDelay()
  const isRefused = () =>
    fetch(origin).then(
      () => false,
      () => true,
    )
  await poll(isRefused)
  t.match(await readiness(), { status: 503 }, 'operators get responses to the end')
  release()
  t.equal((await inFlight).status, 200)
  t.equal(await ended, 0)
  const stopping = lines().filter(({ msg }) => msg === 'stopping')
  t.match(stopping, [{ signal: 'SIGTERM', delayMs }])
})

t.test(
  'at the end of the delay each stream ends and is told when to come back, and none makes the stop last',
  async (t) => {
    const { baseUrl } = await startSandbox(t)
    const { origin, child, ended, lines, says, readiness, endDelay } = await startReplica(t, baseUrl, {
      CALLER_MAX_STREAMS: '1000',
    })
    const events = `${origin}${path(documentIds.deliveryConfirmation)}/events`
    const sources = await Promise.all(Array.from({ length: 200 }, () => openEvents(events)))
    for (const source of sources) await source.nth('state', 1)
    const stalled = sources[0]?.response.pause()
    child.kill('SIGTERM')
    await says(/"msg":"stopping"/)
    t.match(await readiness(), { status: 503 })
    const late = await openEvents(events)
    await late.nth('state', 1)
    t.notOk(
      sources.some((source) => source.isOver()),
      'streams go on during the delay, and new ones are accepted',
    )
    endDelay()
    t.equal(await ended, 0)
    stalled?.resume()
    const waits = []
    for (const source of [...sources, late]) {
      await source.over()
      t.equal(source.events.at(-1)?.event, 'state')
      waits.push(source.retries.at(-1) ?? 0)
    }
    t.ok(waits.every((ms) => ms >= 1000 && ms <= 5000))
    t.ok(new Set(waits).size > 100, 'at random')
    t.match(lines().at(-1), { msg: 'stopped', cut: 0 })
    const reasons = lines().filter(({ msg }) => msg === 'stream ended')
    t.equal(reasons.length, 201)
    t.ok(reasons.every(({ reason }) => reason === 'shutdown'))
  },
)
