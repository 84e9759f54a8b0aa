import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { copyInto, type Includes } from './build-context.ts'
import { NotReplayable } from './dockerfile.ts'
import type { StagePlan, Step } from './stage-plan.ts'

export interface ReplayOptions {
  /** The build context. */
  readonly context: string
  readonly includes: Includes
  /** An empty folder. Each stage gets a folder in it. */
  readonly folder: string
  /** The folder for cache mounts. */
  readonly caches: string
  /** The environment of commands, in addition to that of the Dockerfile. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Executes the steps of all stages, each stage in its own folder. The files of the base images are not there.
 * @returns the folder of the last stage
 * @throws NotReplayable if a step fails
 */
export function replay(stages: readonly StagePlan[], options: ReplayOptions): string {
  const rootOf = (name: string) => join(options.folder, name)
  let root = options.folder
  for (const { name, base, steps } of stages) {
    root = rootOf(name)
    if (stages.some((earlier) => earlier.name === base))
      cpSync(rootOf(base), root, { recursive: true, verbatimSymlinks: true })
    mkdirSync(root, { recursive: true })
    for (const step of steps) perform(step, root, rootOf, options)
  }
  return root
}

function perform(step: Step, root: string, rootOf: (stage: string) => string, options: ReplayOptions): void {
  switch (step.does) {
    case 'make':
      mkdirSync(join(root, step.folder), { recursive: true })
      return
    case 'copy': {
      const from = step.from === null ? options.context : rootOf(step.from)
      const includes = step.from === null ? options.includes : null
      for (const source of step.sources) copyInto(from, source, join(root, step.target), includes)
      return
    }
    case 'run':
      run(step, root, options)
  }
}

function run(step: Extract<Step, { does: 'run' }>, root: string, { caches, env }: ReplayOptions): void {
  const links = step.caches.map((cache) => {
    const [kept, link] = [join(caches, cache), join(root, cache)]
    for (const folder of [kept, dirname(link)]) mkdirSync(folder, { recursive: true })
    symlinkSync(kept, link)
    return link
  })
  const { status, stdout, stderr } = spawnSync('sh', ['-c', step.command], {
    cwd: join(root, step.folder),
    env: { ...env, HOME: join(root, 'root'), ...step.env },
    encoding: 'utf8',
  })
  for (const link of links) rmSync(link)
  if (status !== 0) throw new NotReplayable(`line ${step.line}: RUN failed: ${step.command}\n${stdout}${stderr}`)
}
