import t, { type Test } from 'tap'
import { createSandbox } from '../../sandbox/hilos.ts'
import { Secret } from '../../src/common/secret.ts'
import { startProcess } from '../harness/process.ts'
import { httpResponse, startRawHilos } from '../upstream/raw-hilos.ts'

const token = 'token-canary-4b2f'
const settings = { HILOS_TOKEN: token, DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** How the process ends when it is started with these arguments; the token must be in nothing that it says. */
async function run(t: Test, args: readonly string[], env: Record<string, string>, nodeOptions: readonly string[] = []) {
  const running = startProcess(t, 'src/main.ts', env, nodeOptions, args)
  const status = await running.ended
  const [stdout, stderr] = [running.stdout(), running.stderr()]
  t.notMatch(`${stdout}${stderr}`, token)
  return { status, stdout, stderr }
}

t.test('a check, when all is well, says so in lines, serves nobody and ends with 0', async (t) => {
  const sandbox = createSandbox({ token })
  t.teardown(sandbox.close)
  const env = { ...settings, HILOS_BASE_URL: await sandbox.listen(), CONTACT_REF_KEY: 'contact-ref-key-canary' }
  const { status, stdout, stderr } = await run(t, ['--check'], env)
  t.equal(status, 0)
  t.equal(stderr, '')
  const lines = stdout.split('\n')
  t.strictSame(lines.slice(-3), ['', '2 warnings, nothing failed', ''])
  for (const line of lines.slice(0, -3)) t.match(line, /^(ok|note|warn) +\S.* {2}[A-Z].*\.$/)
  t.match(stdout, new RegExp(`\\nok +Hilos +.*${new Secret(token).fingerprint()}\\.\\n`))
  t.notMatch(stdout, 'key-canary')
  t.equal(sandbox.requests.length, 1)
})

t.test('a check, when something failed and JSON is wanted, says one object, and ends with 1', async (t) => {
  const { baseUrl } = await startRawHilos(t, httpResponse(401, { 'content-type': 'application/json' }))
  const { status, stdout, stderr } = await run(t, ['--check', '--json'], { ...settings, HILOS_BASE_URL: baseUrl })
  t.equal(status, 1)
  t.equal(stderr, '')
  const { ok, findings, ...rest } = JSON.parse(stdout)
  t.equal(ok, false)
  t.strictSame(rest, {})
  t.match(findings.at(-1), { level: 'fail', subject: 'HILOS_TOKEN', message: new Secret(token).fingerprint() })
  for (const finding of findings) t.strictSame(Object.keys(finding), ['level', 'subject', 'message'])
})

t.test('a check, when Hilos hangs, ends by itself with 1', async (t) => {
  const { baseUrl } = await startRawHilos(t, () => {})
  const env = { ...settings, HILOS_BASE_URL: baseUrl, HILOS_TIMEOUT_MS: '100' }
  const { status, stdout } = await run(t, ['--check'], env)
  t.equal(status, 1)
  t.match(stdout, /\nfail +Hilos +No answer came from .* within 100 ms: .*\n\n3 warnings, 1 failed\n$/)
})

t.test('a check, when there is no host of that name, says so and ends with 1', async (t) => {
  // Not every machine that runs this has a resolver, and some of them find every name.
  const noName = `import dns from 'node:dns'
    dns.lookup = (name, options, done) => done(Object.assign(new Error(name), { code: 'ENOTFOUND' }))`
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(noName)}`]
  const env = { ...settings, HILOS_BASE_URL: 'https://does-not-exist.invalid/api' }
  const { status, stdout } = await run(t, ['--check'], env, nodeOptions)
  t.equal(status, 1)
  t.match(stdout, /\nfail +Hilos +There is no host named does-not-exist\.invalid \(ENOTFOUND\)/)
})

t.test('a check, when the settings are not in order, names all problems and ends with 1', async (t) => {
  const { status, stdout, stderr } = await run(t, ['--check'], { PORT: token })
  t.equal(status, 1)
  t.equal(stderr, '')
  t.match(
    stdout,
    /^fail +HILOS_TOKEN +Must be .*\nfail +PORT .*\nfail +DANGEROUSLY_ALLOW_ANONYMOUS .*\nnote +Hilos .*\n\nno warnings, 3 failed\n$/,
  )
})

t.test(
  'arguments, when they are not understood, are answered in one sentence, and help where it is asked for',
  async (t) => {
    const unknown = await run(t, ['--chek', token], settings)
    t.equal(unknown.status, 1)
    t.equal(unknown.stdout, '')
    t.match(unknown.stderr, /^hilos-bff does not understand .*--check, --check --json and --help\.\n$/)
    const help = await run(t, ['--help'], {})
    t.match(help, { status: 0, stderr: '', stdout: /^Usage: / })
  },
)

t.test('a check, when the container has little memory, says that the cache may not fit', async (t) => {
  const cramped = 'data:text/javascript,process.constrainedMemory = () => 128 * 1024 ** 2'
  const { baseUrl } = await startRawHilos(t, httpResponse(404, { 'content-type': 'application/json' }, '{}'))
  const { stdout } = await run(t, ['--check'], { ...settings, HILOS_BASE_URL: baseUrl }, ['--import', cramped])
  t.match(stdout, /\nwarn +CACHE_MAX_BYTES +.*more than a quarter of the memory limit/)
})
