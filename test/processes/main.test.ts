import { once } from 'node:events'
import { constants, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { platform } from 'node:process'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { freePort } from '../harness/free-port.ts'
import { startProcess } from '../harness/process.ts'
import { hilosToken, startServiceProcess } from '../harness/service-process.ts'

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
  const { ended, lines } = startProcess(t, 'src/main.ts', {
    HILOS_TOKEN: hilosToken,
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
    ADMIN_PORT: '0',
    PORT: String((taken.address() as AddressInfo).port),
  })
  t.equal(await ended, 1)
  t.match(lines().at(-1), { level: 60, msg: 'cannot listen', err: { code: 'EADDRINUSE' } })
})

t.test(
  'the process, when it starts, warns of what is unsafe, and every line it writes is JSON without the token',
  async (t) => {
    const { origin, child, ended, lines, stdout, stderr } = await startServiceProcess(t, { LOG_LEVEL: 'trace' })
    t.equal((await fetch(`${origin}/execution-contacts/${documentIds.completed}`)).status, 200)
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    const messages = lines().map(({ msg }) => String(msg))
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
    t.notMatch(stdout(), hilosToken)
    t.equal(stderr(), '')
  },
)

t.test('the process, when its container has little memory, warns at the start of what may not fit', async (t) => {
  const cramped = 'data:text/javascript,process.constrainedMemory = () => 128 * 1024 ** 2'
  const { child, ended, lines } = await startServiceProcess(t, {}, ['--import', cramped])
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.ok(lines().some(({ level, msg }) => level === 40 && /^CACHE_MAX_BYTES /.test(String(msg))))
})

t.test(
  'the process, when something in it pipes a stream, still waits for whoever reads its log',
  { skip: platform !== 'linux' && 'only Linux shows the flags of a descriptor' },
  async (t) => {
    const { origin, child, ended } = await startServiceProcess(t)
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
  const port = await freePort()
  const { child, ended } = await startServiceProcess(t, { ADMIN_PORT: String(port) })
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
