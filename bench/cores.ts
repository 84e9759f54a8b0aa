import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The core of each kind of process; null if it is not pinned. */
export interface Cores {
  /** For the servers that are measured. */
  readonly server: number | null
  /** For load generators, readers of logs, and the bench itself. */
  readonly load: number | null
  /** For the fake Hilos of the bench: a separate core if there are three. */
  readonly upstream: number | null
  /** The assignment as text, for the report. */
  readonly description: string
}

/** Assigns the cores that this process may use, and moves this process to the core of the load. */
export function assignCores(): Cores {
  const allowed = allowedCores()
  const [first = null, second = null] = allowed
  const last = allowed.at(-1) ?? null
  const unpinned = { server: null, load: null, upstream: null }
  if (last === null || first === last)
    return { ...unpinned, description: 'there is only one core, so no process is pinned' }
  if (spawnSync('taskset', ['-cp', String(first), String(process.pid)]).status !== 0)
    return { ...unpinned, description: 'taskset is not installed, so no process is pinned' }
  const upstream = allowed.length > 2 ? second : first
  const description = `servers on core ${last}, load on core ${first}, upstream on core ${upstream}`
  return { server: last, load: first, upstream, description }
}

/** Reads the list of the kernel, for example `0-3,8`. */
function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}
