import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What the probe answers when it is sent anything: since it was last asked. */
export interface SoakReading {
  /** How much later than due the event loop came round, in milliseconds. */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

/** Preloaded into the service by `--import`, so that nothing of it is in `src`. */
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
