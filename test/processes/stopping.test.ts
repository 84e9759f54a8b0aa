import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { poll, preload, startProcess } from '../harness/process.ts'
import {
  type ServiceProcess,
  settingsFor,
  slowId,
  startSandbox,
  startServiceProcess,
} from '../harness/service-process.ts'

const path = (id: string) => `/execution-contacts/${id}`
const longDelay = { DRAIN_DELAY_MS: '300000', SHUTDOWN_TIMEOUT_MS: '600000' }

/** A connection to the callers' listener that has sent this text. */
async function connection({ origin }: ServiceProcess, sent = '') {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {}).resume()
  await once(socket, 'connect')
  socket.write(sent)
  return socket
}

/** Requests the slow contact. `completed` releases it and checks the response and the exit status. */
async function requestInFlight(t: Test, { origin, sandbox, arrived, release, ended }: ServiceProcess) {
  const response = fetch(origin + path(slowId))
  await arrived(sandbox.requests.length + 1)
  return {
    completed: async (exitStatus: number) => {
      release()
      const reply = await response
      t.equal(reply.status, 200)
      t.match(await reply.json(), { id: slowId })
      t.equal(await ended, exitStatus)
    },
  }
}

t.test('SIGTERM completes a request in flight and abandons a refresh, a second SIGTERM has no effect', async (t) => {
  // Any input moves the clock by ten seconds, after which the entry is stale.
  const clock = preload(`const { now } = Date
    let passedMs = 0
    Date.now = () => now() + passedMs
    process.stdin.once('data', () => { passedMs = 10_000 })`)
  const service = await startServiceProcess(t, { SHUTDOWN_TIMEOUT_MS: '600000' }, { nodeOptions: clock })
  const [neverUsed, url] = [await connection(service), service.origin + path(documentIds.ready)]
  await (await fetch(url)).text()
  service.sandbox.faults.set(documentIds.ready, 'hang')
  service.child.stdin?.end('later')
  await poll(async () => /detail=revalidating/.test((await fetch(url)).headers.get('cache-status') ?? ''))
  await service.arrived(2)
  const { completed } = await requestInFlight(t, service)
  service.child.kill('SIGTERM')
  await service.says(/"msg":"stopping"/)
  service.child.kill('SIGTERM')
  await completed(0)
  t.equal(service.lines().filter(({ msg }) => msg === 'stopping').length, 1)
  t.match(service.lines().at(-1), { msg: 'stopped', cut: 0 })
  neverUsed.destroy()
})

t.test('SIGINT closes idle and unused connections without the delay, and completes a request in flight', async (t) => {
  const service = await startServiceProcess(t, longDelay)
  const unused = await connection(service)
  const idle = await connection(service, `GET ${path(documentIds.completed)} HTTP/1.1\r\nhost: a\r\n\r\n`)
  await once(idle, 'data')
  const { completed } = await requestInFlight(t, service)
  service.child.kill('SIGINT')
  await poll(() => unused.closed && idle.closed)
  service.child.kill('SIGINT')
  await completed(0)
})

t.test('at the timeout requests in flight are cut and counted, and the exit status is 1', async (t) => {
  const service = await startServiceProcess(t, { SHUTDOWN_TIMEOUT_MS: '400', DRAIN_DELAY_MS: '100' })
  const hanging = [documentIds.completed, documentIds.ready, documentIds.live]
  for (const id of hanging) service.sandbox.faults.set(id, 'hang')
  const inFlight = hanging.map((id) => fetch(service.origin + path(id)))
  await service.arrived(hanging.length)
  service.child.kill('SIGTERM')
  await Promise.all(inFlight.map((each) => t.rejects(each)))
  t.equal(await service.ended, 1)
  t.match(service.lines().at(-1), { level: 50, msg: 'stopped', cut: hanging.length })
})

t.test('SIGTERM before the process serves ends it with 0, and it never serves', async (t) => {
  const { baseUrl } = await startSandbox(t)
  // The service is being created when the last handler is added.
  const onLastHandler = `process.on('newListener', (event) => {
    if (event === 'unhandledRejection') queueMicrotask(() => process.emit('SIGTERM', 'SIGTERM'))
  })`
  const { ended, lines } = startProcess(
    t,
    'src/main.ts',
    { ...settingsFor(baseUrl), ...longDelay },
    { nodeOptions: preload(onLastHandler), isCovered: true },
  )
  t.equal(await ended, 0)
  const messages = lines().map(({ msg }) => msg)
  t.strictSame(messages.slice(-2), ['stopping', 'stopped'])
  t.notOk(messages.includes('serving'))
})

t.test('uncaught errors end the delay and complete a request in flight, and the exit status is 1', async (t) => {
  const failing = preload(`process.stdin.on('data', (text) => setImmediate(() => { throw new Error(text) })).unref()`)
  const service = await startServiceProcess(t, longDelay, { nodeOptions: failing })
  const { completed } = await requestInFlight(t, service)
  service.child.kill('SIGTERM')
  await service.says(/"msg":"stopping"/)
  service.child.stdin?.write('1')
  await service.says(/"msg":"stopping after an uncaught error"/)
  service.child.stdin?.end('2')
  await service.says(/"msg":"another uncaught error"/)
  await completed(1)
  t.equal(service.lines().filter(({ level }) => level === 60).length, 1)
})
