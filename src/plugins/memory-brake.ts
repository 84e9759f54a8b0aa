export interface MemoryBrakeOptions {
  /** What the process may have before it is killed. */
  readonly limitBytes: number
  /** Of the limit, from which on memory is short at first. */
  readonly share: number
  /** How long it may stay short in one go. */
  readonly longestMs: number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
}

/**
 * Says whether memory is short enough to turn callers away; to be told the resident set size every so often. That hardly
 * ever shrinks, for what was freed stays with the process to be used again. So what has been held for `longestMs` with
 * nothing coming in is taken for what the process needs: it is short again beyond half of what is left to the limit.
 */
export function createMemoryBrake(options: MemoryBrakeOptions): (rssBytes: number) => boolean {
  const { limitBytes, share, longestMs, elapsed } = options
  let markBytes = limitBytes * share
  let shortSinceMs: number | null = null

  return (rssBytes) => {
    if (rssBytes > markBytes) {
      shortSinceMs ??= elapsed()
      if (elapsed() - shortSinceMs < longestMs) return true
      // Beyond the limit and alive: the limit is not what it seems, but growing is still worth a pause.
      markBytes = Math.max(rssBytes, (rssBytes + limitBytes) / 2)
    }
    shortSinceMs = null
    return false
  }
}
