import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

/** The reply of the probe to any message. */
export interface MemoryReading {
  /** The durations of forced full collections, in milliseconds. */
  readonly fullCollectionsMs: readonly number[]
  /** The duration of the longest major collection that V8 started since the last reading, in milliseconds. */
  readonly longestMajorMs: number
  /** In bytes, after the collections; so are the next two. */
  readonly heapUsed: number
  readonly external: number
  readonly rss: number
}

// The service preloads this file with `--import` and runs with `--expose-gc`, so that `src` needs no code for the bench.
const forcedCollections = 7
let longestMajorMs = 0

const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (isMajor(entry)) longestMajorMs = Math.max(longestMajorMs, entry.duration)
})
observer.observe({ entryTypes: ['gc'] })

process.on('message', () => {
  const longest = longestMajorMs
  const fullCollectionsMs = Array.from({ length: forcedCollections }, collect)
  const { heapUsed, external, rss } = process.memoryUsage()
  const reading: MemoryReading = { fullCollectionsMs, longestMajorMs: longest, heapUsed, external, rss }
  process.send?.(reading)
  // The entries of the forced collections arrive later.
  setTimeout(() => {
    longestMajorMs = 0
  }, 100).unref()
})
process.channel?.unref()

function isMajor(entry: PerformanceEntry & { readonly detail?: Partial<NodeGCPerformanceDetail> }): boolean {
  return entry.detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR
}

function collect(): number {
  const began = performance.now()
  globalThis.gc?.()
  return performance.now() - began
}
