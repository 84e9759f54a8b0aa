import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'

/** Debian has servers in folders that are not in the PATH of everyone. */
const folders = [...(env.PATH ?? '').split(':'), '/usr/sbin']

/** The path of the first of these programs that is installed. */
export function installed(...names: readonly string[]): string | undefined {
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path))
}

/** util-linux has it. */
const setpriv = installed('setpriv')

/** What a command line begins with, so that the program gets the signal when this process dies. */
export function dyingWithUs(signal: 'TERM' | 'KILL'): readonly string[] {
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', signal]
}
