import { monitorEventLoopDelay } from 'node:perf_hooks'

/** The reply of the probe to any message. */
export interface SoakReading {
  /** The lag of the event loop since the last reading, in milliseconds. */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

// The service preloads this file with `--import`, so that `src` needs no code for the bench.
const resolutionMs = 10
const delays = monitorEventLoopDelay({ resolution: resolutionMs })
delays.enable()

process.on('message', () => {
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs)
  const lagMs = { p50: late(delays.percentile(50)), p99: late(delays.percentile(99)), max: late(delays.max) }
  const { rss, heapUsed, external } = process.memoryUsage()
  const reading: SoakReading = { lagMs, rss, heapUsed, external }
  process.send?.(reading)
  delays.reset()
})
process.channel?.unref()
