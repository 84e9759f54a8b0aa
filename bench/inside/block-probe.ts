import { monitorEventLoopDelay } from 'node:perf_hooks'

/** The reply to any message: how long the event loop was held at most since the last one, in milliseconds. */
export type BlockReading = number

// The service preloads this file with `--import`, so that `src` needs no code for the bench.
const resolutionMs = 1
const delays = monitorEventLoopDelay({ resolution: resolutionMs })
delays.enable()

process.on('message', () => {
  const longest: BlockReading = Math.max(0, delays.max / 1e6 - resolutionMs)
  process.send?.(longest)
  delays.reset()
})
process.channel?.unref()
