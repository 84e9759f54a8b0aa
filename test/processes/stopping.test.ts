import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { poll, type RunningProcess, startProcess } from '../harness/process.ts'
import { settingsFor, slowId, startSandbox, startServiceProcess } from '../harness/service-process.ts'

const path = (id: string) => `/execution-contacts/${id}`
const messages = ({ lines }: Pick<RunningProcess, 'lines'>) => lines().map(({ msg }) => msg)
/** A raw connection to the callers' listener, and whether it has been closed from there. */
async function connection(origin: string): Promise<{ socket: Socket; isClosed: () => boolean }> {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {}).resume()
  await once(socket, 'connect')
  return { socket, isClosed: () => socket.closed }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  t.test(
    `the process, on ${signal} twice with a request in flight, answers it, lets idle connections go and ends with 0`,
    async (t) => {
      const { origin, child, ended, says, lines, arrived, release } = await startServiceProcess(t)
      const { hostname, port } = new URL(origin)
      const neverUsed = connect(Number(port), hostname)
      await once(neverUsed, 'connect')
      await (await fetch(`${origin}/problems/invalid_id`)).text()
      const inFlight = fetch(`${origin}/execution-contacts/${slowId}`)
      await arrived()
      child.kill(signal)
      await says(/"msg":"stopping"/)
      child.kill(signal)
      release()
      const reply = await inFlight
      t.equal(reply.status, 200)
      t.match(await reply.json(), { id: slowId })
      t.equal(await ended, 0)
      t.equal(lines().filter(({ msg }) => msg === 'stopping').length, 1)
      neverUsed.destroy()
    },
  )

t.test('the process, on SIGINT, closes idle and unused connections at once, whatever the delay', async (t) => {
  const service = await startServiceProcess(t, { DRAIN_DELAY_MS: '300000', SHUTDOWN_TIMEOUT_MS: '600000' })
  const [unused, idle] = [await connection(service.origin), await connection(service.origin)]
  idle.socket.write(`GET ${path(documentIds.completed)} HTTP/1.1\r\nhost: a\r\n\r\n`)
  await once(idle.socket, 'data')
  service.child.kill('SIGINT')
  t.equal(await service.ended, 0)
  await poll(() => unused.isClosed() && idle.isClosed())
})

t.test('the process, on SIGTERM while Hilos hangs, ends with 1 at the limit and says how many it cut', async (t) => {
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

t.test('the process, on SIGTERM while a refresh behind hangs at Hilos, lets it go', async (t) => {
  // Fresh for about half a second, and then stale for three.
  const service = await startServiceProcess(t, { CACHE_LIFETIME_SCALE: '0.1', SHUTDOWN_TIMEOUT_MS: '600000' })
  const url = service.origin + path(documentIds.ready)
  await fetch(url)
  service.sandbox.faults.set(documentIds.ready, 'hang')
  await poll(async () => /detail=revalidating/.test((await fetch(url)).headers.get('cache-status') ?? ''))
  await service.arrived(2)
  service.child.kill('SIGTERM')
  t.equal(await service.ended, 0)
  t.match(service.lines().at(-1), { msg: 'stopped', cut: 0 })
})

/** Runs in the process before the service does: a script for when the last of its handlers is there. */
const onceHandled = (script: string) => [
  '--import',
  `data:text/javascript,${encodeURIComponent(`process.on('newListener', (event) => { if (event === 'unhandledRejection') { ${script} } })`)}`,
]

t.test('the process, on SIGTERM while it starts, ends with 0 and never serves', async (t) => {
  const { baseUrl } = await startSandbox(t)
  const settings = { ...settingsFor(baseUrl), DRAIN_DELAY_MS: '300000', SHUTDOWN_TIMEOUT_MS: '600000' }
  const running = startProcess(
    t,
    'src/main.ts',
    settings,
    onceHandled(`queueMicrotask(() => process.emit('SIGTERM', 'SIGTERM'))`),
  )
  t.equal(await running.ended, 0)
  t.strictSame(messages(running).slice(-2), ['stopping', 'stopped'])
  t.notOk(messages(running).includes('serving'))
})

t.test(
  'the process, on an unhandled rejection, answers what is in flight, whatever the delay, and ends with 1',
  async (t) => {
    const service = await startServiceProcess(
      t,
      { DRAIN_DELAY_MS: '300000', SHUTDOWN_TIMEOUT_MS: '600000' },
      failOnInput('void Promise.reject(error)'),
    )
    const inFlight = fetch(service.origin + path(slowId))
    await service.arrived()
    service.child.stdin?.end('error-canary')
    await service.says(/an error nobody caught/)
    service.release()
    t.equal((await inFlight).status, 200)
    t.equal(await service.ended, 1)
    t.strictSame(
      messages(service).filter((msg) => /error|stopp/.test(String(msg))),
      ['stopping after an error nobody caught', 'stopped'],
    )
    t.notMatch(service.stdout() + service.stderr(), 'error-canary')
  },
)

t.test(
  'the process, on an uncaught exception during the delay, ends the delay and answers what is in flight',
  async (t) => {
    const service = await startServiceProcess(
      t,
      { DRAIN_DELAY_MS: '300000', SHUTDOWN_TIMEOUT_MS: '600000' },
      failOnInput('throw error'),
    )
    const inFlight = fetch(service.origin + path(slowId))
    await service.arrived()
    service.child.kill('SIGTERM')
    await service.says(/"msg":"stopping"/)
    service.child.stdin?.write('1')
    await service.says(/"msg":"stopping after an error nobody caught"/)
    service.child.stdin?.end('2')
    await service.says(/"msg":"another error nobody caught"/)
    service.release()
    t.equal((await inFlight).status, 200)
    t.equal(await service.ended, 1)
    t.equal(service.lines().filter(({ level }) => level === 60).length, 1)
  },
)

/** Runs in the process before the service, which fails with whatever it reads. */
function failOnInput(fail: string): readonly string[] {
  const script = `process.stdin.on('data', (text) => setImmediate(() => { const error = new Error(text); ${fail} })).unref()`
  return ['--import', `data:text/javascript,${encodeURIComponent(script)}`]
}
