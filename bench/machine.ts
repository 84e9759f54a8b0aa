import { execFileSync, spawnSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** The machine and the time of a run. */
export interface Machine {
  /** RFC 3339, UTC. */
  readonly date: string
  /** The abbreviated hash; it ends in `-dirty` if there were uncommitted changes. */
  readonly commit: string
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly pinning: string
  readonly versions: Readonly<Record<string, string>>
  /** The load average of the last minute before the bench began. */
  readonly loadBefore: number
  readonly loadAfter: number
}

/** @param pinning the assignment of the cores as text */
export function describeMachine(pinning: string): Omit<Machine, 'loadAfter'> {
  return {
    date: `${new Date().toISOString().slice(0, 19)}Z`,
    commit: commitOf(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    pinning,
    versions: {
      node: process.versions.node,
      wrk: versionOf('wrk', ['-v']),
      nginx: versionOf('nginx', ['-v']),
      varnish: versionOf('varnishd', ['-V']),
    },
    loadBefore: loadavg()[0] ?? Number.NaN,
  }
}

export function loadNow(): number {
  return loadavg()[0] ?? Number.NaN
}

function commitOf(): string {
  try {
    const git = (...args: readonly string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
    const changed = git('status', '--porcelain', '--', ':/', ':!bench/results') !== ''
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '-dirty' : ''}`
  } catch {
    return 'unknown'
  }
}

function versionOf(command: string, args: readonly string[]): string {
  const { error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) return 'not installed'
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown version'
}
