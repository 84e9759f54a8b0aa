import type { Caller } from './caller.ts'
import type { Profile } from './profile.ts'

/** One answer that told a caller something about a contact. */
export interface Disclosure {
  /** As in the log of requests. */
  readonly requestId: string
  /** As in the log of requests. */
  readonly traceId: string | undefined
  readonly caller: Caller
  /** How much they were shown: as much as they may see, unless they asked for less. */
  readonly profile: Profile
  readonly view: string
  /** Id of the execution contact, in lower case. */
  readonly id: string
  /** 304 told them that nothing has changed. */
  readonly status: 200 | 304
  /** What the cache did: `hit`, or why Hilos was asked, in the words of RFC 9211. */
  readonly cache: string
}
