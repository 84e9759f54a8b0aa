import { once } from 'node:events'
import { constants, readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { platform } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import { executionContact } from '../sandbox/parts.ts'
import { startProcess } from './harness/process.ts'

const token = 'token-canary'
const slowId = '00000000-0000-4000-8000-0000000051ee'

/** The service as a process of its own, in front of a sandbox whose slow document waits for `release`. */
async function start(t: Test, settings: Record<string, string> = {}, nodeOptions: readonly string[] = []) {
  const sandbox = createSandbox({ token })
  const gate = Promise.withResolvers<void>()
  sandbox.documents.set(slowId, async () => {
    await gate.promise
    return executionContact(slowId)
  })
  const running = startProcess(
    t,
    'src/main.ts',
    {
      HILOS_TOKEN: token,
      HILOS_BASE_URL: await sandbox.listen(),
      DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
      PORT: '0',
      ADMIN_PORT: '0',
      ...settings,
    },
    nodeOptions,
  )
  t.teardown(sandbox.close)
  const [, origin = ''] = await running.says(/"origin":"(.*?)","msg":"serving"/)
  const arrived = async () => {
    while (sandbox.requests.length === 0) await setTimeout(5)
  }
  return { ...running, origin, arrived, release: gate.resolve }
}

function linesOf(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

t.test('the process, when started without settings, says what it needs and ends with 1', async (t) => {
  const { ended, stdout, stderr } = startProcess(t, 'src/main.ts', {})
  t.equal(await ended, 1)
  t.equal(stdout(), '')
  t.match(
    stderr(),
    /^hilos-bff cannot start, 2 problems in its settings:\n {2}HILOS_TOKEN: .*\n {2}DANGEROUSLY_ALLOW_ANONYMOUS: .*\n$/,
  )
})

t.test('the process, when the port is taken, says so and ends with 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { ended, stdout } = startProcess(t, 'src/main.ts', {
    HILOS_TOKEN: token,
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    ADMIN_PORT: '0',
    PORT: String((taken.address() as AddressInfo).port),
  })
  t.equal(await ended, 1)
  t.match(linesOf(stdout()).at(-1), { level: 60, msg: 'cannot listen', err: { code: 'EADDRINUSE' } })
})

t.test(
  'the process, when it starts, warns of what is unsafe, and every line it writes is JSON without the token',
  async (t) => {
    const { origin, child, ended, stdout, stderr } = await start(t, { LOG_LEVEL: 'trace' })
    t.equal((await fetch(`${origin}/execution-contacts/${documentIds.completed}`)).status, 200)
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    const messages = linesOf(stdout()).map(({ msg }) => String(msg))
    for (const expected of [
      /^DANGEROUSLY_ALLOW_ANONYMOUS: /,
      /^HILOS_BASE_URL is plain http/,
      /^answered$/,
      /^stopping$/,
      /^stopped$/,
    ])
      t.ok(
        messages.some((message) => expected.test(message)),
        String(expected),
      )
    t.notMatch(stdout(), token)
    t.equal(stderr(), '')
  },
)

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  t.test(
    `the process, on ${signal} twice with a request in flight, answers it, lets idle connections go and ends with 0`,
    async (t) => {
      const { origin, child, ended, says, stdout, arrived, release } = await start(t)
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
      t.equal(linesOf(stdout()).filter(({ msg }) => msg === 'stopping').length, 1)
      neverUsed.destroy()
    },
  )

t.test(
  'the process, on SIGTERM, takes no new connection, answers once on one it has, and then closes it',
  async (t) => {
    const { origin, child, ended, arrived, release } = await start(t)
    const { hostname, port } = new URL(origin)
    const late = connect(Number(port), hostname).setEncoding('utf8')
    await once(late, 'connect')
    const inFlight = fetch(`${origin}/execution-contacts/${slowId}`)
    await arrived()
    child.kill('SIGTERM')
    while (await connects(Number(port), hostname)) await setTimeout(5)
    let heard = ''
    late.on('data', (chunk) => {
      heard += chunk
    })
    late.write('GET /problems/invalid_id HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(late, 'close')
    t.match(heard, /^HTTP\/1\.1 200 OK\r\n/)
    t.match(heard, /\r\nconnection: close\r\n/i)
    release()
    t.equal((await inFlight).status, 200)
    t.equal(await ended, 0)
  },
)

/** Whether anybody listens there. */
function connects(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

t.test('the process, on SIGTERM while Hilos hangs, cuts off at the limit and ends with 1', async (t) => {
  const { origin, child, ended, arrived } = await start(t, { SHUTDOWN_TIMEOUT_MS: '100' })
  const inFlight = fetch(`${origin}/execution-contacts/${slowId}`)
  await arrived()
  child.kill('SIGTERM')
  await t.rejects(inFlight)
  t.equal(await ended, 1)
})

t.test(
  'the process, when an error is caught by nobody, logs it without its text, drains and ends with 1',
  async (t) => {
    const throwOnInput = "process.stdin.once('data', (text) => { throw new Error(text) })"
    const { origin, child, ended, stdout, stderr } = await start(t, {}, [
      '--import',
      `data:text/javascript,${throwOnInput}`,
    ])
    t.equal((await fetch(`${origin}/problems/invalid_id`)).status, 200)
    child.stdin?.end('error-canary')
    t.equal(await ended, 1)
    const lines = linesOf(stdout())
    t.match(
      lines.filter(({ level }) => level === 60),
      [{ msg: 'stopping after an error nobody caught', err: { type: 'Error' } }],
    )
    t.match(lines.at(-1), { level: 30, msg: 'stopped' })
    t.notMatch(`${stdout()}${stderr()}`, 'error-canary')
  },
)

t.test(
  'the process, when something in it pipes a stream, still waits for whoever reads its log',
  { skip: platform !== 'linux' && 'only Linux shows the flags of a descriptor' },
  async (t) => {
    const { origin, child, ended } = await start(t)
    const isNonBlocking = () => {
      const [, flags = ''] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/fdinfo/1`, 'utf8')) ?? []
      return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0
    }
    // A file of the page is sent by a pipe, and Node then looks at process.stdout.
    t.equal((await (await fetch(`${origin}/docs/static/swagger-ui.css`)).text()).length > 1000, true)
    t.equal(isNonBlocking(), false)
    child.kill('SIGTERM')
    t.equal(await ended, 0)
  },
)

t.test('the process, when the operators’ listener is on, answers there whether it lives', async (t) => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const { child, ended } = await start(t, { ADMIN_PORT: String(port) })
  t.equal((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200)
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

t.test('the demo, when started, invites to things that work, and Ctrl-C stops it', async (t) => {
  const { child, ended, says, stdout } = startProcess(t, 'sandbox/demo.ts', { PORT: '0', ADMIN_PORT: '0' })
  await says(/Ctrl-C stops both/)
  const commands = [...stdout().matchAll(/curl -\w+ '?(http:\S+?)'?\n/g)].map(([, url]) => url ?? '')
  const statuses = await Promise.all(commands.map(async (url) => (await fetch(url)).status))
  t.strictSame(statuses, [200, 200, 404, 503])
  const [, weather = '', watched = ''] =
    /curl -X PUT (\S+\/away);.* curl -sI (\S+) \| grep cache-status/.exec(stdout()) ?? []
  t.equal((await fetch(weather, { method: 'PUT' })).status, 204)
  t.equal(await (await fetch(new URL('/weather', weather))).text(), 'away')
  t.match((await fetch(watched, { method: 'HEAD' })).headers.get('cache-status'), /^hilos-bff; hit/)
  child.kill('SIGINT')
  t.equal(await ended, 0)
})

t.test('the demo, when its port is taken, says what to do and ends with 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { ended, stderr } = startProcess(t, 'sandbox/demo.ts', { PORT: String(port), ADMIN_PORT: '0' })
  t.equal(await ended, 1)
  t.match(stderr(), /The demo cannot listen on port .*EADDRINUSE.*PORT=3100/)
})
