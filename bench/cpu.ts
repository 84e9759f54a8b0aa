import { readdirSync, readFileSync } from 'node:fs'

/** The unit of CPU times in /proc (sysconf _SC_CLK_TCK). It is 100 on all common Linux systems. */
const ticksPerSecond = 100

interface ProcessTimes {
  readonly pid: number
  readonly parent: number
  /** User and system time of all its threads, in clock ticks. */
  readonly ticks: number
}

/** Returns the user and system CPU time of these processes and their descendants, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  const wanted = new Set(withDescendants(pids))
  const ticks = allProcesses()
    .filter(({ pid }) => wanted.has(pid))
    .reduce((sum, process) => sum + process.ticks, 0)
  return (ticks / ticksPerSecond) * 1e6
}

/** Returns the processes and all their descendants. */
export function withDescendants(pids: readonly number[]): number[] {
  const processes = allProcesses()
  const found = new Set(pids)
  for (let size = 0; size !== found.size; ) {
    size = found.size
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid)
  }
  return [...found]
}

/** Returns the resident memory of these processes and their descendants, in bytes. Shared pages count more than once. */
export function residentBytes(pids: readonly number[]): number {
  const kibibytes = withDescendants(pids).map((pid) =>
    Number(/^VmRSS:\s*(\d+) kB$/m.exec(readProc(`${pid}/status`))?.[1] ?? 0),
  )
  return kibibytes.reduce((sum, each) => sum + each, 0) * 1024
}

function allProcesses(): ProcessTimes[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => timesOf(Number(name)))
}

/** See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html. The name in brackets can contain spaces and brackets. */
function timesOf(pid: number): ProcessTimes {
  const stat = readProc(`${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid, parent: Number(fields[1] ?? 0), ticks: Number(fields[11] ?? 0) + Number(fields[12] ?? 0) }
}

/** Empty for a process that has just ended. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}
