import type { ConnectionLimits } from '../lifecycle/connections.ts'
import type { HilosSettings } from '../upstream/hilos-settings.ts'

/*
 * The limits that operators cannot set. Those that they can set are in settings.ts.
 */

/** Limits of an HTTP server. Those of its connections are described where they are used. */
export const serverLimits = {
  /** The request line and the headers must arrive within this time. */
  headersTimeoutMs: 5000,
  /** The whole request must arrive within this time. */
  requestTimeoutMs: 10_000,
  /** The interval at which Node.js checks the two timeouts above. */
  timeoutCheckMs: 1000,
  maxConnections: 4096,
  strangerKeepAliveMs: 5000,
  maxUnanswered: 8,
  maxWaiting: 56,
  lingerMs: 2000,
  /** Enough for an access token of 8 KiB and the cookies of an authenticating proxy. */
  maxHeaderBytes: 16_384,
  maxUrlLength: 2048,
} satisfies Partial<ConnectionLimits> & Record<string, number>

export const hilosLimits = {
  rateMargin: 0.05,
  maxConnections: 16,
  maxQueuedCalls: 100,
  retries: { share: 0.1, reserve: 5, longestDelayMs: 100 },
  circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 1000, maxPausedContacts: 500 },
} satisfies Partial<HilosSettings>

/** For DNS, TCP and TLS of a new connection to the token issuer. */
export const issuerLimits = { connectTimeoutMs: 3000 }

/** For the work on one document. */
export const contactLimits = {
  /** Steps, messages and options of questions. */
  maxElements: 10_000,
  /**
   * Larger documents are worked on in a thread. The most hostile document of this size holds the event loop for 40 ms, a usual
   * one for less than a millisecond.
   */
  largestOnLoop: { bytes: 64 * 1024, elements: 500 },
  /** How long that thread is kept without work. */
  threadIdleMs: 60_000,
}

export const accessLimits = {
  maxCallersFileBytes: 1024 * 1024,
  /** Credentials from one address that belong to no caller, per window. */
  guesses: { max: 60, windowMs: 60_000 },
  /** Requests from one address that need no credential or have none, per window. The documentation page takes six. */
  strangers: { max: 300, windowMs: 1000 },
  /** The most contacts in one request: what Hilos can be asked within `HILOS_TIMEOUT_MS` at 5 calls a second. */
  maxBatch: 25,
  /** Most callers and addresses that are counted at once. */
  maxCounted: 5000,
  /** Most verified access tokens that are cached. */
  maxCachedTokens: 10_000,
  /**
   * A load that brings a caller limited to flows an absence ends a multiple of this after Hilos was asked. It is longer than Hilos
   * usually takes, so that the time does not tell whether there is a document.
   */
  notFoundStepMs: 1000,
}

export const cacheLimits = {
  /**
   * How often a fresh contact is loaded anew because a caller wishes it: once in `perKeyMs` for all callers together, and for
   * one caller at most `max` times in any `windowMs`.
   */
  reloads: { perKeyMs: 10_000, perCaller: { max: 6, windowMs: 60_000 }, maxEntries: 10_000 },
  /** How long a request waits for Hilos before a stale response is sent instead. */
  slowMs: 400,
  /** The error of a failed load is cached for 1 to 2 times this. */
  failureTtlMs: 1000,
  /** Most contacts with a cached error. */
  maxRecentFailures: 1000,
  /** The interval at which expired entries are removed. */
  sweepMs: 10_000,
}

/** For the contacts that are watched, on streams or by held requests. */
export const watchLimits = {
  /** The share of `HILOS_MAX_RPS` that they may take, all together. */
  share: 0.5,
  /** A contact whose last load failed is asked about again after this at the latest. */
  retryMs: 5000,
}

/** For streams, and for requests that are held until something changes. */
export const streamLimits = {
  /** Of all callers together. */
  max: 1000,
  /** A stream sends something at least this often. */
  longestHeartbeatMs: 15_000,
  /** A stream is closed after a random part between these, so that load balancers can distribute its caller anew. */
  shortestLifetimeMs: 30 * 60_000,
  longestLifetimeMs: 45 * 60_000,
  /** The longest time for which a request is held. */
  longestWaitMs: 30_000,
  /** The interval at which all streams are looked at. */
  sweepMs: 1000,
}

/** The shares of `CACHE_MAX_BYTES`. Stored contacts get the rest. */
export const cacheShares = {
  /** Enough for thousands of absences. */
  absences: 1 / 32,
  ownAbsences: 1 / 32,
  /** Less than for contacts, because only requested views are rendered. */
  renderings: 6 / 16,
}

/** A request takes less than this from a caller to the service. */
export const longestIdleGraceMs = 500

/** When requests are rejected because the process is short of time or memory. */
export const sheddingLimits = {
  /** The interval at which the event loop and the memory are sampled. A sample holds until the next one. */
  sampleMs: 1000,
  /**
   * The largest mean delay of the event loop in a sample; 0 for no limit. Thousands of cheap requests cause less. A sample
   * with one block of 400 ms stays below it.
   */
  maxEventLoopDelayMs: 250,
  /** The share of the memory limit beyond which memory is short. */
  memoryShare: 0.9,
  /** How long requests are rejected without a pause because memory is short. */
  longestMemoryBurstMs: 5000,
  /** A burst of rejections ends, for the log, when none has occurred for this long. */
  quietMs: 10_000,
}

export const logLimits = {
  /**
   * The lines that wait in memory while they cannot be written, in characters. With more, further lines of the kind are
   * lost; instead of losing a disclosure, the service rejects requests.
   */
  maxWaiting: { info: 4 * 1024 * 1024, warning: 5 * 1024 * 1024, disclosure: 32 * 1024 * 1024 },
  /** How long the exit waits for the reader of the log. */
  longestExitMs: 1000,
}

export type SharedTierLimits = Readonly<typeof sharedTierLimits>

/** For the shared tier. Each part takes from here what it needs. */
export const sharedTierLimits = {
  /**
   * All of connecting: sentinels, TCP, TLS, the sign-in, and whether the server is what is needed. With the first report it takes less
   * than `startMs`: until that, the replica serves nothing that it would have to forget.
   */
  connectMs: 700,
  /** How long one sentinel is waited for. */
  sentinelMs: 250,
  /** How much later than its block a read of events may be. */
  eventGraceMs: 500,
  /** Most scripts whose replies the server owes. */
  maxInFlight: 512,
  /** Most events of one read. */
  maxEvents: 1000,
  /** The start waits for the first attachment for so long. */
  startMs: 1000,
  /** The interval of reports. Two that get no reply detach. */
  reportMs: 1000,
  /** How long one read waits for events. */
  eventBlockMs: 1000,
  /** So many scripts in a row without a reply, over this time at least, detach. */
  timeouts: { inARow: 3, overMs: 250 },
  /** The wait before connecting anew grows from the one to the other; each is a random part of it, at least half. */
  reconnect: { firstMs: 50, longestMs: 500 },
  /** How long all replicas may take to hear what is to be forgotten, and how often to look whether they have. */
  hearing: { longestMs: 1000, everyMs: 20 },
  ration: {
    /** How far ahead slots are given, so that calls start in time however long the server takes to answer. */
    aheadMs: 250,
    /** When to ask again after a failure. */
    retryMs: 50,
    /** The interval at which the server is told of all tokens, in case that it has lost them. */
    keepMs: 1000,
    /** For how long after the loss of its memory there are as many replicas as before at least. */
    rejoinMs: 60_000,
  },
  /** A replica that is loading keeps the others from it for so long after its last sign of life, and gives one this often. */
  leaseMs: 1000,
  renewMs: 300,
  /** How long a replica that waits for the load of another one waits for an event before it looks again. */
  followMs: 300,
  /** Larger entries are not shared, in bytes. */
  maxEntryBytes: 1024 * 1024,
  /** How far the time at which an entry was sealed may be from its age: so far may the clocks of two replicas be apart. */
  maxSkewMs: 5 * 60_000,
  /** How long, and for how many contacts, a replica remembers that they were to be forgotten; for more, that all were. */
  rememberedMs: 60 * 60_000,
  maxRemembered: 500,
}
