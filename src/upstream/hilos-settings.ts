import type { Secret } from '../common/secret.ts'

/** The settings of the calls to Hilos. Each part takes from here what it needs. */
export interface HilosSettings {
  /** Without a trailing slash; `/flow-execution-contact/{id}` is appended. */
  readonly baseUrl: string
  /** The URL of the proxy on the way to Hilos; null for none. */
  readonly proxy: Secret | null
  /** For one whole call, from the wait for a slot until its document is read, with its retry. */
  readonly timeoutMs: number
  /** For DNS, TCP and TLS of a new connection, unless a failed call is repeated. It leaves the time to repeat it. */
  readonly connectTimeoutMs: number
  /** Calls that Hilos gets in any one second; below 1 for less than one a second, 0 for no limit. With 2.5, two fit into a second. */
  readonly maxCallsPerSecond: number
  /** The part by which the second of that limit is longer here, because calls take different times to get to Hilos. */
  readonly rateMargin: number
  /** Connections, and so calls, at once. Further calls wait for a slot. */
  readonly maxConnections: number
  /** Calls that may wait for a slot. */
  readonly maxQueuedCalls: number
  /** How long a call may wait for a slot. */
  readonly maxWaitMs: number
  /** Largest body, in bytes, both as received and decoded. */
  readonly maxBodyBytes: number
  readonly retries: {
    /** Retries per call in the long run, from 0 to 1. */
    readonly share: number
    /** Retries that can be saved up, and that are there at the start: a burst of lost connections is not an outage. */
    readonly reserve: number
    /** A retry waits for a random part of this. */
    readonly longestDelayMs: number
  }
  readonly circuitBreaker: {
    /** It opens when this many different contacts have failed in a row. A few that always fail do not open it. */
    readonly maxFailedContacts: number
    /** It then stays open for 1 to 2 times this, at random, so that replicas do not probe at the same time. */
    readonly openMs: number
    /** How long calls pause when Hilos has refused the token: all calls, or those about one contact. */
    readonly refusalMs: number
    /** Most contacts that pause on their own. The one that was paused first is dropped first. */
    readonly maxPausedContacts: number
  }
}
