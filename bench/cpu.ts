import { readdirSync, readFileSync } from 'node:fs'

/** The kernel counts in these (sysconf _SC_CLK_TCK), and has on every Linux for decades. */
const ticksPerSecond = 100

interface ProcessTimes {
  readonly pid: number
  readonly parent: number
  /** User and system time of all its threads, in clock ticks. */
  readonly ticks: number
}

/** CPU time that these processes and all that descend from them have used, in microseconds, user and system. */
export function cpuMicros(pids: readonly number[]): number {
  const wanted = new Set(familyOf(pids))
  const ticks = allProcesses()
    .filter(({ pid }) => wanted.has(pid))
    .reduce((sum, process) => sum + process.ticks, 0)
  return (ticks / ticksPerSecond) * 1e6
}

/** The processes and all that descend from them. */
export function familyOf(pids: readonly number[]): number[] {
  const processes = allProcesses()
  const family = new Set(pids)
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid)
  }
  return [...family]
}

/** Resident memory of these processes and their descendants, in bytes; pages they share count more than once. */
export function residentBytes(pids: readonly number[]): number {
  const kibibytes = familyOf(pids).map((pid) =>
    Number(/^VmRSS:\s*(\d+) kB$/m.exec(readProc(`${pid}/status`))?.[1] ?? 0),
  )
  return kibibytes.reduce((sum, each) => sum + each, 0) * 1024
}

function allProcesses(): ProcessTimes[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => timesOf(Number(name)))
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the name in brackets may hold anything, even spaces. */
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
