import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import { Failure } from '../failures/failure.ts'
import type { ShedReason } from '../telemetry/metrics.ts'
import { createMemoryBrake } from './memory-brake.ts'

export interface LoadSheddingOptions {
  /** How often the event loop and the memory are looked at; what is seen holds until the next look. */
  readonly sampleMs: number
  /** How late the event loop may come round, on average over a sample; 0 for no limit. */
  readonly maxEventLoopDelayMs: number
  /** What the process may have before it is killed; null when nobody says so. */
  readonly memoryLimitBytes: number | null
  /** Of that, from which on memory is short. */
  readonly memoryShare: number
  /** For how long requests are shed in one go because memory is short. */
  readonly longestMemorySpellMs: number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** Told of each request that is turned away. */
  readonly onShed: (reason: ShedReason) => void
}

/**
 * Turns requests away while this process is short of time or memory, with the failure `overloaded`, before anything is
 * done for them. Register it after what makes refusals readable, and never where probes ask: a process that is busy must
 * not be restarted for it.
 */
export async function shedLoad(app: FastifyInstance, options: LoadSheddingOptions): Promise<void> {
  const { sampleMs, maxEventLoopDelayMs, memoryLimitBytes, onShed } = options
  const memory = memoryLimitBytes && {
    // The plugin's own limit of memory would turn callers away for ever.
    healthCheck: checkMemory(app, { ...options, memoryLimitBytes }),
    healthCheckInterval: sampleMs,
  }
  let isStarting = true
  app.addHook('onListen', (done) => {
    // The sample under way is of the start, in which the event loop does not come round and nobody is kept waiting.
    setTimeout(() => {
      isStarting = false
    }, 2 * sampleMs).unref()
    done()
  })
  await app.register(underPressure, {
    sampleInterval: sampleMs,
    maxEventLoopDelay: maxEventLoopDelayMs,
    ...memory,
    pressureHandler: (_request, _reply, type) => {
      const reason = type === underPressure.TYPE_EVENT_LOOP_DELAY ? 'event-loop-delay' : 'memory'
      if (isStarting && reason === 'event-loop-delay') return
      onShed(reason)
      throw new Failure('overloaded', { facts: { reason } })
    },
  })
}

function checkMemory(app: FastifyInstance, options: LoadSheddingOptions & { readonly memoryLimitBytes: number }) {
  const { memoryLimitBytes, memoryShare, longestMemorySpellMs, elapsed } = options
  const isShort = createMemoryBrake({
    limitBytes: memoryLimitBytes,
    share: memoryShare,
    longestMs: longestMemorySpellMs,
    elapsed,
  })
  return async () => !isShort(app.memoryUsage().rssBytes)
}
