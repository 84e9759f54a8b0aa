import type { Profile } from '../access/profile.ts'
import type { CacheUse } from '../cache/cache-status.ts'
import type { Failure } from '../failures/failure.ts'

/** What is told of a request when it is over: to the log, and to the metrics. */
export interface RequestRecord {
  readonly method: string
  /** Its pattern; null where there is none. */
  readonly route: string | null
  /** Null when the caller left before the answer had. */
  readonly status: number | null
  /** Null where nobody was identified. */
  readonly caller: { readonly name: string; readonly profile: Profile } | null
  /** The trace it is part of, if it is of one. */
  readonly traceId: string | undefined
  /** Null where the cache was not asked, failed to answer, or where it must not be told. */
  readonly cache: CacheUse | null
  readonly durationMs: number
  readonly failure: Failure | null
}
