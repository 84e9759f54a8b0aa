import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Everything in a folder and below, by path, in the order of their names; links are not followed. */
function pathsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

/** SHA-256 over the path, kind, mode and content of everything in a folder; not over times, which builds rewrite. */
export function digestOf(folder: string): string {
  const hash = createHash('sha256')
  for (const path of pathsIn(folder)) {
    const [full, stats] = [join(folder, path), lstatSync(join(folder, path))]
    const content = stats.isSymbolicLink() ? readlinkSync(full) : stats.isFile() ? readFileSync(full) : ''
    hash.update(`${path}\0${stats.mode.toString(8)}\0${Buffer.byteLength(content)}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Bytes of all files in a folder, as they are and not as they lie on a disk. */
export function bytesOf(folder: string): number {
  return pathsIn(folder)
    .map((path) => lstatSync(join(folder, path)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0)
}

/** The packages of a node_modules that weigh most, heaviest first. */
export function heaviestOf(modules: string, count: number): { name: string; bytes: number }[] {
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((own) => `${name}/${own}`) : [name],
    )
    .map((name) => ({ name, bytes: bytesOf(join(modules, name)) }))
    .sort((one, other) => other.bytes - one.bytes)
    .slice(0, count)
}
