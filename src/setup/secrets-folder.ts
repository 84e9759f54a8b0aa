import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The command is not done. The message says why, in sentences and without a secret. */
export class Refusal extends Error {}

/** The names in a folder; none if it is missing. @throws Refusal if it must not hold secrets */
export function namesIn(folder: string): readonly string[] {
  const stats = lstatSync(folder, { throwIfNoEntry: false })
  if (stats === undefined) return []
  if (stats.isSymbolicLink()) throw new Refusal(`${folder} is a link. Name the folder itself.`)
  if (!stats.isDirectory()) throw new Refusal(`${folder} is not a folder.`)
  const names = readdirSync(folder)
  if (names.length > 0 && (stats.mode & 0o022) > 0)
    throw new Refusal(`Group or others can replace the files in ${folder}. Take that right away first: chmod 700`)
  return names
}

/**
 * Adds files that only their owner can read, all or none. It replaces no file and follows no link. A folder that is missing is
 * made. If it was missing or empty, it gets the same owner and is closed to all other users.
 * @param owner the number of a user and of a group; null for those of this process
 */
export function addFiles(folder: string, files: Readonly<Record<string, string>>, owner: number | null): void {
  const isOurs = namesIn(folder).length === 0
  const giveAway = (path: string) => owner !== null && chownSync(path, owner, owner)
  const made: string[] = []
  try {
    if (!existsSync(folder)) mkdirSync(folder)
    if (isOurs) chmodSync(folder, 0o700)
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, name)
      writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
      made.push(path)
      writeFileSync(path, `${text}\n`)
      giveAway(path)
    }
    if (isOurs) giveAway(folder)
  } catch (error) {
    for (const path of made) rmSync(path)
    throw error
  }
}
