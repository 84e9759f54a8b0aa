/**
 * Runs the tests by tap (https://node-tap.org).
 *
 *   npm test                          every test, with coverage; exits 1 unless all of it is covered
 *   npm test -- FILE...               these test files, without coverage
 *   npm run test:fast                 every test that starts no process, without coverage and with fewer random inputs
 *   npm run test:watch [-- FILE...]   these files or the fast ones, again after every change in src, test or sandbox
 *
 * tap runs the files in `test/lanes`. A lane is one process that imports a part of the test files, see `lane.ts`. Named
 * files share one process. Options are passed to tap. Each is one word, for example `--grep=REGEX`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, watch } from 'node:fs'
import { resolve, sep } from 'node:path'
import process, { argv, chdir, env, execPath, exit, pid } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = resolve(root, '.tap/compile-cache')
/** Holds a character for each test that is skipped because there is no server, see test/harness/valkey.ts. */
const skippedFile = resolve(root, `.tap/skipped-${pid}`)
const fastLanes = [1, 2, 3, 4].map((lane) => `test/lanes/fast-${lane}.test.ts`)

interface Run {
  /** The options of tap. */
  readonly options: readonly string[]
  /** Test files; when empty, all of them. */
  readonly named: readonly string[]
  readonly isFast: boolean
}

/** Returns the exit status. It is 0 when all tests passed and, in a run of all files, everything is covered. */
async function runTap({ options, named, isFast }: Run): Promise<number> {
  const isWhole = named.length === 0 && !isFast
  const lanes = named.length > 0 ? ['test/lanes/named-files.ts'] : isFast ? fastLanes : []
  rmSync(skippedFile, { force: true })
  const uncovered = isWhole ? [] : ['--disable-coverage', '--allow-empty-coverage']
  const tap = spawn(execPath, ['node_modules/tap/dist/esm/run.mjs', ...uncovered, ...options, ...lanes], {
    stdio: 'inherit',
    // V8 does not count the coverage of cached code exactly, so the cache is never used together with coverage.
    env: {
      ...env,
      TEST_FILES: named.join('\n'),
      SKIPPED_FILE: skippedFile,
      ...(!isWhole && { NODE_COMPILE_CACHE: cache }),
      ...(isFast && { PROPERTY_RUNS_SHARE: '0.2' }),
    },
  })
  const stop = () => tap.kill('SIGTERM')
  process.on('SIGTERM', stop)
  const [status] = await once(tap, 'close')
  process.off('SIGTERM', stop)
  if (existsSync(skippedFile)) {
    const count = readFileSync(skippedFile, 'utf8').length
    rmSync(skippedFile)
    console.error(
      `shared tier: ${count} ${count === 1 ? 'test' : 'tests'} skipped, because neither valkey-server nor redis-server is installed; see CONTRIBUTING.md`,
    )
  }
  return status ?? 1
}

/** Never returns. A change during a run starts another run after it. */
async function runAgainAndAgain(run: Run): Promise<never> {
  let change = Promise.withResolvers<void>()
  for (const folder of ['src', 'test', 'sandbox'])
    watch(resolve(root, folder), { recursive: true }, (_event, file) => {
      if (file?.endsWith('.ts')) change.resolve()
    })
  for (;;) {
    change = Promise.withResolvers()
    await runTap(run)
    console.error('Waiting for a change in src, test or sandbox. Ctrl-C ends this.')
    await change.promise
    // Editors write a file in several steps, and a checkout writes many files.
    await sleep(200)
  }
}

function refuse(problem: string): never {
  console.error(problem)
  exit(2)
}

const given = argv.slice(2)
const [isFast, isWatching] = [given.includes('--fast'), given.includes('--watch')]
const options = given.filter((arg) => arg.startsWith('-') && arg !== '--fast' && arg !== '--watch')
const named = given.filter((arg) => !arg.startsWith('-')).map((file) => resolve(file))
for (const file of named) {
  if (!existsSync(file)) refuse(`There is no file ${file}.`)
  if (!file.startsWith(resolve(root, 'test') + sep) || !file.endsWith('.test.ts'))
    refuse(`${file} is not a test: tests are in test/ and end with .test.ts.`)
}

chdir(root)
if (isWatching) await runAgainAndAgain({ options, named, isFast: true })
exit(await runTap({ options, named, isFast }))
