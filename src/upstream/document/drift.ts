/** How a document differs from the contract: an unknown field, a value of another type, or a word that is not in its list. */
export type DriftKind = 'unknown_field' | 'wrong_type' | 'unknown_value'

/**
 * Called for a difference that a document has `count` times, once by default. The path consists of field names and never
 * contains values.
 */
export type ReportDrift = (kind: DriftKind, path: string, count?: number) => void

export interface DriftCount {
  readonly kind: DriftKind
  /** For example `execution_steps[].step.new_field`. */
  readonly path: string
  readonly count: number
}

export type DriftTally = Readonly<ReturnType<typeof createDriftTally>>

/** The path under which all further paths are counted: their number is limited, because upstream chooses them. */
const overflowPath = '(more)'

/**
 * Counts drift by path.
 * @param onFirst called when a path has drift of a kind for the first time; nothing by default
 * @param maxPaths how many paths are counted separately
 */
export function createDriftTally(onFirst: (kind: DriftKind, path: string) => void = () => {}, maxPaths = 500) {
  const counts = new Map<string, { kind: DriftKind; path: string; count: number }>()

  function report(kind: DriftKind, path: string, count = 1): void {
    const known = counts.get(`${kind} ${path}`)
    if (known) known.count += count
    else if (path !== overflowPath && counts.size >= maxPaths) report(kind, overflowPath, count)
    else {
      counts.set(`${kind} ${path}`, { kind, path, count })
      onFirst(kind, path)
    }
  }

  return {
    report,
    /** The most frequent first. */
    counts: (): DriftCount[] => [...counts.values()].map((row) => ({ ...row })).sort((a, b) => b.count - a.count),
  }
}
