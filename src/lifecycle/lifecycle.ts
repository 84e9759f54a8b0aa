/** The phase of the process: not listening yet, accepting requests, or ending. */
export type LifecycleState = 'starting' | 'serving' | 'draining'

/** The state of the process, which readiness, metrics and shutdown share. */
export type Lifecycle = Readonly<ReturnType<typeof createLifecycle>>

/** Creates a lifecycle in the state `starting`. A process that is stopped in this state never serves. */
export function createLifecycle() {
  let state: LifecycleState = 'starting'
  let inFlight = 0
  return {
    state: () => state,
    /** Requests of callers in flight: the response is not complete, and the caller is still connected. */
    requestsInFlight: () => inFlight,
    /** Call this when both listeners are open. It has no effect while draining. */
    serve: () => {
      if (state === 'starting') state = 'serving'
    },
    /** Call this when the shutdown begins. It cannot be undone. */
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
