import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createService } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { freePort } from '../harness/free-port.ts'
import { startLoad, type Target } from '../harness/load.ts'
import { poll, startProcess } from '../harness/process.ts'
import {
  hilosToken,
  originsOf,
  settingsFor,
  slowId,
  startSandbox,
  startServiceProcess,
} from '../harness/service-process.ts'

const path = (id: string) => `/execution-contacts/${id}`
const ids = [documentIds.completed, documentIds.ready, documentIds.deliveryConfirmation, documentIds.live]

const readiness = async (operators: string) => {
  const reply = await fetch(`${operators}/readyz`)
  return { status: reply.status, ...((await reply.json()) as { ready: boolean; state: string }) }
}

t.test('a rolling restart, under the load of 200 connections, fails not one request', async (t) => {
  const { baseUrl } = await startSandbox(t)
  const start = () => startBalanced(t, baseUrl)
  const [first, second] = await Promise.all([start(), start()])
  const options = { connections: 200, paths: ids.map(path), thinkMs: 100, pollMs: 20 }
  const load = await startLoad({ ...options, targets: [first, second] })
  t.teardown(load.stop)
  const answered = ({ origin }: Target) => load.figures().answered.get(origin) ?? 0
  const serves = (target: Target, count: number) => poll(() => answered(target) >= count)

  async function restart(instance: Instance, other: Instance): Promise<void> {
    const before = { ...load.figures(), at: performance.now() }
    instance.child.kill('SIGTERM')
    t.equal(await instance.ended, 0)
    const { requests, connections, failures } = load.figures()
    t.strictSame(failures, [])
    t.match(instance.lines().at(-1), { msg: 'stopped', cut: 0 })
    t.comment(`from SIGTERM to exit: ${Math.round(performance.now() - before.at)} ms`)
    t.comment(
      `requests meanwhile: ${requests - before.requests}; moved: ${connections - before.connections} connections`,
    )
    await serves(other, answered(other) + 500)
  }

  await Promise.all([serves(first, 500), serves(second, 500)])
  await restart(first, second)
  const third = await start()
  load.add(third)
  await poll(async () => (await readiness(third.operators)).ready)
  await restart(second, third)
  await load.stop()
  const { requests, failures } = load.figures()
  t.strictSame(failures, [])
  t.comment(
    `requests: ${requests}, of which ${[first, second, third].map(answered).join(', ')}; failures: ${failures.length}`,
  )
})

type Instance = Awaited<ReturnType<typeof startBalanced>>

/** The service as a process behind a load balancer. */
async function startBalanced(t: Test, baseUrl: string) {
  const running = startProcess(t, 'src/main.ts', {
    ...settingsFor(baseUrl),
    ADMIN_PORT: String(await freePort()),
    HILOS_MAX_RPS: '0',
    CALLER_MAX_RPS: '0',
    DISCLOSURE_LOG_LEVEL: 'silent',
    DRAIN_DELAY_MS: '700',
    SHUTDOWN_TIMEOUT_MS: '20000',
  })
  return { ...running, ...(await originsOf(running)) }
}

t.test('the process, on SIGTERM, is not ready at once, and still takes new work for the delay', async (t) => {
  const service = await startServiceProcess(t, {
    ADMIN_PORT: String(await freePort()),
    DRAIN_DELAY_MS: '700',
    SHUTDOWN_TIMEOUT_MS: '20000',
  })
  t.match(await readiness(service.operators), { status: 200, ready: true, state: 'serving' })
  const inFlight = fetch(service.origin + path(slowId))
  await service.arrived()
  service.child.kill('SIGTERM')
  await poll(async () => (await readiness(service.operators)).status === 503)
  t.match(await readiness(service.operators), { ready: false, state: 'draining' })
  const reply = await fetch(service.origin + path(documentIds.completed))
  t.equal(reply.status, 200)
  t.equal(reply.headers.get('connection'), 'close')
  await poll(() =>
    fetch(service.origin).then(
      () => false,
      () => true,
    ),
  )
  t.match(await readiness(service.operators), { status: 503 }, 'operators are answered to the end')
  service.release()
  t.equal((await inFlight).status, 200)
  t.equal(await service.ended, 0)
  t.match(
    service.lines().filter(({ msg }) => msg === 'stopping'),
    [{ signal: 'SIGTERM', delayMs: 700 }],
  )
})

t.test('the callers’ listener, when its host is localhost, is one server, so that all of it drains', async (t) => {
  const logger = createLogger('silent', { write: () => {} })
  const settings = { ...settingsFor('http://127.0.0.1:1'), HILOS_TOKEN: hilosToken, HOST: 'localhost' }
  const { listen, close, callers } = await createService(loadConfig(settings), logger)
  t.teardown(() => close())
  const listening = t.capture(callers, 'listen', callers.listen)
  t.match(await listen(), { origin: /^http:\/\/127\.0\.0\.1:/, operators: null })
  // Here, localhost may have one address anyway.
  t.match(listening(), [{ args: [{ host: '127.0.0.1' }] }])
})
