import type { ServerProblem } from './shared-server.ts'

/**
 * What the tier said about a contact that was not in the memory of this replica, or was too old there. `hit`: fresh enough.
 * `absent`: Hilos does not have it. `failed`: the failure that another replica met a moment ago. `lead`: this replica asks
 * Hilos. `follow`: another one is asking. `stale`: what came along stood in for an answer of Hilos. `skipped`: the tier was
 * not asked, or did not answer in time.
 */
export type ReadVerdict = 'hit' | 'stale' | 'absent' | 'failed' | 'lead' | 'follow' | 'skipped'

/**
 * What became of an answer of Hilos that was to be shared. `lost`: the contact was forgotten meanwhile, or another replica took
 * over. `older`: what the tier has was answered later. `full`: the server has no memory left. `skipped`: the load began without
 * a lease, or the server did not answer.
 */
export type PutVerdict = 'stored' | 'lost' | 'older' | 'full' | 'too_large' | 'skipped'

/** What the ration said to a call. `now`, `later` and `paused` are the tier's words; `share`: a call of a detached replica. */
export type SlotVerdict = 'now' | 'later' | 'paused' | 'share'

/** Hears what happens to the shared tier, for logs and metrics. No part of it may throw. */
export interface SharedTierObserver {
  /** A script has ended. It was not asked for while the tier was detached, so that this says nothing then. */
  readonly operationEnded: (operation: string, outcome: 'ok' | ServerProblem, durationMs: number) => void
  /** The tier is attached, after this time without it. */
  readonly attached: (afterMs: number) => void
  /**
   * The tier is detached, after this time with it. Also said at the start when the first attempt fails, with 0, and not again
   * for the following attempts.
   */
  readonly detached: (problem: ServerProblem, afterMs: number) => void
  readonly read: (verdict: ReadVerdict) => void
  readonly put: (verdict: PutVerdict) => void
  /** This replica asks Hilos in place of another one, whose lease has run out. */
  readonly tookOver: () => void
  /** An entry does not open with any of the cache keys. */
  readonly unopened: () => void
  /** An event arrived this long after it was written, by the clock of the server. */
  readonly eventHeard: (delayMs: number) => void
  /** The server no longer has the events that this replica has not heard: it lost its memory, or another one took over. */
  readonly memoryLost: () => void
  readonly slot: (verdict: SlotVerdict) => void
  /**
   * An operator had a contact forgotten, or all contacts for true, and asked another replica for it.
   * @param purge the word that both replicas log
   */
  readonly forgottenElsewhere: (isAll: boolean, purge: string) => void
}
