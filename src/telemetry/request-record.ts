import type { Profile } from '../access/profile.ts'
import type { CacheUse } from '../cache/cache-status.ts'
import type { Failure } from '../failures/failure.ts'

/** A request that has ended, or whose response is handed over, for the log and the metrics. */
export interface RequestRecord {
  readonly requestId: string
  readonly method: string
  /** The pattern of its route; null when no route matched. */
  readonly route: string | null
  /** Null when the caller disconnected before the response was sent. */
  readonly status: number | null
  /** Null when the caller was not authenticated. */
  readonly caller: { readonly name: string; readonly profile: Profile } | null
  /** The trace that the request is part of, if there is one. */
  readonly traceId: string | undefined
  /** Null when the cache was not asked or had no answer, or when its work must stay hidden. */
  readonly cache: CacheUse | null
  readonly durationMs: number
  /** Whether it was a stream, or was held until something changed. */
  readonly isWatch: boolean
  readonly failure: Failure | null
}

/** Version 00 ends after the flags. Later versions may be longer, and are read as far as version 00 goes. */
const wellFormed = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-[^,]*)?$/

/**
 * Returns the id of the trace that a request is part of: 32 hexadecimal digits in lower case, or undefined when the header
 * is missing, malformed or repeated.
 * @param traceparent the value of the header (https://www.w3.org/TR/trace-context/#traceparent-header)
 */
export function traceIdOf(traceparent: unknown): string | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, version, traceId, more] = wellFormed.exec(traceparent) ?? []
  return version === '00' && more !== undefined ? undefined : traceId
}
