import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Returns the paths of all files and folders below a folder, in a stable order. Links are not followed. */
function pathsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

/** Returns the SHA-256 of the paths, modes and contents below a folder. Times do not count, because the build resets them. */
export function digestOf(folder: string): string {
  const hash = createHash('sha256')
  for (const path of pathsIn(folder)) {
    const [full, stats] = [join(folder, path), lstatSync(join(folder, path))]
    const content = stats.isSymbolicLink() ? readlinkSync(full) : stats.isFile() ? readFileSync(full) : ''
    hash.update(`${path}\0${stats.mode.toString(8)}\0${Buffer.byteLength(content)}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Returns the size of all files below a folder in bytes, not the disk space that they take. */
export function bytesOf(folder: string): number {
  return pathsIn(folder)
    .map((path) => lstatSync(join(folder, path)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0)
}

/** Returns the largest packages of a node_modules folder, the largest first. */
export function heaviestOf(modules: string, count: number): { name: string; bytes: number }[] {
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((scoped) => `${name}/${scoped}`) : [name],
    )
    .map((name) => ({ name, bytes: bytesOf(join(modules, name)) }))
    .sort((one, other) => other.bytes - one.bytes)
    .slice(0, count)
}
