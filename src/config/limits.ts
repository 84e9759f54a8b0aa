/** Bounds of an HTTP server; all but one are nothing that anybody should need to set. */
export interface Limits {
  /** The request line and headers must have arrived by then. */
  readonly headersTimeoutMs: number
  /** The whole request must have arrived by then. */
  readonly requestTimeoutMs: number
  /** How often the two above are looked at. */
  readonly timeoutCheckMs: number
  /** A socket that carries nothing for so long in the middle of an exchange is closed. */
  readonly silentSocketMs: number
  /** A connection that is idle for so long between two requests is closed. */
  readonly keepAliveMs: number
  /** Open at once; further ones are closed as they come. */
  readonly maxConnections: number
  readonly maxHeaderBytes: number
  readonly maxUrlLength: number
}

/** Bounds of the calls to Hilos that nobody should need to set. */
export const hilosLimits = {
  connectTimeoutMs: 1000,
  /** At once; further calls wait for their turn. */
  maxConnections: 16,
  /** Calls that may wait for their turn, at most; with a rate, as many as can have it in time. */
  maxQueuedCalls: 100,
  /** Steps and messages in one document. */
  maxElements: 10_000,
  /** One per call, a tenth of the calls in the long run, five in a burst; after some part of the delay, at random. */
  retries: { share: 0.1, reserve: 5, longestDelayMs: 100 },
  /** When Hilos is left alone, and for how long: up to twice as long, after a refusal of our key exactly. */
  circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 1000 },
}

/** Bounds of what is taken from callers that nobody should need to set. */
export const accessLimits = {
  maxCallersFileBytes: 1024 * 1024,
  /** Credentials of one address that are nobody's, in a window. */
  guesses: { max: 60, windowMs: 60_000 },
  /** Access tokens whose verdict is remembered. */
  maxRememberedTokens: 10_000,
  /**
   * "There is none", said to a caller limited to flows, leaves at multiples of this after its request came. Longer than
   * Hilos usually takes for a document, so that what it takes does not tell one from nothing.
   */
  concealmentGridMs: 1000,
}

/** Times and bounds of what is remembered that nobody should need to set. */
export const cacheLimits = {
  /** However fresh a caller wants it: within this time Hilos is not made to answer again. */
  reloadFloorMs: 1000,
  /** How long a caller waits for Hilos where something stale could go out instead. */
  slowMs: 400,
  /** How long a failure is remembered per contact, and up to twice as long. */
  setbackMs: 1000,
  /** Contacts whose failure is remembered at once. */
  maxSetbacks: 1000,
  /** How often what is past its last window is looked for. */
  sweepMs: 10_000,
}

/** Of the cache's budget, enough to remember thousands of absences. */
export const absenceShare = 1 / 32
export const ownAbsenceShare = 1 / 32
/** Of the cache's budget, less than the documents have: only what is asked for is rendered. */
export const renderingsShare = 6 / 16

/** More than a request takes from a caller to here. */
export const longestLingerMs = 500

/** Those that no setting has a part in. */
export const serverLimits = {
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  timeoutCheckMs: 1000,
  maxConnections: 4096,
  maxHeaderBytes: 8192,
  maxUrlLength: 2048,
}

/** When callers are turned away because this process is short of time or memory. */
export const sheddingLimits = {
  /** How often both are looked at. */
  sampleMs: 1000,
  /**
   * How late the event loop may come round, on average over a sample: more than a full house of cheap requests makes it, and
   * not to be reached in a sample that has one hostile document in it, which holds the process for 400 ms.
   */
  maxEventLoopDelayMs: 250,
  /** Of the memory limit. */
  memoryShare: 0.9,
  /** For so long, in one go, because of memory. */
  longestMemorySpellMs: 5000,
  /** A spell is over, for the log, when nobody was turned away for so long. */
  quietMs: 10_000,
}
