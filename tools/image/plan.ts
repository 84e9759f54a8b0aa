import { posix } from 'node:path'
import { assignments, execForm, expanded, type Instruction, type Keyword, NotReplayable } from './dockerfile.ts'
import type { ImageConfig, StagePlan, Step } from './stage-plan.ts'

/** A stage of which not all instructions have been read. */
interface Draft {
  readonly name: string
  readonly base: string
  readonly steps: Step[]
  readonly args: Map<string, string>
  config: ImageConfig
}

const emptyConfig: ImageConfig = {
  env: {},
  labels: {},
  user: '',
  folder: '/',
  ports: [],
  stopSignal: 'SIGTERM',
  healthcheck: null,
  command: null,
}

/**
 * Returns the stages of a Dockerfile with all variables replaced. The last stage is the image. No step is executed.
 * @param buildArgs the values of `--build-arg`
 * @throws NotReplayable for an instruction that the replay does not support
 */
export function planOf(instructions: readonly Instruction[], buildArgs: Readonly<Record<string, string>>): StagePlan[] {
  const globals = new Map<string, string>()
  const drafts: Draft[] = []
  for (const instruction of instructions) {
    const draft = drafts.at(-1)
    refuseFlags(instruction)
    if (instruction.keyword === 'FROM') drafts.push(beginStage(instruction, globals, drafts))
    else if (instruction.keyword === 'ARG') addArgs(instruction, draft?.args ?? globals, globals, buildArgs)
    else if (draft) apply(instruction, draft)
    else throw new NotReplayable(`line ${instruction.line}: ${instruction.keyword} is before the first FROM`)
  }
  return drafts
}

function beginStage(instruction: Instruction, globals: Values, earlier: readonly Draft[]): Draft {
  const [base = '', as, name = String(earlier.length), ...more] = wordsOf(instruction, globals)
  if (base === '' || (as !== undefined && as.toUpperCase() !== 'AS') || more.length > 0)
    throw new NotReplayable(`line ${instruction.line}: this form of FROM is not supported`)
  const parent = earlier.find((stage) => stage.name === base)
  return { name, base, steps: [], args: new Map(), config: parent?.config ?? emptyConfig }
}

/** In a stage, an ARG without a value gets that of the same ARG before the first FROM. */
function addArgs(
  { line, text }: Instruction,
  scope: Map<string, string>,
  globals: Values,
  buildArgs: Readonly<Record<string, string>>,
): void {
  const [, name = '', , fallback] = /^(\w+)(="?([^"\s]*)"?)?$/.exec(text) ?? []
  if (name === '') throw new NotReplayable(`line ${line}: this form of ARG is not supported`)
  const value = buildArgs[name] ?? fallback ?? globals.get(name)
  if (value !== undefined) scope.set(name, value)
}

function apply(instruction: Instruction, draft: Draft): void {
  const values = new Map([...draft.args, ...Object.entries(draft.config.env)])
  const before = draft.config
  draft.config = { ...before, ...changeOf(instruction, before, values) }
  const step = stepOf(instruction, draft.config, values)
  if (step !== null) draft.steps.push(step)
}

type Values = ReadonlyMap<string, string>

/** Returns the changes of an instruction to the configuration of the image. */
function changeOf(instruction: Instruction, config: ImageConfig, values: Values): Partial<ImageConfig> {
  const { keyword, flags, text } = instruction
  const pairs = () =>
    Object.fromEntries(assignments(instruction).map(([name, value]) => [name, expanded(value, values)]))
  switch (keyword) {
    case 'ENV':
      return { env: { ...config.env, ...pairs() } }
    case 'LABEL':
      return { labels: { ...config.labels, ...pairs() } }
    case 'USER':
      return { user: expanded(text, values) }
    case 'WORKDIR':
      return { folder: posix.resolve(config.folder, expanded(text, values)) }
    case 'EXPOSE':
      return { ports: [...config.ports, ...wordsOf(instruction, values)] }
    case 'STOPSIGNAL':
      return { stopSignal: text }
    case 'CMD':
      return { command: execForm(instruction, text) }
    case 'HEALTHCHECK':
      return { healthcheck: { command: execForm(instruction, text.replace(/^CMD\s+/, '')), flags } }
    default:
      return {}
  }
}

/** Returns the changes of an instruction to the files. */
function stepOf(instruction: Instruction, config: ImageConfig, values: Values): Step | null {
  switch (instruction.keyword) {
    case 'WORKDIR':
      return { does: 'make', folder: config.folder }
    case 'COPY':
      return copyOf(instruction, config, values)
    case 'RUN':
      return runOf(instruction, config, values)
    default:
      return null
  }
}

function copyOf(instruction: Instruction, { folder }: ImageConfig, values: Values): Step {
  const { line, flags, text } = instruction
  const words = wordsOf(instruction, values)
  const [sources, target] = [words.slice(0, -1), words.slice(-1).join('')]
  if (sources.length === 0 || /[*?[]/.test(text))
    throw new NotReplayable(`line ${line}: this form of COPY is not supported`)
  const path = posix.resolve(folder, target)
  return { does: 'copy', line, from: flags.from ?? null, sources, target: target.endsWith('/') ? `${path}/` : path }
}

function runOf({ line, flags, text }: Instruction, { folder }: ImageConfig, values: Values): Step {
  if (/(^|[\s=:'"])\/\w/.test(text)) throw new NotReplayable(`line ${line}: RUN with an absolute path is not supported`)
  const [, cache] = /^type=cache,target=(\/[\w./-]+)$/.exec(flags.mount ?? '') ?? []
  if (flags.mount !== undefined && cache === undefined)
    throw new NotReplayable(`line ${line}: only cache mounts are supported`)
  const env = Object.fromEntries(values)
  return { does: 'run', line, command: text, folder, env, caches: cache === undefined ? [] : [cache] }
}

const knownFlags: Partial<Record<Keyword, readonly string[]>> = {
  COPY: ['from'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'retries'],
  RUN: ['mount'],
}

function refuseFlags({ line, keyword, flags }: Instruction): void {
  const other = Object.keys(flags).find((name) => !knownFlags[keyword]?.includes(name))
  if (other !== undefined) throw new NotReplayable(`line ${line}: ${keyword} --${other} is not supported`)
}

function wordsOf({ text }: Instruction, values: Values): string[] {
  return expanded(text, values)
    .split(/\s+/)
    .filter((word) => word !== '')
}
