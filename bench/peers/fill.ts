import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder with the configurations of the other servers. */
export const peersFolder = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')

/** Copies a configuration of this folder to `path`, and replaces each `${name}` that has a value. */
export function fillIn(name: string, path: string, values: Readonly<Record<string, string | number>>): string {
  const text = readFileSync(`${peersFolder}/${name}`, 'utf8')
  writeFileSync(
    path,
    text.replace(/\$\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole)),
  )
  return path
}
