import t, { type Test } from 'tap'
import { createSandbox } from '../../sandbox/hilos.ts'
import { Secret } from '../../src/common/secret.ts'
import { type ProcessOptions, preload, startProcess } from '../harness/process.ts'
import { httpResponse, json, startRawHilos, token } from '../upstream/raw-hilos.ts'

const settings = { HILOS_TOKEN: token, DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** Runs the process until it ends. It prints the token nowhere. */
async function run(t: Test, args: readonly string[], env: Record<string, string>, options: ProcessOptions = {}) {
  const running = startProcess(t, 'src/main.ts', env, { args, isCovered: true, ...options })
  const status = await running.ended
  const [stdout, stderr] = [running.stdout(), running.stderr()]
  t.notMatch(`${stdout}${stderr}`, token)
  return { status, stdout, stderr }
}

t.test(
  'a check without a failure prints one line per finding and does not serve, and the exit status is 0',
  async (t) => {
    const sandbox = createSandbox({ token })
    t.teardown(sandbox.close)
    const env = { ...settings, HILOS_BASE_URL: await sandbox.listen(), CONTACT_REF_KEY: 'contact-ref-key-canary' }
    const cramped = preload('process.constrainedMemory = () => 128 * 1024 ** 2')
    const { status, stdout, stderr } = await run(t, ['--check'], env, { nodeOptions: cramped })
    t.strictSame([status, stderr], [0, ''])
    const lines = stdout.split('\n')
    t.strictSame(lines.slice(-3), ['', '3 warnings, nothing failed', ''])
    t.ok(lines.slice(0, -3).every((line) => /^(ok|note|warn) +\S.* {2}[A-Z].*\.$/.test(line)))
    t.match(stdout, new RegExp(`\\nok +Hilos +.*${new Secret(token).fingerprint()}\\.\\n`))
    t.match(stdout, /\nwarn +CACHE_MAX_BYTES +.*more than a quarter of the memory limit/)
    t.notMatch(stdout, 'key-canary')
    t.equal(sandbox.requests.length, 2, 'one with a made-up token')
  },
)

t.test('a check with a failure prints one object if JSON is wanted, and the exit status is 1', async (t) => {
  const { baseUrl } = await startRawHilos(t, httpResponse(401, json))
  const { status, stdout, stderr } = await run(t, ['--check', '--json'], { ...settings, HILOS_BASE_URL: baseUrl })
  t.strictSame([status, stderr], [1, ''])
  const { ok, findings, ...rest } = JSON.parse(stdout)
  t.strictSame([ok, rest], [false, {}])
  t.match(findings.at(-1), { level: 'fail', subject: 'HILOS_TOKEN', message: new Secret(token).fingerprint() })
  for (const finding of findings) t.strictSame(Object.keys(finding), ['level', 'subject', 'message'])
})

t.test('a check ends although Hilos hangs, and the exit status is 1', async (t) => {
  const { baseUrl } = await startRawHilos(t, () => {})
  const env = { ...settings, HILOS_BASE_URL: baseUrl, HILOS_TIMEOUT_MS: '100' }
  const { status, stdout } = await run(t, ['--check'], env, { isCovered: false })
  t.equal(status, 1)
  t.match(stdout, /\nfail +Hilos +No answer came from .* within 100 ms: .*\n\n3 warnings, 1 failed\n$/)
})

t.test('unknown arguments are answered with one sentence, and --help prints the usage', async (t) => {
  const unknown = await run(t, ['--chek', token], settings)
  t.strictSame([unknown.status, unknown.stdout], [1, ''])
  t.match(unknown.stderr, /^hilos-bff does not understand .*--check, --check --json, keygen and --help\.\n$/)
  t.match(await run(t, ['--help'], {}), { status: 0, stderr: '', stdout: /^Usage: / })
})
