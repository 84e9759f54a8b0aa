/** Where the service is on its way: not listening yet, taking work, or on its way out. */
export type LifecycleState = 'starting' | 'serving' | 'draining'

/** What readiness, the metrics and the end of the process read, so that all of them tell the same. */
export interface Lifecycle {
  readonly state: () => LifecycleState
  /** Requests of callers whose answer has not left yet, and neither has the caller. */
  readonly requestsInFlight: () => number
  /** Both listeners are open. Changes nothing when the end has begun meanwhile. */
  readonly serve: () => void
  /** The end begins; nothing leads back. */
  readonly drain: () => void
  readonly requestBegan: () => void
  readonly requestEnded: () => void
}

/** One process's way from `starting` to `draining`, which may leave out what is in between. */
export function createLifecycle(): Lifecycle {
  let state: LifecycleState = 'starting'
  let inFlight = 0
  return {
    state: () => state,
    requestsInFlight: () => inFlight,
    serve: () => {
      if (state === 'starting') state = 'serving'
    },
    drain: () => {
      state = 'draining'
    },
    requestBegan: () => {
      inFlight += 1
    },
    requestEnded: () => {
      inFlight -= 1
    },
  }
}
