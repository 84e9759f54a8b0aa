/** What a generator of load asks for. */
export interface Plan {
  readonly origin: string
  /** The first of the documents asked for, by number, and how many of them, around and around. */
  readonly from: number
  readonly keys: number
  readonly headers: Readonly<Record<string, string>>
  readonly connections: number
}

/** The pace of our own generator. */
export type Pace =
  /** As many requests as that; each connection asks again when it has its answer. */
  | { readonly kind: 'count'; readonly requests: number }
  /** As fast as answers come. */
  | { readonly kind: 'flat-out'; readonly seconds: number }
  /** Open loop: requests are due on a schedule, whether or not earlier ones have been answered. */
  | { readonly kind: 'rate'; readonly perSecond: number; readonly seconds: number }

export interface GeneratorPlan extends Plan {
  readonly pace: Pace
  /** Appended to the path. */
  readonly query?: string
  /** How many requests in a row ask for the same document; 1 by default. */
  readonly sameInARow?: number
}

/** What came back. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Answers by status; `none` are requests that got none. */
  readonly statuses: Readonly<Record<string, number>>
}

export interface GeneratorResult extends LoadResult {
  /** From when a request was due, not from when it could be sent, to the end of its answer; in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
}
