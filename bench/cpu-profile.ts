/** The fields of a profile by `node --cpu-prof` that are used here. https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Ids of nodes. */
  readonly samples: readonly number[]
  /** Microseconds between the samples. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

export interface SelfTime {
  readonly name: string
  /** The share of the time that was not idle, from 0 to 1. */
  readonly share: number
}

/**
 * Returns the time that was spent in functions themselves, without the functions that they call, the largest first.
 * @param skipMicros the time at the beginning that is left out, in microseconds
 * @param nameOf the name under which the time of a function is added up
 */
export function selfTimes(
  { nodes, samples, timeDeltas }: CpuProfile,
  skipMicros: number,
  nameOf: (node: ProfileNode) => string,
): SelfTime[] {
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]))
  const micros = new Map<string, number>()
  let at = 0
  let total = 0
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index + 1] ?? 0
    at += delta
    const name = names.get(id) ?? '(unknown)'
    if (at < skipMicros || name === '(idle)') continue
    micros.set(name, (micros.get(name) ?? 0) + delta)
    total += delta
  }
  const times = [...micros].map(([name, own]) => ({ name, share: own / total }))
  return times.sort((a, b) => b.share - a.share)
}

/** Returns the package, the file of this project, or the module of Node.js that a function belongs to. */
export function moduleOf({ callFrame: { url, functionName, lineNumber } }: ProfileNode): string {
  const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? []
  if (name !== undefined) return name
  if (url === '' && functionName.startsWith('(')) return functionName
  if (url === '') return lineNumber < 0 ? 'native functions of Node.js' : 'code generated at run time'
  return /\/(dist\/.*)$/.exec(url)?.[1] ?? (url.startsWith('node:') ? url : 'other files')
}

/** Returns the name of a function with its module and line. */
export function functionOf(node: ProfileNode): string {
  const { functionName, lineNumber } = node.callFrame
  const module = moduleOf(node)
  if (module === functionName) return functionName
  const place = lineNumber < 0 ? module : `${module}:${lineNumber + 1}`
  return `${functionName === '' ? '(anonymous)' : functionName} (${place})`
}
