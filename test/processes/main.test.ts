import { chmodSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { platform } from 'node:process'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { freePort, takenPort } from '../harness/free-port.ts'
import { preload, startProcess } from '../harness/process.ts'
import { hilosToken, settingsFor, startServiceProcess } from '../harness/service-process.ts'

t.test('without settings the process says which ones it needs, and the exit status is 1', async (t) => {
  const { ended, stdout, stderr } = startProcess(t, 'src/main.ts', {}, { isCovered: true })
  t.strictSame([await ended, stdout()], [1, ''])
  t.match(
    stderr(),
    /^hilos-bff cannot start, 2 problems in its settings:\n {2}HILOS_TOKEN: .*\n {2}DANGEROUSLY_ALLOW_ANONYMOUS: .*\n$/,
  )
})

t.test('keygen writes what it made to standard output, and why it made nothing to standard error', async (t) => {
  const folder = join(t.testdir(), 'secrets')
  const keygen = async (token: string) => {
    const args = ['keygen', 'web', '--secrets', folder]
    const { child, ended, stdout, stderr } = startProcess(t, 'src/main.ts', {}, { args, isCovered: true })
    child.stdin?.end(token)
    return [await ended, stdout(), stderr()] as const
  }
  const refused = await keygen('two words')
  t.strictSame(refused.slice(0, 2), [1, ''])
  t.match(refused[2], /^A Hilos token has /)
  const done = await keygen('a-token\n')
  t.strictSame([done[0], done[2]], [0, ''])
  t.match(done[1], /^New in .*\n\nhbff_\S+\n$/s)
  t.equal(readFileSync(join(folder, 'hilos-token'), 'utf8'), 'a-token\n')
})

t.test('signals are handled before the start begins, so that one during the start ends it in good order', async (t) => {
  const script = `import http from 'node:http'
    import { syncBuiltinESMExports } from 'node:module'
    const { createServer } = http
    http.createServer = (...args) => (process.stderr.write('server '), createServer(...args))
    syncBuiltinESMExports()
    process.on('newListener', (event) => event === 'SIGTERM' && process.stderr.write('handler '))`
  const nodeOptions = preload(script)
  const { child, ended, says, stderr } = startProcess(t, 'src/main.ts', settingsFor('http://127.0.0.1:1'), {
    nodeOptions,
  })
  await says(/"msg":"serving"/)
  child.kill('SIGTERM')
  t.strictSame([await ended, stderr()], [0, 'handler handler server '], 'before the modules load, and before the start')
})

t.test('a signal while the modules load ends the process with 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const script = `process.on('newListener', (event) => {
      if (event === '${signal}') queueMicrotask(() => process.emit(event, event))
    })`
    const options = { nodeOptions: preload(script), isCovered: true }
    const { ended, stdout, stderr } = startProcess(t, 'src/main.ts', settingsFor('http://127.0.0.1:1'), options)
    t.strictSame([await ended, stdout(), stderr()], [0, '', ''])
  }
})

t.test('when the port is in use the process logs that, and the exit status is 1', async (t) => {
  const settings = { ...settingsFor('http://127.0.0.1:1'), PORT: await takenPort(t) }
  const { ended, lines } = startProcess(t, 'src/main.ts', settings, { isCovered: true })
  t.equal(await ended, 1)
  t.match(lines().at(-1), { level: 60, msg: 'cannot listen', err: { code: 'EADDRINUSE' } })
})

t.test(
  'the process warns about unsafe settings, serves both listeners, and logs only JSON without the token',
  async (t) => {
    const callersFile = join(t.testdir({ callers: '{"callers":[]}' }), 'callers')
    chmodSync(callersFile, 0o640)
    const { origin, operators, child, ended, lines, stdout, stderr } = await startServiceProcess(
      t,
      { LOG_LEVEL: 'trace', ADMIN_PORT: String(await freePort()), CALLERS_FILE: callersFile },
      { isCovered: true, nodeOptions: preload('process.constrainedMemory = () => 128 * 1024 ** 2') },
    )
    t.equal((await fetch(`${origin}/execution-contacts/${documentIds.completed}`)).status, 200)
    t.equal((await fetch(`${operators}/livez`)).status, 200)
    t.ok((await (await fetch(`${origin}/docs/static/swagger-ui.css`)).text()).length > 1000)
    if (platform === 'linux') t.ok(isNonBlocking(child.pid), 'standard output does not block')
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    const messages = lines().map(({ level, msg }) => `${level} ${msg}`)
    for (const wanted of [
      ...[/^40 DANGEROUSLY_ALLOW_ANONYMOUS: /, /^40 HILOS_BASE_URL is plain http/, /^40 CACHE_MAX_BYTES /],
      /^40 CALLERS_FILE: Group or others can read this file \(mode 0640\)/,
      ...[/^30 answered$/, /^30 stopping$/, /^30 stopped$/],
    ])
      t.ok(
        messages.some((message) => wanted.test(message)),
        String(wanted),
      )
    t.notMatch(stdout(), hilosToken)
    t.equal(stderr(), '')
  },
)

/** Whether standard output of the process is non-blocking. Only Linux shows the flags of a descriptor. */
function isNonBlocking(pid: number | undefined): boolean {
  const [, flags = ''] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/1`, 'utf8')) ?? []
  return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0
}
