import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Admission, copyInto } from './build-context.ts'
import { NotReplayable } from './dockerfile.ts'
import type { StagePlan, Step } from './stage-plan.ts'

export interface ReplayOptions {
  /** The build context. */
  readonly context: string
  readonly admits: Admission
  /** An empty folder, in which every stage gets one of its own. */
  readonly folder: string
  /** For what outlives a step. */
  readonly caches: string
  /** What commands get besides what the Dockerfile sets. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Does what the stages ask for, each in a folder that stands for its file system, without what the base image brings.
 * @returns the folder of the last stage
 * @throws NotReplayable when a step fails
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
      const admits = step.from === null ? options.admits : null
      for (const source of step.sources) copyInto(from, source, join(root, step.target), admits)
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
