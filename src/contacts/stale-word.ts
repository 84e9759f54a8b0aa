import type { FailureDetail } from '../cache/decision.ts'
import { UpstreamFailure } from '../upstream/failures.ts'

/** What a stale answer says that replaces this error of a load; null for an error that no stale answer may replace. */
export function staleWordOf(error: unknown): FailureDetail | null {
  return error instanceof UpstreamFailure ? (error.notAsked ?? 'origin-failed') : null
}
