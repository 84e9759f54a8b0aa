import { cpSync, existsSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { NotReplayable } from './dockerfile.ts'

/** Whether a path is sent to the engine. The path is relative to the build context and has slashes. */
export type Includes = (path: string) => boolean

/**
 * Reads a .dockerignore. Of all rules that match a path or a folder above it, the last one decides.
 * @throws NotReplayable for a pattern other than `*` and plain paths
 */
export function readDockerignore(text: string): Includes {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ includes: line.startsWith('!'), pattern: line.replace(/^!/, '').replace(/^\/|\/$/g, '') }))
  for (const { pattern } of rules)
    if (pattern !== '*' && /[*?[\\]/.test(pattern))
      throw new NotReplayable(`.dockerignore: ${pattern} is not supported`)
  return (path) =>
    rules.findLast(({ pattern }) => pattern === '*' || path === pattern || path.startsWith(`${pattern}/`))?.includes ??
    true
}

/**
 * Copies as COPY does: the content of a folder, or a file. If the target ends with a slash, the file is copied into it.
 * @param includes null for a copy from another stage
 * @throws NotReplayable for a source that does not exist or is not sent to the engine
 */
export function copyInto(root: string, source: string, target: string, includes: Includes | null): void {
  const from = join(root, source)
  const isIncluded = (path: string) => includes?.(relative(root, path)) ?? true
  if (!existsSync(from) || !isIncluded(from)) throw new NotReplayable(`${source}: there is nothing to copy`)
  const isFolder = statSync(from).isDirectory()
  cpSync(from, target.endsWith('/') && !isFolder ? join(target, basename(from)) : target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: isIncluded,
  })
}
