import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createCollector } from '../../harness/collector.ts'
import { path, startTraced, traced, traceId, tracing } from './traced-process.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('the service, when nobody asks for traces, loads nothing that makes them and tells nobody of one', async (t) => {
  const loaded = `import module from 'node:module'; process.on('exit', () => process.stderr.write(
    Object.keys(module._cache).filter((path) => /@opentelemetry.(?!api.)/.test(path)).join()))`
  const probe = ['--import', `data:text/javascript,${encodeURIComponent(loaded)}`]
  const without = await startTraced(t, { OTEL_PROPAGATE_TO_UPSTREAM: 'true' }, probe)
  t.equal(await without.get(path, traced), 200)
  t.equal(await without.stop(), 0)
  t.notMatch(without.hilosGot(), /traceparent|tracestate|baggage/i)
  t.equal(without.stderr(), '')

  const collector = await createCollector(t)
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_SDK_DISABLED: 'true' }
  const disabled = await startTraced(t, settings, [...probe, ...tracing])
  t.equal(await disabled.get('/nothing'), 404)
  t.equal(await disabled.stop(), 0)
  t.strictSame(collector.received(), [])
  t.notOk(disabled.lines().some((line) => 'traceId' in line))
  t.match(disabled.stderr(), /sdk-trace-node/, 'the probe sees what is loaded')
})

t.test('the service, when the collector is away, serves and ends with 0', async (t) => {
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', SHUTDOWN_TIMEOUT_MS: '4000' }
  const { get, stop } = await startTraced(t, settings)
  t.equal(await get(path, traced), 200)
  t.equal(await stop(), 0)
})

t.test(
  'the service, when the collector refuses, serves and says once, in our words, that spans are lost',
  async (t) => {
    const collector = await createCollector(t, 'refusing')
    const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: '20' }
    // On some versions of Node.js, tap turns warnings off for all that it starts.
    const { get, stop, stderr } = await startTraced(t, settings, ['--warnings', ...tracing])
    for (let refusals = 1; refusals <= 3; refusals += 1) {
      t.equal(await get(path, traced), 200)
      while (collector.received().length < refusals) await setTimeout(5)
    }
    t.equal(await stop(), 0)
    t.match(stderr(), /^\(node:\d+\) Warning: spans are lost: .*\n(\(Use `node .*\n)?$/)
    t.notMatch(stderr(), /canary/)
  },
)

t.test('the service, when the collector hangs, serves and ends with 0 in time', async (t) => {
  const collector = await createCollector(t, 'hanging')
  const { get, stop } = await startTraced(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    SHUTDOWN_TIMEOUT_MS: '4000',
  })
  t.equal(await get(path, traced), 200)
  t.equal(await stop(), 0)
  t.match(collector.received().join(), traceId, 'it was told')
})

t.test('the packages in the traced image, are the ones tried here, and it starts as the image does', async (t) => {
  const versionsIn = (lock: string, name: string) =>
    Object.entries<{ version: string }>(JSON.parse(readFileSync(join(root, lock), 'utf8')).packages)
      .filter(([place]) => place.endsWith(`node_modules/${name}`))
      .map(([, { version }]) => version)
      .sort()
  const { dependencies } = JSON.parse(readFileSync(join(root, 'deploy/opentelemetry/package.json'), 'utf8'))
  for (const [name, version] of Object.entries(dependencies)) {
    const tried = versionsIn('package-lock.json', name)
    t.ok(tried.includes(String(version)), name)
    t.strictSame(versionsIn('deploy/opentelemetry/package-lock.json', name), tried, name)
  }
  const { version: release } = JSON.parse(readFileSync(join(root, 'tools/node/package.json'), 'utf8'))
  t.match(
    readFileSync(join(root, 'deploy/opentelemetry/Dockerfile'), 'utf8'),
    `\nARG NODE_IMAGE=node:${release}-bookworm-slim\n`,
    'npm ci runs on the release in the lockfile',
  )
  const commandIn = (file: string) => /^CMD (.*)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1]
  t.equal(
    commandIn('deploy/opentelemetry/Dockerfile')?.replace('"--import", "./opentelemetry/register.ts", ', ''),
    commandIn('Dockerfile'),
  )
})
