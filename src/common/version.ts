import { readFileSync } from 'node:fs'
import { version as node } from 'node:process'

const manifest = new URL('../../package.json', import.meta.url)

/** The version of this service, from package.json. The path holds for `src` and for `dist`. */
export const version: string = JSON.parse(readFileSync(manifest, 'utf8')).version

/** The version of Node.js, for example `v24.21.0`. */
export const nodeVersion: string = node
