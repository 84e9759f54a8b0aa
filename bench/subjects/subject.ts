import { createKey } from '../../src/access/keys.ts'
import type { Cores } from '../cores.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** A running server that is measured. */
export interface Subject {
  readonly name: string
  readonly origin: string
  /** The processes of the server. Their CPU time counts, and that of their descendants. */
  readonly pids: readonly number[]
  /** The time from its start to its first response, in milliseconds. */
  readonly startedInMs: number
  readonly stop: () => Promise<void>
}

/** The context in which subjects are started. */
export interface SubjectContext {
  readonly cores: Cores
  readonly upstream: Upstream
  /** A folder that the bench deletes at its end. */
  readonly scratch: string
}

export interface SubjectKind {
  readonly name: string
  /** Why it cannot be started on this machine; null if it can. */
  readonly missing: () => string | null
  readonly start: (context: SubjectContext) => Promise<Subject>
}

/** The key of the only caller. */
export const callerKey = createKey()

/** The headers of all requests, also to other servers. */
export const callerHeaders: Readonly<Record<string, string>> = { authorization: `Bearer ${callerKey}` }
