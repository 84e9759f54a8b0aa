import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { type Config, loadConfig } from '../../src/config/config.ts'
import { fileNames, readSettingsFiles, SettingsSchema } from '../../src/config/settings.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The limit of Hilos for all keys of an account together. */
export const accountCallsPerSecond = 5

export type Settings = Readonly<Record<string, string>>

/** The text of a file of this project. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The content of a YAML file of this project. */
// biome-ignore lint/suspicious/noExplicitAny: assertions are the check
export function yamlOf(path: string): any {
  return parse(textOf(path))
}

/** Settings as lines of `NAME=value`, with comments. */
export function settingsIn(path: string): Settings {
  const lines = textOf(path)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map(splitAtEquals))
}

export function splitAtEquals(line: string): [string, string] {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}

/** Settings that Node.js reads. */
const otherNames = ['NODE_OPTIONS']

/** The settings exist, and nothing is remarkable but the two files that may be missing, and what is expected. */
export function checkSettings(t: Test, settings: Settings, { warnings, notes }: Config, expected: RegExp[] = []): void {
  const known = [...Object.keys(SettingsSchema.properties), ...fileNames, ...otherNames]
  for (const name of Object.keys(settings)) t.ok(known.includes(name), name)
  t.match(warnings, expected)
  t.equal(warnings.length, expected.length)
  t.match(notes, [/^HILOS_TOKEN_NEXT_FILE: /, /^ADMIN_TOKEN_FILE: /])
  t.equal(notes.length, 2)
}

/** A value of a Compose file. If it is a text, its variables are replaced, all of which have the form `${NAME:-default}`. */
function interpolated(value: unknown, variables: Settings): unknown {
  if (typeof value !== 'string') return value
  return value.replace(/\$\{(\w+):-([^}]*)\}/g, (_all, name, fallback) => variables[name] || fallback)
}

/** A Compose file with these variables, given in `.env` or in the shell. */
export function composeOf(variables: Settings = {}, file = 'deploy/compose.yaml') {
  // The tag `!override` means nothing to the parser, which would warn about it.
  return parse(textOf(file), (_key, value) => interpolated(value, variables), { logLevel: 'error' })
}

/** The services of the Compose file with these variables. */
export const servicesOfCompose = (variables?: Settings) => composeOf(variables).services

/** The files that settings name. */
export function filesIn(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => (name.endsWith('_FILE') ? [value] : []))
}

/** The environment of the service in the image, with valid files where `folder` is mounted, and no file that may be missing. */
export function environmentIn(t: Test, settings: Settings, folder: string, callers = '{ "callers": [] }'): Settings {
  const secrets = join(t.testdir(), 'secrets')
  mkdirSync(secrets)
  const [names, key] = ['names', 'seals'].map((text) => Buffer.alloc(32, text).toString('base64'))
  const files = {
    ...{ 'hilos-token': 'not-a-token', 'callers.json': callers, 'contact-ref-key': 'sixteen letters!' },
    'redis-url': 'redis://hilos-bff:password@hilos-bff-valkey:6379',
    'cache-keys': JSON.stringify({ names, seal: [{ id: 1, key }] }),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(secrets, name), text, { mode: 0o600 })
  const moved = Object.entries(settings).map(([name, value]) => [name, value.replace(`${folder}/`, `${secrets}/`)])
  return { ...imageSettings(), ...Object.fromEntries(moved) }
}

/** The configuration that the service reads from there. */
export async function configIn(t: Test, settings: Settings, folder: string): Promise<Config> {
  const env = environmentIn(t, settings, folder)
  return loadConfig(env, 0, await readSettingsFiles(env))
}

/** The settings in the Dockerfile. */
function imageSettings(): Settings {
  const [, block = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(textOf('Dockerfile')) ?? []
  return Object.fromEntries([...block.matchAll(/\b([A-Z_]+)=([\w.:-]+)/g)].map(([, name, value]) => [name, value]))
}

/** A shutdown leaves time for a call that began at the last moment, and ends before the process is killed. */
export function checkStop(t: Test, settings: Settings, graceMs: number): void {
  const shutdownTimeoutMs = numberIn(settings, 'SHUTDOWN_TIMEOUT_MS')
  const longestMs = numberIn(settings, 'DRAIN_DELAY_MS') + numberIn(settings, 'HILOS_TIMEOUT_MS')
  t.ok(shutdownTimeoutMs > longestMs, 'SHUTDOWN_TIMEOUT_MS leaves time for a call')
  t.ok(graceMs > shutdownTimeoutMs, 'the grace period is longer than SHUTDOWN_TIMEOUT_MS')
}

/** The number given for a setting, or its default. */
function numberIn(settings: Settings, name: string): number {
  const schemas: Readonly<Record<string, object>> = SettingsSchema.properties
  const { default: fallback }: { readonly default?: number } = schemas[name] ?? {}
  return Number(settings[name] ?? fallback)
}

/** About two thirds of the memory are for the heap, and the cache takes less than half of the rest. */
export function checkMemory(t: Test, config: Config, settings: Settings, limitBytes: number): void {
  const [, heapMebibytes] = /^--max-old-space-size=(\d+)$/.exec(settings.NODE_OPTIONS ?? '') ?? []
  const heapBytes = Number(heapMebibytes) * 1024 * 1024
  t.ok(Math.abs(heapBytes / limitBytes - 2 / 3) < 0.02, `${heapMebibytes} MiB of heap in ${limitBytes} bytes`)
  const { documentsMaxBytes, renderingsMaxBytes, absencesMaxBytes, ownAbsencesMaxBytes } = config.cache
  const cacheBytes = documentsMaxBytes + renderingsMaxBytes + absencesMaxBytes + ownAbsencesMaxBytes
  t.ok(cacheBytes < (limitBytes - heapBytes) / 2, 'the cache is small enough')
}

/** The memory limits of both deployments, in bytes. */
export function memoryLimits(): { readonly compose: number; readonly kubernetes: number } {
  const [container] = yamlOf('deploy/kubernetes/base/deployment.yaml').spec.template.spec.containers
  return {
    compose: mebibytesIn(yamlOf('deploy/compose.yaml').services['hilos-bff'].mem_limit, 'm'),
    kubernetes: mebibytesIn(container.resources.limits.memory, 'Mi'),
  }
}

function mebibytesIn(text: string, unit: string): number {
  return text.endsWith(unit) ? Number(text.slice(0, -unit.length)) * 1024 * 1024 : Number.NaN
}
