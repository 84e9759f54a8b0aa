/** How a document strays from the contract: a field nobody announced, a value of another type, a word outside its list. */
export type DriftKind = 'unknown_field' | 'wrong_type' | 'unknown_value'

/** Told once for each stray place in a document. `path` names places, never values. */
export type ReportDrift = (kind: DriftKind, path: string) => void

export interface DriftCount {
  readonly kind: DriftKind
  /** For example `execution_steps[].step.new_field`. */
  readonly path: string
  readonly count: number
}

export interface DriftTally {
  readonly report: ReportDrift
  /** Most frequent first. */
  readonly counts: () => DriftCount[]
}

/** Paths are upstream's to choose, so their number is bounded; the rest is counted under this one. */
const beyondTheBound = '(more)'

/**
 * Counts drift by path for as long as the process lives.
 * @param onFirst told when a path strays for the first time
 * @param maxPaths how many paths are told apart
 */
export function createDriftTally(onFirst: ReportDrift, maxPaths = 500): DriftTally {
  const counts = new Map<string, { kind: DriftKind; path: string; count: number }>()

  function report(kind: DriftKind, path: string): void {
    const known = counts.get(`${kind} ${path}`)
    if (known) known.count += 1
    else if (path !== beyondTheBound && counts.size >= maxPaths) report(kind, beyondTheBound)
    else {
      counts.set(`${kind} ${path}`, { kind, path, count: 1 })
      onFirst(kind, path)
    }
  }

  return {
    report,
    counts: () => [...counts.values()].map((row) => ({ ...row })).sort((a, b) => b.count - a.count),
  }
}
