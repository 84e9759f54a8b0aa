import type { Cancel, Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import { Failure } from '../failures/failure.ts'

/** A stream, or a request that is held until something changes. */
export interface Watcher {
  readonly kind: 'stream' | 'poll'
  /** Called at regular intervals. */
  readonly tick?: () => void
  /**
   * Called once, when the service shuts down. It ends in good order.
   * @param graceMs for a reader that is slow
   */
  readonly drain: (graceMs: number) => void
}

/** The place of one watcher among those that are allowed. */
export interface Place {
  /** The watcher is open from now on. */
  readonly open: (watcher: Watcher) => void
  /** The place is free again. A second time it does nothing. */
  readonly leave: () => void
}

export interface StreamsOptions extends Pick<Config['streams'], 'max' | 'maxOfCaller' | 'sweepMs'> {
  /** While the service shuts down, no request is held. */
  readonly isDraining: () => boolean
  readonly clock: Pick<Clock, 'schedule'>
}

export type Streams = Readonly<ReturnType<typeof createStreams>>

/** Limits the streams and held requests, of one caller and of all, and looks at all of them with one timer. */
export function createStreams({ max, maxOfCaller, sweepMs, isDraining, clock }: StreamsOptions) {
  const placesOf = new Map<string, number>()
  const watchers = new Set<Watcher>()
  let taken = 0
  let cancelSweep: Cancel = () => {}
  let drainGraceMs: number | null = null

  function refusal(caller: string): Failure | null {
    if (placesTakenBy(caller) >= maxOfCaller) return new Failure('too_many_streams')
    return taken >= max ? new Failure('overloaded', { facts: { reason: 'streams' } }) : null
  }

  const placesTakenBy = (caller: string) => placesOf.get(caller) ?? 0

  function takeFree(caller: string): Place {
    taken += 1
    placesOf.set(caller, placesTakenBy(caller) + 1)
    let opened: Watcher | undefined
    let isLeft = false

    return {
      open: (watcher) => {
        opened = watcher
        watchers.add(watcher)
        if (drainGraceMs !== null) watcher.drain(drainGraceMs)
        else if (watchers.size === 1) sweepLater()
      },
      leave: () => {
        if (isLeft) return
        isLeft = true
        taken -= 1
        giveBack(caller)
        if (opened) watchers.delete(opened)
        if (watchers.size === 0) cancelSweep()
      },
    }
  }

  function giveBack(caller: string): void {
    const left = placesTakenBy(caller) - 1
    if (left === 0) placesOf.delete(caller)
    else placesOf.set(caller, left)
  }

  function sweepLater(): void {
    cancelSweep = clock.schedule(() => {
      sweepLater()
      for (const watcher of watchers) watcher.tick?.()
    }, sweepMs)
  }

  function drain(graceMs: number): void {
    drainGraceMs = graceMs
    cancelSweep()
    for (const watcher of watchers) watcher.drain(graceMs)
  }

  return {
    /**
     * Takes a place for a stream.
     * @throws Failure `too_many_streams` or `overloaded`
     */
    take: (caller: string): Place => {
      const refused = refusal(caller)
      if (refused) throw refused
      return takeFree(caller)
    },
    /** Takes a place for a request that can be answered without waiting; null if there is none. */
    takeIfFree: (caller: string): Place | null => (refusal(caller) || isDraining() ? null : takeFree(caller)),
    /** Ends all, and each that is opened afterwards. */
    drain,
    count: (kind: Watcher['kind']) => [...watchers].filter((each) => each.kind === kind).length,
  }
}
