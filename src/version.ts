import { readFileSync } from 'node:fs'

const manifest = new URL('../package.json', import.meta.url)

/** The version of this service, from its package.json, which lies beside both `src` and `dist`. */
export const version: string = JSON.parse(readFileSync(manifest, 'utf8')).version
