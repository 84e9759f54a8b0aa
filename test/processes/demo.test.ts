import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process, { execPath } from 'node:process'
import t, { type Test } from 'tap'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { freePort, freePortsFrom, takenPort } from '../harness/free-port.ts'
import { type RunningProcess, startProcess } from '../harness/process.ts'
import { originsOf } from '../harness/service-process.ts'
import { needsServer } from '../harness/valkey.ts'

const ports = { PORT: '0', ADMIN_PORT: '0' }
const startDemo = (t: Test, settings: Record<string, string>, ...args: string[]) =>
  startProcess(t, 'sandbox/demo.ts', { ...ports, ...settings }, { isCovered: true, args })
const startSandbox = (t: Test, ...args: string[]) => startProcess(t, 'sandbox/main.ts', {}, { isCovered: true, args })

/** Ends a process as Ctrl-C does. A process that is killed counts nothing as covered. */
async function stop(t: Test, { child, ended }: RunningProcess): Promise<void> {
  child.kill('SIGINT')
  t.equal(await ended, 0)
}

/** The requests that `curl` commands of the printed text send. */
function requestsIn(text: string) {
  const commands = text.matchAll(/curl -(?:s|i|N)(?: -H '(Authorization): (.*?)')? '?(http:\S+?)'?\n/g)
  return [...commands].map(([, name = 'x-none', value = '', url = '']) => ({ url, headers: { [name]: value } }))
}

/** Reads what a stream sends until its first event is complete, and leaves it open. */
async function beginningOf(reply: Response | undefined): Promise<string> {
  const reader = reply?.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!/^data: .*\n\n/m.test(text)) text += (await reader?.read())?.value ?? ''
  return text
}

t.test('the commands that the demo prints work, and SIGINT stops it', async (t) => {
  const demo = startDemo(t, {})
  const { says, stdout, stderr } = demo
  await says(/Ctrl-C stops both/)
  t.notMatch(stdout(), /WARN|undefined/)
  const requests = requestsIn(stdout())
  // The command with KEY is to be filled in.
  const filled = requests.filter(({ headers }) => !/KEY/.test(headers.Authorization ?? ''))
  const replies = await Promise.all(filled.map(({ url, headers }) => fetch(url, { headers })))
  const statuses = replies.map(({ status }) => status)
  t.strictSame(statuses, [200, 200, 200, 404, 503, 200])
  const [, moving, settled] = replies
  t.match(await beginningOf(moving), /^retry: \d+\n\nevent: state\n.*"status":"RUNNING"/s)
  t.match(await settled?.text(), /event: state\n.*"status":"COMPLETED".*event: end\n.*"settled"\}\n\n$/s)
  const [, page = ''] = /the API at (\S+)\n/.exec(stdout()) ?? []
  t.match([page, (await fetch(page)).status], [/\/docs$/, 200])
  const [, scenario = '', watched = ''] =
    /curl -X PUT (\S+\/down);.* curl -sI (\S+) \| grep cache-status/.exec(stdout()) ?? []
  t.equal((await fetch(scenario, { method: 'PUT' })).status, 204)
  t.equal(await (await fetch(new URL('/scenario', scenario))).text(), 'down')
  t.match((await fetch(watched, { method: 'HEAD' })).headers.get('cache-status'), /^hilos-bff; hit/)
  t.equal(stderr(), '')
  await stop(t, demo)
})

t.test('without anonymous callers, the commands that the demo prints have the key of its caller', async (t) => {
  const demo = startDemo(t, {
    DANGEROUSLY_ALLOW_ANONYMOUS: 'false',
    DOCS: 'off',
    SHUTDOWN_TIMEOUT_MS: '7654',
    REDIS_URL: 'redis://canary',
  })
  const { says, stdout, stderr } = demo
  await says(/Ctrl-C stops both/)
  const [first] = requestsIn(stdout())
  t.match(first?.headers, { Authorization: /^Bearer hbff_/ })
  t.equal((await fetch(first?.url ?? '', first)).status, 200)
  t.equal((await fetch(first?.url ?? '')).status, 401)
  t.match(stdout(), /WARN.*: SHUTDOWN_TIMEOUT_MS minus/, 'a warning about a setting that was given')
  t.match(stderr(), /^The demo ignores REDIS_URL: .*\n$/)
  t.match(stdout(), /Hilos\. Open http:\S+\d\/\n/, 'without the documentation, its front page')
  t.notMatch(stdout() + stderr(), 'canary')
  await stop(t, demo)
})

t.test('with a callers file of your own the demo has no keys, and never uses or shows a real token', async (t) => {
  const key = createKey()
  const callersFile = join(t.testdir(), 'callers.json')
  writeFileSync(callersFile, JSON.stringify({ callers: [{ name: 'own', keySha256: keyHash(key), profile: 'viewer' }] }))
  const origin = 'http://localhost:5173'
  const demo = startDemo(t, {
    ...{ CALLERS_FILE: callersFile, CORS_ORIGINS: origin, DANGEROUSLY_ALLOW_ANONYMOUS: 'false' },
    ADMIN_PORT: String(await freePort()),
    ...{ HILOS_TOKEN: 'token-canary', HILOS_BASE_URL: 'https://hilos-canary.example' },
  })
  const { says, stdout, stderr } = demo
  await says(/Ctrl-C stops both/)
  t.notMatch(stdout(), /hbff_/)
  const [first] = requestsIn(stdout())
  t.strictSame(first?.headers, { Authorization: 'Bearer KEY' })
  const reply = await fetch(first?.url ?? '', { headers: { authorization: `Bearer ${key}`, origin } })
  t.strictSame([reply.status, reply.headers.get('access-control-allow-origin')], [200, origin])
  t.equal(
    stderr(),
    'The demo ignores HILOS_TOKEN, HILOS_BASE_URL: it has a fake Hilos, a token and a shared tier of its own.\n',
  )
  t.notMatch(stdout(), 'canary')
  await stop(t, demo)
})

t.test('the demo names all problems of its settings at once and no value, and the exit status is 1', async (t) => {
  const { ended, stdout, stderr } = startDemo(t, {
    LOG_LEVEL: 'canary',
    CORS_ORIGINS: 'canary',
    HILOS_MAX_RPM: 'canary',
  })
  t.strictSame([await ended, stdout()], [1, ''])
  t.match(
    stderr(),
    /^hilos-bff cannot start, 3 problems in its settings:\n {2}LOG_LEVEL: .*\n {2}HILOS_MAX_RPM: .*\n {2}CORS_ORIGINS: .*\n$/,
  )
  t.notMatch(stderr(), 'canary')
})

t.test('a setting by which no contact can be read is no obstacle for the demo', async (t) => {
  const demo = startDemo(t, { HILOS_MAX_BODY_BYTES: '1024', LOG_LEVEL: 'silent' })
  t.ok(await demo.says(/ full {4}hbff_\S+ {2}upstream_too_large\n.*Ctrl-C stops both/s))
  await stop(t, demo)
})

t.test('when its port is in use the demo says what to do, and the exit status is 1', async (t) => {
  const { ended, stderr } = startDemo(t, { PORT: await takenPort(t) })
  t.equal(await ended, 1)
  t.match(
    stderr(),
    /^The demo cannot listen on port \d+ \(EADDRINUSE\)\. Try: PORT=3100 ADMIN_PORT=3101 npm run demo\n$/,
  )
})

/** A program that answers every command like a PING, and ends with the process that started it. */
function answeringServer(t: Test): string {
  const path = join(t.testdir(), 'valkey-server')
  const code = `#!${execPath}
    const { argv, ppid, exit } = process
    setInterval(() => process.ppid === ppid || exit(), 100)
    import('node:net').then(({ createServer }) =>
      createServer((socket) => socket.on('error', () => {}).on('data', () => socket.write('+PONG\\r\\n')))
        .listen(Number(argv[3]), '127.0.0.1'))`
  writeFileSync(path, code, { mode: 0o755 })
  return path
}

/** Asks the printed URL of several replicas as often as the printed command does. */
async function throughAll(text: string): Promise<readonly (readonly [replica: string | null, cacheStatus: string])[]> {
  const [, numbers = '', url = ''] = /for n in ([\d ]+); do curl -sI (\S+) \| grep/.exec(text) ?? []
  const told: [string | null, string][] = []
  for (const _ of numbers.split(' ')) {
    const { headers } = await fetch(url, { method: 'HEAD' })
    told.push([headers.get('x-replica'), `${headers.get('cache-status')}`.replace(/; ttl=.*/, '')])
  }
  return told
}

t.test('without a server three replicas are for themselves, behind a balancer', async (t) => {
  const demo = startDemo(t, { VALKEY_SERVER: '' }, '--replicas', '3')
  const { says, stdout } = demo
  await says(/Ctrl-C stops all/)
  t.match(stdout(), /^They share nothing, because neither valkey-server nor redis-server is installed: .* 1\/3 of/m)
  t.notMatch(stdout(), /WARN|undefined|null\/|kill -STOP|DELETE/)
  const missed = 'hilos-bff; fwd=uri-miss'
  t.strictSame(await throughAll(stdout()), [
    ['1', missed],
    ['2', missed],
    ['3', missed],
  ])
  const [, origin = ''] = /replica 2: (http:\S+)\n/.exec(stdout()) ?? []
  t.equal((await fetch(`${origin}/problems`)).status, 200)
  const stream = requestsIn(stdout()).find(({ url }) => url.includes('/events'))
  t.match(await beginningOf(await fetch(stream?.url ?? '')), 'event: state', 'a stream passes')
  await stop(t, demo)
})

t.test(
  'with a server of any kind the replicas serve, and the server and its folder are gone after SIGTERM',
  async (t) => {
    const server = answeringServer(t)
    const folder = mkdtempSync(join(dirname(server), 'tmp-'))
    const settings = { VALKEY_SERVER: server, TMPDIR: folder, ADMIN_PORT: String(await freePortsFrom(2)) }
    const { says, stdout, child, ended } = startDemo(t, settings, '--replicas=2')
    await says(/Ctrl-C stops all/)
    const [, port = ''] = /^They share calls .* by valkey-server \(port (\d+)\)\.$/m.exec(stdout()) ?? []
    t.ok(Number(port) > 0)
    const [, pid = ''] = /kill -STOP (\d+)\n {4}kill -CONT \1\n/.exec(stdout()) ?? []
    t.ok(process.kill(Number(pid), 0))
    t.equal(readdirSync(folder).length, 3)
    const [, url = ''] = /curl -i -X DELETE (\S+)\n/.exec(stdout()) ?? []
    t.match(new URL(url), { port: settings.ADMIN_PORT, pathname: /^\/cache\/execution-contacts\/[\da-f-]{36}$/ })
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    t.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' })
    t.strictSame(readdirSync(folder), [])
  },
)

t.test('with a real server three replicas make one call, and one deletion reaches all', needsServer(), async (t) => {
  const { says, stdout, stderr, child, ended } = startDemo(
    t,
    { ADMIN_PORT: String(await freePortsFrom(3)) },
    '--replicas',
    '3',
  )
  await says(/(?:shared tier attached.*){3}/s)
  await says(/Ctrl-C stops all/)
  const [, url = ''] = /curl -i -X DELETE (\S+)\n/.exec(stdout()) ?? []
  const once = [
    ['1', 'hilos-bff; fwd=uri-miss'],
    ['2', 'hilos-bff; hit'],
    ['3', 'hilos-bff; hit'],
  ]
  t.strictSame(await throughAll(stdout()), once)
  t.equal((await fetch(url, { method: 'DELETE' })).status, 204)
  t.strictSame(await throughAll(stdout()), once)
  const [, purge] = await says(/an operator has removed a contact.*"purge":"(\w+)"/)
  await says(new RegExp(`(another replica has removed a contact.*"purge":"${purge}".*){2}`, 's'))
  child.kill('SIGINT')
  t.strictSame([await ended, stderr()], [0, ''])
})

t.test('the demo does not start with a server that ends, or with wrong arguments', async (t) => {
  const path = join(t.testdir(), 'ends')
  writeFileSync(path, '#!/bin/sh\necho it is old\n', { mode: 0o755 })
  const ends = startDemo(t, { VALKEY_SERVER: path }, '--replicas', '3')
  t.strictSame([await ends.ended, ends.stdout()], [1, ''])
  t.equal(
    ends.stderr(),
    'The server has ended: it is old\nTry without a server: VALKEY_SERVER= npm run demo -- --replicas 3\n',
  )
  const wrong = startDemo(t, {}, '--replicas', '0')
  t.strictSame([await wrong.ended, wrong.stdout()], [1, ''])
  t.equal(wrong.stderr(), 'Usage: npm run demo -- [--replicas 1 to 9]\n')
  const taken = startDemo(t, { VALKEY_SERVER: '', PORT: await takenPort(t) }, '--replicas', '2')
  t.equal(await taken.ended, 1)
  t.match(
    taken.stderr(),
    /^The demo cannot .* \(EADDRINUSE\)\. Try: PORT=3100 ADMIN_PORT=3101 npm run demo -- --replicas 2\n$/,
  )
})

/** The settings in a printed command. */
function settingsIn(text: string, command: string): Record<string, string> {
  const [, assignments = ''] =
    new RegExp(`^ {4}(?:npm run build && )?((?:[A-Z_]+=\\S+ )+)${command}$`, 'm').exec(text) ?? []
  return Object.fromEntries([...assignments.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]))
}

t.test('the commands that the sandbox prints work, and SIGINT stops it', async (t) => {
  const sandbox = startSandbox(t, '--port', '0', '--scenario', 'down')
  const { says, stdout } = sandbox
  await says(/Ctrl-C stops it/)
  const [, put = ''] = /curl -X PUT (\S+)\n/.exec(stdout()) ?? []
  t.equal(await (await fetch(new URL('/scenario', put))).text(), 'down')
  t.equal((await fetch(put, { method: 'PUT' })).status, 204)
  await fetch(new URL('/scenario/healthy', put), { method: 'PUT' })
  const [, contents = ''] = /scenarios: (\S+)\n/.exec(stdout()) ?? []
  t.match(await (await fetch(contents)).text(), /^A fake Hilos/)

  const doctor = startProcess(t, 'src/main.ts', settingsIn(stdout(), 'npm run doctor'), { args: ['--check'] })
  t.equal(await doctor.ended, 0)
  t.match(doctor.stdout(), /^ok +Hilos +Hilos answers at/m)

  for (const [settings, allowed] of [
    [settingsIn(stdout(), 'npm start'), null],
    [settingsIn(stdout().replace(/^.*&& HILOS.*$/m, ''), 'npm start'), 'http://localhost:5173'],
  ] as const) {
    const service = startProcess(t, 'src/main.ts', { ...settings, ...ports })
    const { origin } = await originsOf(service)
    const [, path = ''] = /http:\/\/127.0.0.1:3000(\S+)'/.exec(stdout()) ?? []
    const reply = await fetch(origin + path, { headers: { origin: 'http://localhost:5173' } })
    t.match(await beginningOf(reply), 'event: state')
    t.strictSame([reply.status, reply.headers.get('access-control-allow-origin')], [200, allowed])
  }
  await stop(t, sandbox)
})

t.test('when its port is in use the sandbox says what to do, and the exit status is 1', async (t) => {
  const port = await takenPort(t)
  const { ended, stdout, stderr } = startSandbox(t, '--port', port)
  t.strictSame([await ended, stdout()], [1, ''])
  const advice = `Try: npm run sandbox -- --port ${Number(port) + 1}`
  t.equal(stderr(), `The sandbox cannot listen on port ${port} (EADDRINUSE). ${advice}\n`)
})

t.test('the sandbox does not start with arguments that it does not understand', async (t) => {
  for (const args of [['--scenario', 'foggy'], ['--port', '65536'], ['--colour']]) {
    const { ended, stdout, stderr } = startSandbox(t, ...args)
    t.strictSame([await ended, stdout()], [1, ''], args.join(' '))
    t.match(stderr(), /^Usage: npm run sandbox -- .*\n$/)
  }
})
