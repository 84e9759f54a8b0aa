/** The right to send one request to Hilos. */
export interface Permit {
  /**
   * Its request is sent now, or might have been. The ration counts the time until its return from the first call of this; a
   * permit that is taken and never sent comes back only after a long time. A second call does nothing.
   */
  readonly sent: () => void
}

/** When the next call to Hilos may begin. */
export interface Ration {
  /**
   * Says that calls wait. A ration that has to ask for a permit does so now, unless it has one or asks already.
   */
  readonly want: () => void
  /** When the next call may be granted, on the monotonic clock, in milliseconds; infinity while that is not known. */
  readonly nextAt: () => number
  /** Takes the permit of a call that is granted now, not before `nextAt`. */
  readonly take: () => Permit
}

/** Makes a ration. @param onChange to be called when `nextAt` has become known or has changed by itself */
export type CreateRation = (onChange: () => void) => Ration
