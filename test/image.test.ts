import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadConfig } from '../src/config/config.ts'
import { fileNames, SettingsSchema } from '../src/config/settings.ts'
import { readDockerignore } from '../tools/image/build-context.ts'
import { readDockerfile } from '../tools/image/dockerfile.ts'
import { planOf } from '../tools/image/plan.ts'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const manifest = JSON.parse(read('package.json'))
const minimum = { HILOS_TOKEN: 'not-used', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }

/** The stages, and what the image says of itself, when built with these arguments. */
function built(buildArgs: Record<string, string> = {}) {
  const stages = planOf(readDockerfile(read('Dockerfile')), buildArgs)
  const image = stages.at(-1)?.config
  if (image === undefined) throw new Error('the Dockerfile has no stage')
  return { stages, image }
}

t.test('the image, is made of the Node.js release that the lockfile brings, or of what NODE_IMAGE names', async (t) => {
  const { stages, image } = built()
  const [base = '', ...others] = new Set(stages.map(({ base }) => base))
  t.strictSame(others, [], 'no base is a stage, which buildah 1.28 does not find behind an ARG')
  const { version } = JSON.parse(read('tools/node/package.json'))
  t.match(base, new RegExp(`^docker\\.io/library/node:${version}-bookworm-slim(@sha256:[0-9a-f]{64})?$`))
  t.equal(image.labels['org.opencontainers.image.base.name'], base.replace(/@.*/, ''))
  const mirrored = built({ NODE_IMAGE: 'mirror.example/node@sha256:0' }).stages
  t.ok(mirrored.every(({ base }) => base === 'mirror.example/node@sha256:0'))
})

t.test('what the Dockerfile copies, exists and gets to the engine', async (t) => {
  const admits = readDockerignore(read('.dockerignore'))
  const copies = built().stages.flatMap(({ steps }) => steps.flatMap((step) => (step.does === 'copy' ? [step] : [])))
  const sources = copies.flatMap(({ from, sources }) => (from === null ? sources : []))
  t.ok(sources.includes('src') && sources.includes('package-lock.json'))
  for (const source of sources) {
    t.ok(existsSync(fileURLToPath(new URL(`../${source}`, import.meta.url))), `${source} exists`)
    t.ok(admits(source), `${source} gets to the engine`)
  }
  for (const path of ['.git', '.env', 'node_modules', 'dist', 'test', 'secrets/hilos-token'])
    t.notOk(admits(path), path)
})

t.test('the build copies what the compiler does not', async (t) => {
  const files = readdirSync(new URL('../src', import.meta.url), { recursive: true, encoding: 'utf8' })
  const others = files.filter((file) => /\.\w+$/.test(file) && !file.endsWith('.ts'))
  t.not(others.length, 0)
  for (const folder of new Set(others.map((file) => dirname(file))))
    t.match(manifest.scripts.build, `fs.cpSync('src/${folder}', 'dist/${folder}', `)
})

t.test('npm start runs the service as the image does, without core dumps', async (t) => {
  t.equal(manifest.scripts.start, `ulimit -c 0 && exec ${built().image.command?.join(' ')}`)
  t.match(read('README.md'), /^docker run .*--ulimit core=0 /m)
})

t.test('the image runs as a user that is not root, and needs no shell', async (t) => {
  const { image } = built()
  t.match(image.user, /^[1-9]\d*:[1-9]\d*$/)
  t.strictSame(image.command, ['node', '--report-exclude-env', '--disable-sigusr1', 'dist/main.js'])
  t.strictSame(image.healthcheck?.command, ['node', 'dist/healthcheck.js'])
  for (const script of ['main', 'healthcheck'])
    t.ok(existsSync(new URL(`../src/${script}.ts`, import.meta.url)), `dist/${script}.js is made of src`)
  t.equal(image.stopSignal, 'SIGTERM', 'what stop-on-signals.ts waits for')
  t.strictSame(image.ports, [String(loadConfig(minimum).callers.port)])
})

t.test('the health check, gives up before the engine does', async (t) => {
  const { flags } = built().image.healthcheck ?? {}
  const [, timeoutMs] = /timeoutMs = (\d+)/.exec(read('src/healthcheck.ts')) ?? []
  t.match(flags?.timeout, /^\d+s$/)
  t.ok(Number.parseInt(flags?.timeout ?? '', 10) * 1000 >= Number(timeoutMs) + 1000, 'with a second to start in')
})

t.test('the image’s environment, is of settings that the service takes, with a commit and without', async (t) => {
  const known = ['NODE_ENV', ...Object.keys(SettingsSchema.properties), ...fileNames]
  const without = built().image.env
  t.strictSame(
    Object.keys(without).filter((name) => !known.includes(name)),
    [],
  )
  t.equal(without.NODE_ENV, 'production')
  t.match(loadConfig({ ...minimum, ...without }), { callers: { host: '0.0.0.0' }, sourceCommit: null })
  const commit = '0123456789abcdef0123456789abcdef01234567'
  t.equal(loadConfig({ ...minimum, ...built({ COMMIT: commit }).image.env }).sourceCommit, commit)
})

t.test('the image’s labels, say what it is', async (t) => {
  const { image } = built({ COMMIT: 'abcdef0' })
  const labels = Object.entries(image.labels).map(([name, value]) => [
    name.replace('org.opencontainers.image.', ''),
    value,
  ])
  t.match(Object.fromEntries(labels), {
    title: manifest.name,
    description: manifest.description.split(':')[0],
    licenses: manifest.license,
    version: manifest.version,
    revision: 'abcdef0',
  })
  t.ok(Object.values(image.labels).every((value) => value !== ''))
  t.match(built({ VERSION: '9.9.9' }).image.labels, { 'org.opencontainers.image.version': '9.9.9' })
})

t.test('what changes with every commit, comes after all that takes time', async (t) => {
  const instructions = readDockerfile(read('Dockerfile'))
  const commit = instructions.findIndex(({ keyword, text }) => keyword === 'ARG' && text === 'COMMIT')
  t.ok(commit > instructions.findLastIndex(({ keyword }) => keyword === 'RUN' || keyword === 'COPY'))
})
