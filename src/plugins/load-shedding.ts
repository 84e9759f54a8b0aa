import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../common/clock.ts'
import { residentBytes } from '../common/memory.ts'
import type { SheddingSettings } from '../config/config.ts'
import { Failure } from '../failures/failure.ts'
import type { ShedReason } from '../telemetry/metrics.ts'

export interface LoadSheddingOptions extends SheddingSettings {
  readonly clock: Pick<Clock, 'elapsed'>
  /** Whether the log can take no further record of a disclosure. */
  readonly isLogFull: () => boolean
  /** Called for each request that is rejected. */
  readonly onShed: (reason: ShedReason) => void
}

/** In milliseconds. The histogram counts how late a timer of this interval fires. */
const resolution = 10

/**
 * Rejects requests with `overloaded`, before any work is done for them, while the event loop is late, memory is short or the
 * log is full. The first two are sampled from the moment the server listens, and a sample holds until the next one. The event
 * loop of the first sample does not count, because a start keeps it busy. Register it after the plugins that make a
 * rejection readable, and not where probes ask: a busy process must not be restarted.
 */
export function shedLoad(app: FastifyInstance, options: LoadSheddingOptions): void {
  const { sampleMs, maxEventLoopDelayMs, memoryLimitBytes, isLogFull, onShed } = options
  const delays = monitorEventLoopDelay({ resolution })
  const isMemoryShort = memoryLimitBytes === null ? () => false : createMemoryBrake({ ...options, memoryLimitBytes })
  let sampled: ShedReason | null = null
  let isFirstSample = true

  function sample(): void {
    const delayMs = delays.mean / 1e6 - resolution
    delays.reset()
    // The mean of a histogram without values is NaN: the event loop was blocked for the whole sample.
    const isLate = !isFirstSample && maxEventLoopDelayMs > 0 && !(delayMs <= maxEventLoopDelayMs)
    isFirstSample = false
    const isShort = isMemoryShort(residentBytes())
    sampled = isLate ? 'event-loop-delay' : isShort ? 'memory' : null
  }

  app.addHook('onListen', (done) => {
    delays.enable()
    const sampling = setInterval(sample, sampleMs).unref()
    app.server.once('close', () => {
      clearInterval(sampling)
      delays.disable()
    })
    done()
  })
  app.addHook('onRequest', (_request, _reply, done) => {
    const reason = isLogFull() ? 'log' : sampled
    if (reason === null) return done()
    onShed(reason)
    done(new Failure('overloaded', { facts: { reason } }))
  })
}

export interface MemoryBrakeOptions extends Pick<SheddingSettings, 'memoryShare' | 'longestMemoryBurstMs'> {
  /** The memory that the process may have before it is killed. */
  readonly memoryLimitBytes: number
  readonly clock: Pick<Clock, 'elapsed'>
}

/**
 * Says whether memory is short, given the resident set size at each sample. The resident set size rarely shrinks, because
 * the process keeps freed memory for later use. So memory that stays in use for `longestMemoryBurstMs` while all requests
 * are rejected counts as what the process needs, and memory is short again beyond half of the rest.
 */
export function createMemoryBrake(options: MemoryBrakeOptions): (rssBytes: number) => boolean {
  const { memoryLimitBytes, memoryShare, longestMemoryBurstMs, clock } = options
  let thresholdBytes = memoryLimitBytes * memoryShare
  let shortSinceMs: number | null = null

  return (rssBytes) => {
    if (rssBytes > thresholdBytes) {
      shortSinceMs ??= clock.elapsed()
      if (clock.elapsed() - shortSinceMs < longestMemoryBurstMs) return true
      // Beyond the limit and not killed: the limit is higher than it seems, but growth is still worth a pause.
      thresholdBytes = Math.max(rssBytes, (rssBytes + memoryLimitBytes) / 2)
    }
    shortSinceMs = null
    return false
  }
}
