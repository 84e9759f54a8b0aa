import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const configuration = readFileSync(new URL('../biome.jsonc', import.meta.url), 'utf8')
const biome = fileURLToPath(new URL('../node_modules/@biomejs/biome/bin/biome', import.meta.url))

type Plant = readonly [room: string, module: string]

/** Those of the planted imports that break a rule, linted with this project's configuration in a folder of their own. */
function brokenBy(t: Test, plants: readonly Plant[]): readonly Plant[] {
  const folder = t.testdir()
  writeFileSync(join(folder, 'biome.jsonc'), configuration)
  const fileOf = (room: string, index: number) => room.replace('*', `planted-${index}`)
  for (const [index, [room, module]] of plants.entries()) {
    const path = join(folder, fileOf(room, index))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(
      path,
      module === 'process'
        ? 'export const planted = process.env.X\n'
        : `import { planted } from '${module}'\nplanted()\n`,
    )
  }
  const { stdout, stderr } = spawnSync(
    execPath,
    [biome, 'lint', '--vcs-enabled=false', '--max-diagnostics=none', '--colors=off', '.'],
    { cwd: folder, encoding: 'utf8' },
  )
  const report = `${stdout}${stderr}`
  return plants.filter(
    ([room], index) =>
      report.includes(`${fileOf(room, index)}:1:`) &&
      new RegExp(`^${fileOf(room, index)}:1:\\d+ lint/style/noRestricted`, 'm').test(report),
  )
}

t.test('an import, when the rooms’ rules forbid it, fails the linter', async (t) => {
  const forbidden: readonly Plant[] = [
    ['src/routes/*.ts', '../upstream/hilos-client.ts'],
    ['src/routes/*.ts', '../upstream/hilos-document.ts'],
    ['src/routes/*.ts', '../cache/store.ts'],
    ['src/routes/*.ts', '../plugins/problems.ts'],
    ['src/routes/*.ts', '../telemetry/metrics.ts'],
    ['src/routes/*.ts', 'undici'],
    ['src/cache/*.ts', '../errors.ts'],
    ['src/cache/*.ts', 'fastify'],
    ['src/upstream/*.ts', '../presentation/status.ts'],
    ['src/upstream/*.ts', '../cache/entry.ts'],
    ['src/upstream/*.ts', 'fastify'],
    ['src/upstream/*.ts', 'lru-cache'],
    ['src/presentation/*.ts', '../upstream/shape.ts'],
    ['src/presentation/*.ts', '../cache/entry.ts'],
    ['src/presentation/*.ts', '@fastify/swagger'],
    ['src/presentation/*.ts', 'undici'],
    ['src/access/*.ts', '../upstream/hilos-client.ts'],
    ['src/access/*.ts', '../presentation/rendering.ts'],
    ['src/access/*.ts', '../plugins/problems.ts'],
    ['src/access/*.ts', 'fastify'],
    ['src/access/*.ts', 'undici'],
    ['src/cache/*.ts', '../access/caller.ts'],
    ['src/presentation/*.ts', '../access/caller.ts'],
    ['src/upstream/*.ts', '../access/caller.ts'],
    ['src/plugins/*.ts', '../upstream/drift.ts'],
    ['src/plugins/*.ts', '../routes/problems.ts'],
    ['src/*.ts', 'undici'],
    ['src/*.ts', 'lru-cache'],
    ['src/*.ts', './main.ts'],
    ['src/*.ts', 'process'],
    ['src/stop-on-signals.ts', 'process'],
    ['src/*.ts', './doctor/examine.ts'],
    ['src/routes/*.ts', '../doctor/examine.ts'],
    ['src/cache/*.ts', '../doctor/examine.ts'],
    ['src/upstream/*.ts', '../doctor/examine.ts'],
    ['src/presentation/*.ts', '../doctor/examine.ts'],
    ['src/access/*.ts', '../doctor/examine.ts'],
    ['src/plugins/*.ts', '../doctor/examine.ts'],
    ['src/doctor/*.ts', '../app.ts'],
    ['src/doctor/*.ts', '../upstream/exchange.ts'],
    ['src/doctor/*.ts', 'undici'],
    ['src/doctor/*.ts', 'pino'],
    ['src/doctor/*.ts', 'process'],
    ['src/main.ts', './doctor/hilos-findings.ts'],
    ['src/main.ts', './cache/store.ts'],
    ['src/healthcheck.ts', './settings.ts'],
    ['src/healthcheck.ts', 'undici'],
  ]
  t.strictSame(brokenBy(t, forbidden), forbidden)
})

t.test('an import, when the rooms’ rules allow it, passes the linter', async (t) => {
  const allowed: readonly Plant[] = [
    ['src/routes/*.ts', '../cache/read-through.ts'],
    ['src/routes/*.ts', '../presentation/rendering.ts'],
    ['src/routes/*.ts', '../errors.ts'],
    ['src/routes/*.ts', '../access/caller.ts'],
    ['src/routes/*.ts', '../telemetry/trace-context.ts'],
    ['src/access/*.ts', 'lru-cache'],
    ['src/access/*.ts', 'jose'],
    ['src/access/*.ts', '../presentation/profile.ts'],
    ['src/access/*.ts', '../cache/read-through.ts'],
    ['src/plugins/*.ts', '../access/caller.ts'],
    ['src/cache/*.ts', 'lru-cache'],
    ['src/upstream/*.ts', 'undici'],
    ['src/presentation/*.ts', '../upstream/hilos-document.ts'],
    ['src/*.ts', './upstream/dispatcher.ts'],
    ['src/doctor/*.ts', './findings.ts'],
    ['src/doctor/*.ts', '../config.ts'],
    ['src/doctor/*.ts', '../upstream/ask-once.ts'],
    ['src/main.ts', './app.ts'],
    ['src/main.ts', './doctor/examine.ts'],
    ['src/main.ts', './stop-on-signals.ts'],
    ['src/healthcheck.ts', 'process'],
    ['src/healthcheck.ts', 'node:http'],
    ['src/main.ts', './lifecycle.ts'],
    ['src/main.ts', 'process'],
  ]
  t.strictSame(brokenBy(t, allowed), [])
})
