import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createCollector } from '../../harness/collector.ts'
import { poll, preload } from '../../harness/process.ts'
import { createTrace, path, startTraced, tracing } from './traced-process.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const traced = createTrace()

t.test('without tracing the service loads no tracing code and sends no trace', async (t) => {
  const printLoaded = preload(`import module from 'node:module'; process.on('exit', () => process.stderr.write(
    Object.keys(module._cache).filter((path) => /@opentelemetry.(?!api.)/.test(path)).join()))`)
  const settings = { OTEL_PROPAGATE_TO_UPSTREAM: 'true' }
  const without = await startTraced(t, settings, { nodeOptions: printLoaded, isCovered: false })
  t.equal(await without.get(path, traced.headers), 200)
  t.equal(await without.stop(), 0)
  t.notMatch(without.hilosReceived(), /traceparent|tracestate|baggage/i)
  t.equal(without.stderr(), '')

  const collector = await createCollector(t)
  const off = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_SDK_DISABLED: 'true' }
  const disabled = await startTraced(t, off, { nodeOptions: [...printLoaded, ...tracing] })
  t.equal(await disabled.get('/nothing'), 404)
  t.equal(await disabled.stop(), 0)
  t.strictSame(collector.received(), [])
  t.notOk(disabled.lines().some((line) => 'traceId' in line))
  t.match(disabled.stderr(), /sdk-trace-node/, 'loaded code would have been printed')
})

/** The flush of the last spans takes at most a second. Without that limit the exporter tries for ten. */
const limited = { SHUTDOWN_TIMEOUT_MS: '8000' }

t.test('without a collector the service serves and ends with 0', async (t) => {
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', ...limited }
  const { get, stop } = await startTraced(t, settings, { isCovered: false })
  t.equal(await get(path, traced.headers), 200)
  t.equal(await stop(), 0)
})

t.test('with a failing collector the service serves, warns once in its own words, and ends with 0', async (t) => {
  const collector = await createCollector(t)
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: '20', ...limited }
  const { get, stop, stderr } = await startTraced(t, settings)
  for (const mode of ['refusing', 'refusing', 'refusing', 'hanging'] as const) {
    const received = collector.received().length
    collector.setMode(mode)
    t.equal(await get(path, traced.headers), 200)
    await poll(() => collector.received().length > received)
  }
  t.match(collector.received().at(-1), traced.traceId)
  t.equal(await stop(), 0)
  t.match(stderr(), /^\(node:\d+\) Warning: spans are lost: .*\n(\(Use `node .*\n)?$/)
  t.notMatch(stderr(), /canary/)
})

const textOf = (path: string) => readFileSync(join(root, path), 'utf8')

t.test('the traced image has the tested packages, and the command of the image with tracing', async (t) => {
  const versionsIn = (lock: string, name: string) =>
    Object.entries<{ version: string }>(JSON.parse(textOf(lock)).packages)
      .filter(([place]) => place.endsWith(`node_modules/${name}`))
      .map(([, { version }]) => version)
      .sort()
  const { dependencies } = JSON.parse(textOf('deploy/opentelemetry/package.json'))
  for (const [name, version] of Object.entries(dependencies)) {
    const tested = versionsIn('package-lock.json', name)
    t.ok(tested.includes(String(version)), name)
    t.strictSame(versionsIn('deploy/opentelemetry/package-lock.json', name), tested, name)
  }
  const { version: release } = JSON.parse(textOf('tools/node/package.json'))
  const [traced, untraced] = [textOf('deploy/opentelemetry/Dockerfile'), textOf('Dockerfile')]
  t.match(
    traced,
    `\nARG NODE_IMAGE=docker.io/library/node:${release}-bookworm-slim\n`,
    'npm ci runs on the release of the lockfile',
  )
  const commandIn = (dockerfile: string) => /^CMD (.*)$/m.exec(dockerfile)?.[1]
  t.equal(commandIn(traced)?.replace('"--import", "./opentelemetry/register.ts", ', ''), commandIn(untraced))
})
