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
import { tryOut } from './smoke-test.ts'

/**
 * `npm run image`: does what the Dockerfile says, twice and without an engine, compares the two, and tries the result out as
 * the image's user. It needs the npm registry and a minute or two. What it cannot see is the base image: Node.js is this
 * one, npm is this machine's.
 */
const context = fileURLToPath(new URL('../..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'hilos-bff-image-'))
const say = (line: string) => stdout.write(`  ${line}\n`)
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

try {
  chmodSync(work, 0o755)
  const bin = putNodeInto(join(work, 'bin'))
  const instructions = readDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'))
  const stages = planOf(instructions, { COMMIT: headCommit() })
  const config = stages.at(-1)?.config
  if (config === undefined) throw new NotReplayable('the Dockerfile has no stage')

  stdout.write(`The Dockerfile, replayed on Node.js ${version}:\n`)
  const roots = ['first', 'second'].map((name) => {
    const begun = performance.now()
    const root = replay(stages, {
      context,
      admits: readDockerignore(readFileSync(join(context, '.dockerignore'), 'utf8')),
      folder: join(work, name),
      caches: join(work, 'caches'),
      env: { ...reachable(), PATH: [bin, systemPath()].join(delimiter) },
    })
    say(`the ${name} time: ${instructions.length} instructions, ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    return root
  })
  const [root = '', again = ''] = roots
  compare(root, again)
  weigh(join(root, config.folder))
  stdout.write(`${asWhom(config)}, from files that it cannot write:\n`)
  makeUnwritable(root)
  await tryOut({ root, config, bin }, work, say)
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
} finally {
  makeRemovable()
  rmSync(work, { recursive: true, force: true })
}

function compare(one: string, other: string): void {
  const [digest, same] = [digestOf(one), digestOf(other)]
  if (digest !== same) throw new Error(`the second time came out differently: ${digest} and ${same}`)
  say(`both times the same, to the byte: sha256 ${digest}`)
}

function weigh(folder: string): void {
  const parts = readdirSync(folder).map((name) => ({ name, path: join(folder, name) }))
  const sizes = parts.map(
    ({ name, path }) => `${name} ${megabytes(statSync(path).isDirectory() ? bytesOf(path) : statSync(path).size)}`,
  )
  say(`on top of the base image: ${megabytes(bytesOf(folder))} (${sizes.join(', ')})`)
  const heaviest = heaviestOf(join(folder, 'node_modules'), 8).map(({ name, bytes }) => `${name} ${megabytes(bytes)}`)
  say(`the heaviest packages: ${heaviest.join(', ')}`)
}

function asWhom(config: Image['config']): string {
  const { uid, gid } = userOf(config)
  return mayChangeUser ? `As user ${uid} of group ${gid}` : `As whoever runs this (only root can become user ${uid})`
}

function putNodeInto(folder: string): string {
  mkdirSync(folder)
  copyFileSync(execPath, join(folder, 'node'))
  chmodSync(join(folder, 'node'), 0o755)
  return folder
}

/** This machine's own, without what npm put in front of it for this script. */
function systemPath(): string {
  const folders = (env.PATH ?? '').split(delimiter)
  return folders.filter((folder) => !/node_modules\/\.bin|node-gyp-bin/.test(folder)).join(delimiter)
}

/** What an engine would hand to a build as well, and what this machine trusts. */
function reachable(): Record<string, string> {
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

/** Empty where this is no clone. */
function headCommit(): string {
  return spawnSync('git', ['rev-parse', 'HEAD'], { cwd: context, encoding: 'utf8' }).stdout?.trim() ?? ''
}

function makeUnwritable(folder: string): void {
  spawnSync('chmod', ['-R', 'a-w,a+rX', folder])
}

function makeRemovable(): void {
  spawnSync('chmod', ['-R', 'u+w', work])
}
