import type { Profile } from './profile.ts'

/** The sender of a request, and what it may see. */
export interface Caller {
  /** For the log: the name in the callers file, the subject of an access token, or `anonymous`. */
  readonly name: string
  /** How the caller was authenticated. A key and a token with the same name are two callers. */
  readonly kind: 'key' | 'token' | 'anonymous'
  readonly profile: Profile
  /** Ids, in lower case, of the flows that it may see. Null means every flow, and an empty set means none. */
  readonly flows: ReadonlySet<string> | null
}

/** The caller of a request without a credential. */
export const anonymous: Caller = { name: 'anonymous', kind: 'anonymous', profile: 'full', flows: null }

/**
 * Whether a caller may know that a run of this flow exists.
 * @param flows the flows of the caller
 * @param flowId null when Hilos does not name the flow
 */
export function maySee(flows: Caller['flows'], flowId: string | null): boolean {
  return flows === null || (flowId !== null && flows.has(flowId.toLowerCase()))
}
