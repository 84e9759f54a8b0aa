import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

/** What the probe answers when it is sent anything. */
export interface MemoryReading {
  /** Forced full collections, one after the other, in milliseconds. */
  readonly fullCollectionsMs: readonly number[]
  /** The longest of the major collections that V8 began by itself since the last reading, in milliseconds. */
  readonly longestMajorMs: number
  /** After the collections, in bytes. */
  readonly heapUsed: number
  readonly external: number
  readonly rss: number
}

/** Preloaded into the service by `--import`, with `--expose-gc`, so that nothing of it is in `src`. */
const forced = 7
let longestMajorMs = 0

const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (isMajor(entry)) longestMajorMs = Math.max(longestMajorMs, entry.duration)
})
observer.observe({ entryTypes: ['gc'] })

process.on('message', () => {
  const longest = longestMajorMs
  const fullCollectionsMs = Array.from({ length: forced }, collect)
  const { heapUsed, external, rss } = process.memoryUsage()
  const reading: MemoryReading = { fullCollectionsMs, longestMajorMs: longest, heapUsed, external, rss }
  process.send?.(reading)
  // The entries of what was forced arrive later.
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
