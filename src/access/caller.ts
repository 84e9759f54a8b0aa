import type { Profile } from './profile.ts'

/** Who asks, and what they may see. */
export interface Caller {
  /** For the log: the name in the callers' file, the subject of an access token, or `anonymous`. */
  readonly name: string
  /** How we know them; a key and a token may bear the same name and are two callers all the same. */
  readonly kind: 'key' | 'token' | 'anonymous'
  readonly profile: Profile
  /** Ids, in lower case, of the flows whose runs they may see; null is every flow, an empty set is none. */
  readonly flows: ReadonlySet<string> | null
}

/** Whoever asks, where anybody may. */
export const anonymous: Caller = { name: 'anonymous', kind: 'anonymous', profile: 'full', flows: null }

/**
 * Whether a run of this flow exists as far as somebody may know.
 * @param flows theirs, in lower case; null is every flow
 * @param flowId null where Hilos does not say which flow it is
 */
export function mayKnowOf(flows: Caller['flows'], flowId: string | null): boolean {
  return flows === null || (flowId !== null && flows.has(flowId.toLowerCase()))
}
