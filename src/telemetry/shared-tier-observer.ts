import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import { registerHistogram } from './histogram.ts'

const operationSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25]
const delaySeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5]

/** What is logged once in the time in which the tier is attached, by the word for it. */
const remarks = {
  full: 'the server of the shared tier is full and stores nothing new',
  denied: 'the user of the shared tier may not run a command',
  unopened: 'an entry of the shared tier does not open: cache keys differ, or something else writes there',
} as const

/**
 * Counts and logs what happens to the shared tier. Its metrics exist from now on.
 * @returns a `SharedTierObserver`, which this folder may not name
 */
export function createSharedTierObserver(registry: Registry, logger: Logger) {
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Counter({ name: `hilos_bff_${name}`, help, labelNames, registers })
  const operations = counter(
    'shared_tier_operations_total',
    'Scripts that the server of the shared tier was asked to run, by outcome.',
    ...['operation', 'outcome'],
  )
  const operationDuration = registerHistogram(
    registry,
    'hilos_bff_shared_tier_operation_seconds',
    'Time of a script, to its reply or the end of the wait for it.',
    operationSeconds,
  )
  const reads = counter('shared_tier_reads_total', 'What the shared tier said about a contact, by verdict.', 'verdict')
  const puts = counter('shared_tier_puts_total', 'What became of answers to be shared, by verdict.', 'verdict')
  const takeovers = counter('shared_tier_takeovers_total', 'Loads taken over from a replica whose lease ran out.')
  const unopenedEntries = counter('shared_tier_unopened_total', 'Entries that none of the cache keys opens.')
  const eventDelay = registerHistogram(
    registry,
    'hilos_bff_shared_tier_event_delay_seconds',
    'Time from the writing of an event to its arrival here.',
    delaySeconds,
  )({})
  const resets = counter('shared_tier_resets_total', 'Times that the server no longer had events not heard here.')
  const slots = counter('hilos_slots_total', 'What the ration said to calls that wait, by verdict.', 'verdict')
  // An alert needs its series to exist before the first event.
  puts.inc({ verdict: 'full' }, 0)
  /** What has been logged since the tier was last attached. */
  const remarked = new Set<keyof typeof remarks>()

  function remarkOnce(word: keyof typeof remarks, facts: object = {}): void {
    if (remarked.has(word)) return
    remarked.add(word)
    logger.warn(facts, remarks[word])
  }

  return {
    operationEnded: (operation: string, outcome: string, durationMs: number) => {
      operations.inc({ operation, outcome })
      operationDuration({ operation })(durationMs / 1000)
      if (outcome === 'full' || outcome === 'denied') remarkOnce(outcome, { operation })
    },
    attached: (afterMs: number) => {
      remarked.clear()
      logger.info({ detachedMs: Math.round(afterMs) }, 'shared tier attached')
    },
    detached: (reason: string, afterMs: number) =>
      logger.warn(
        { reason, attachedMs: Math.round(afterMs) },
        'shared tier detached, this replica continues by itself',
      ),
    read: (verdict: string) => reads.inc({ verdict }),
    put: (verdict: string) => puts.inc({ verdict }),
    tookOver: () => takeovers.inc(),
    unopened: () => {
      unopenedEntries.inc()
      remarkOnce('unopened')
    },
    eventHeard: (delayMs: number) => eventDelay(delayMs / 1000),
    memoryLost: () => {
      resets.inc()
      logger.warn('the server of the shared tier has lost its memory')
    },
    slot: (verdict: string) => slots.inc({ verdict }),
    forgottenElsewhere: (isAll: boolean, purge: string) =>
      logger.info(
        { purge },
        isAll ? 'another replica has emptied the cache' : 'another replica has removed a contact from the cache',
      ),
  }
}
