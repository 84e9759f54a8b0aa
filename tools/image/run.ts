import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { env, execPath, stderr, stdout, version } from 'node:process'
import { fileURLToPath } from 'node:url'
import { readDockerignore } from './build-context.ts'
import { type Image, mayChangeUser, userOf } from './container.ts'
import { NotReplayable, readDockerfile } from './dockerfile.ts'
import { bytesOf, digestOf, heaviestOf } from './folder-facts.ts'
import { planOf } from './plan.ts'
import { replay } from './replay.ts'
import { smokeTest } from './smoke-test.ts'

// `npm run image`: replays the Dockerfile twice without an engine, compares both results, and tests the second one as the user of
// the image. It needs the npm registry and a minute or two. It does not use the base image, but the Node.js that runs this script
// and the npm of this machine.
const context = fileURLToPath(new URL('../..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'hilos-bff-image-'))
const say = (line: string) => stdout.write(`  ${line}\n`)
/** What a container engine does and the replay does not. */
const differences = [
  `the base image is not used: Node.js ${version} and npm are those of this machine, and so is the C library`,
  'nothing is pulled or pushed, and there are no layers, no digest and no format of an image',
  'RUN is not isolated: it sees the files and the network of this machine, and runs as the current user',
  'the process is not process 1, and has no namespaces and no limits on memory, processes and capabilities',
  'the files are unwritable by their mode, not by a read-only mount; folders outside the image remain writable',
  'HEALTHCHECK is run once by hand, not on its schedule; buildah and podman leave it out without --format docker',
]
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

try {
  chmodSync(work, 0o755)
  const bin = putNodeInto(join(work, 'bin'))
  const instructions = readDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'))
  const stages = planOf(instructions, { COMMIT: headCommit() })
  const config = stages.at(-1)?.config
  if (config === undefined) throw new NotReplayable('the Dockerfile has no stage')

  stdout.write(`Replay of the Dockerfile on Node.js ${version}:\n`)
  const roots = ['first', 'second'].map((name) => {
    const startedAt = performance.now()
    const root = replay(stages, {
      context,
      includes: readDockerignore(readFileSync(join(context, '.dockerignore'), 'utf8')),
      folder: join(work, name),
      caches: join(work, 'caches'),
      env: { ...networkSettings(), PATH: [bin, systemPath()].join(delimiter) },
    })
    say(
      `${name} build: ${instructions.length} instructions in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    )
    return root
  })
  const [root = '', second = ''] = roots
  compare(root, second)
  reportSizes(join(root, config.folder))
  stdout.write(`Test as ${userText(config)}, with read-only files:\n`)
  makeUnwritable(root)
  await smokeTest({ root, config, bin }, work, say)
  stdout.write('What an engine does differently, and this did not test:\n')
  for (const difference of differences) say(difference)
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
} finally {
  makeRemovable()
  rmSync(work, { recursive: true, force: true })
}

function compare(one: string, other: string): void {
  const [digest, same] = [digestOf(one), digestOf(other)]
  if (digest !== same) throw new Error(`the second build has another result: ${digest} and ${same}`)
  say(`both builds are identical: sha256 ${digest}`)
}

function reportSizes(folder: string): void {
  const parts = readdirSync(folder).map((name) => ({ name, path: join(folder, name) }))
  const sizes = parts.map(
    ({ name, path }) => `${name} ${megabytes(statSync(path).isDirectory() ? bytesOf(path) : statSync(path).size)}`,
  )
  say(`size without the base image: ${megabytes(bytesOf(folder))} (${sizes.join(', ')})`)
  const largest = heaviestOf(join(folder, 'node_modules'), 8).map(({ name, bytes }) => `${name} ${megabytes(bytes)}`)
  say(`largest packages: ${largest.join(', ')}`)
}

function userText(config: Image['config']): string {
  const { uid, gid } = userOf(config)
  return mayChangeUser ? `user ${uid} of group ${gid}` : `the current user (only root can use user ${uid})`
}

function putNodeInto(folder: string): string {
  mkdirSync(folder)
  copyFileSync(execPath, join(folder, 'node'))
  chmodSync(join(folder, 'node'), 0o755)
  return folder
}

/** The PATH of this machine, without the folders that npm added for this script. */
function systemPath(): string {
  const folders = (env.PATH ?? '').split(delimiter)
  return folders.filter((folder) => !/node_modules\/\.bin|node-gyp-bin/.test(folder)).join(delimiter)
}

/** The settings for proxies and trusted certificates, which an engine also passes to builds. */
function networkSettings(): Record<string, string> {
  const names = [
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'NODE_EXTRA_CA_CERTS',
  ]
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

/** Empty outside a clone. */
function headCommit(): string {
  return spawnSync('git', ['rev-parse', 'HEAD'], { cwd: context, encoding: 'utf8' }).stdout?.trim() ?? ''
}

function makeUnwritable(folder: string): void {
  spawnSync('chmod', ['-R', 'a-w,a+rX', folder])
}

function makeRemovable(): void {
  spawnSync('chmod', ['-R', 'u+w', work])
}
