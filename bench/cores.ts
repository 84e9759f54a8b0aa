import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Which core does what; null means that nothing is pinned there. */
export interface Cores {
  /** What is measured. */
  readonly server: number | null
  /** Whoever asks, whoever reads the log, and the bench itself. */
  readonly load: number | null
  /** The bench's Hilos: a core of its own where there are three. */
  readonly upstream: number | null
  /** For the report. */
  readonly description: string
}

/** Shares the cores this process may use, and moves this process to that of the load. */
export function shareCores(): Cores {
  const allowed = allowedCores()
  const [first = null, second = null] = allowed
  const last = allowed.at(-1) ?? null
  const unpinned = { server: null, load: null, upstream: null }
  if (last === null || first === last) return { ...unpinned, description: 'one core for everything: nothing is pinned' }
  if (spawnSync('taskset', ['-cp', String(first), String(process.pid)]).status !== 0)
    return { ...unpinned, description: 'taskset is not installed: nothing is pinned' }
  const upstream = allowed.length > 2 ? second : first
  const description = `servers on core ${last}, load on core ${first}, upstream on core ${upstream}`
  return { server: last, load: first, upstream, description }
}

/** As the kernel writes them: `0-3,8`. */
function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}
