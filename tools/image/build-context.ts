import { cpSync, existsSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { NotReplayable } from './dockerfile.ts'

/** Whether a path, relative to the context and with slashes, gets to the engine. */
export type Admission = (path: string) => boolean

/**
 * What a .dockerignore lets through: of all rules that match a path or a folder above it, the last one decides.
 * @throws NotReplayable for a pattern other than `*` and plain paths
 */
export function readDockerignore(text: string): Admission {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ admits: line.startsWith('!'), pattern: line.replace(/^!/, '').replace(/^\/|\/$/g, '') }))
  for (const { pattern } of rules)
    if (pattern !== '*' && /[*?[\\]/.test(pattern))
      throw new NotReplayable(`.dockerignore: ${pattern} is not understood`)
  return (path) =>
    rules.findLast(({ pattern }) => pattern === '*' || path === pattern || path.startsWith(`${pattern}/`))?.admits ??
    true
}

/**
 * Copies as COPY does: of a folder what is in it, of a file itself, into the target if that ends with a slash.
 * @param admits null for what comes from another stage
 * @throws NotReplayable for a source that is not there, or does not get to the engine
 */
export function copyInto(root: string, source: string, target: string, admits: Admission | null): void {
  const from = join(root, source)
  const reaches = (path: string) => admits?.(relative(root, path)) ?? true
  if (!existsSync(from) || !reaches(from)) throw new NotReplayable(`${source}: there is nothing to copy`)
  const isFolder = statSync(from).isDirectory()
  cpSync(from, target.endsWith('/') && !isFolder ? join(target, basename(from)) : target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: reaches,
  })
}
