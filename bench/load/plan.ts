/** The requests of a load generator. */
export interface Plan {
  readonly origin: string
  /** The number of the first document. */
  readonly from: number
  /** How many documents are requested in turn. */
  readonly keys: number
  readonly headers: Readonly<Record<string, string>>
  readonly connections: number
}

/** How our own generator sends its requests. */
export type Pace =
  /** Closed loop, for a number of requests: each connection sends its next request when it has a response. */
  | { readonly kind: 'count'; readonly requests: number }
  /** The same, for a time. */
  | { readonly kind: 'closed-loop'; readonly seconds: number }
  /** Open loop: requests are due at fixed times, even if earlier requests have no response yet. */
  | { readonly kind: 'rate'; readonly perSecond: number; readonly seconds: number }

export interface GeneratorPlan extends Plan {
  readonly pace: Pace
  /** Appended to the path; empty by default. */
  readonly query?: string
  /** How many consecutive requests ask for the same document; 1 by default. */
  readonly sameInARow?: number
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** The number of responses by status. `none` counts the requests without a response. */
  readonly statuses: Readonly<Record<string, number>>
}

export interface GeneratorResult extends LoadResult {
  /** From the moment when a request was due, even if it was sent later, to the end of its response; in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
}
