import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'

/** Debian has servers in folders that are not in the PATH of everyone. */
const folders = [...String(env.PATH).split(':'), '/usr/sbin']
const pathsOf = (name: string) => folders.map((folder) => join(folder, name)).filter((path) => existsSync(path))

/** The path of the first of these programs that is installed. */
export function installed(...names: readonly string[]): string | undefined {
  return names.flatMap(pathsOf)[0]
}

/** util-linux has it. */
const setpriv = pathsOf('setpriv').slice(0, 1)

/** What a command line begins with, so that the program gets the signal when this process dies. */
export function dyingWithUs(signal: 'TERM' | 'KILL'): readonly string[] {
  return setpriv.flatMap((path) => [path, '--pdeathsig', signal])
}
