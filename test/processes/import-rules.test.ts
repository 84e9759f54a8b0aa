import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { checkRows } from '../harness/table.ts'

const configuration = readFileSync(new URL('../../biome.jsonc', import.meta.url), 'utf8')
const biome = fileURLToPath(new URL('../../node_modules/@biomejs/biome/bin/biome', import.meta.url))

/** Each folder of `src`, and the others that it may import. */
const importsOf = {
  http: 'admin routes plugins contacts telemetry config access failures lifecycle common',
  admin: 'contacts rotation telemetry config upstream failures lifecycle common',
  routes: 'plugins contacts presentation telemetry access failures cache common',
  plugins: 'presentation telemetry config access failures cache common',
  tier: 'contacts presentation config upstream failures cache common',
  contacts: 'watch presentation config upstream access failures cache common',
  watch: 'cache common',
  rotation: 'telemetry config upstream access common',
  doctor: 'tier config upstream access failures common',
  setup: 'config access common',
  presentation: 'access cache common',
  telemetry: 'upstream access failures cache common',
  config: 'upstream access lifecycle common',
  upstream: 'failures common',
  access: 'failures common',
  failures: 'common',
  lifecycle: 'common',
  cache: 'common',
  common: '',
}

/** The folders that may import a package. The others may not. */
const packages = {
  undici: 'upstream',
  'lru-cache': 'plugins presentation telemetry access cache',
  jose: 'access',
  'prom-client': 'telemetry',
  ioredis: '',
  fastify: 'http admin routes plugins lifecycle',
  '@fastify/swagger': 'http admin routes plugins lifecycle',
  process: 'common',
  'node:process': 'common',
}

/** The subfolders of a folder. */
const subfolders = {
  presentation: ['contact', 'redaction', 'views'],
  upstream: ['', 'calls', 'document', 'transport'],
}

/** A file of `src` and a module that it imports. The module `process` stands for the global variable. */
type Plant = readonly [file: string, module: string]

const folders = Object.keys(importsOf)
const subfoldersOf = (folder: string): readonly string[] =>
  folder in subfolders ? Reflect.get(subfolders, folder) : ['']

/** All imports of a folder or a package by a folder that are allowed, or all that are not. */
function plantsOf(areAllowed: boolean): Plant[] {
  const isIn = (name: string, list: string) => list.split(' ').includes(name) === areAllowed
  return Object.entries(importsOf).flatMap(([folder, allowed]) => {
    const others = folders.filter((other) => other !== folder && isIn(other, allowed))
    const modules = others.flatMap((other) => subfoldersOf(other).map((subfolder) => join(other, subfolder, 'x.ts')))
    const packageNames = Object.entries(packages).flatMap(([name, users]) => (isIn(folder, users) ? [name] : []))
    const aboveAll = areAllowed ? [] : ['app.ts', 'main.ts', 'serve.ts', 'cli.ts']
    return subfoldersOf(folder).flatMap((subfolder) => {
      const up = subfolder === '' ? '..' : '../..'
      const imports = [...[...modules, ...aboveAll].map((module) => `${up}/${module}`), ...packageNames]
      return imports.map((module) => [join(folder, subfolder, '*.ts'), module] as const)
    })
  })
}

const at = (file: string, ...modules: string[]): Plant[] => modules.map((module) => [file, module])

/** The imports for which the linter reports an error, in a folder with the configuration of this project. */
function reportedOf(t: Test, plants: readonly Plant[]): ReadonlySet<Plant | undefined> {
  const root = t.testdir()
  writeFileSync(join(root, 'biome.jsonc'), configuration)
  // Each import is a line of its file.
  const files = Map.groupBy(plants, ([file]) => join('src', file.replace('*', 'planted')))
  for (const [file, imports] of files) {
    const lines = imports.map(([, module]) => (module === 'process' ? 'process.exit()' : `import '${module}'`))
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), lines.join('\n'))
  }
  const options = ['--vcs-enabled=false', '--max-diagnostics=none', '--colors=off']
  const { stdout, stderr } = spawnSync(execPath, [biome, 'lint', ...options, '.'], { cwd: root, encoding: 'utf8' })
  const reports = `${stdout}${stderr}`.matchAll(/^(\S+):(\d+):\d+ lint\/style\/noRestricted/gm)
  return new Set([...reports].map(([, file = '', line]) => files.get(file)?.[Number(line) - 1]))
}

t.test('the linter reports an import exactly when the rules forbid it', async (t) => {
  const forbidden = [
    ...plantsOf(false),
    ...at('presentation/contact/*.ts', '../../upstream/document/shape.ts', '../../upstream/hilos.ts'),
    ...at('presentation/*.ts', '../upstream/hilos.ts', '../routes/problems.ts'),
    ...at('doctor/*.ts', 'pino'),
    ...at(
      '*.ts',
      'undici',
      'lru-cache',
      'process',
      'node:process',
      './main.ts',
      './serve.ts',
      './cli.ts',
      './doctor/x.ts',
      './setup/x.ts',
    ),
    ...folders
      .filter((folder) => !['common', 'config', 'doctor', 'lifecycle', 'setup', 'telemetry'].includes(folder))
      .flatMap((folder) => at('main.ts', `./${folder}/x.ts`)),
    ...at('healthcheck.ts', './config/settings.ts', './cli.ts', 'undici'),
  ]
  const allowed = [
    ...plantsOf(true),
    ...at('presentation/contact/*.ts', '../../upstream/document/hilos-document.ts', '../redaction/x.ts', './x.ts'),
    ...at('upstream/*.ts', './calls/x.ts'),
    ...at('upstream/calls/*.ts', '../transport/x.ts', '../failures.ts', './x.ts'),
    ...at('telemetry/*.ts', 'pino', './metrics.ts'),
    ...at(
      '*.ts',
      'fastify',
      ...folders.filter((folder) => !['doctor', 'setup'].includes(folder)).map((folder) => `./${folder}/x.ts`),
    ),
    ...at('serve.ts', './app.ts', './doctor/x.ts', 'process'),
    ...at('main.ts', './app.ts', './serve.ts', './cli.ts', './doctor/examine.ts', './lifecycle/shutdown.ts', 'process'),
    ...at('healthcheck.ts', 'process', 'node:http'),
  ]
  const reported = reportedOf(t, [...forbidden, ...allowed])
  checkRows(t, forbidden, (plant) => (reported.has(plant) ? null : 'not reported'), 'forbidden imports are reported')
  checkRows(t, allowed, (plant) => (reported.has(plant) ? 'reported' : null), 'allowed imports are not reported')
})
