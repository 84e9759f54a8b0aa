import { createKey } from '../../src/access/keys.ts'
import type { Cores } from '../cores.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** A server that is measured, while it runs. */
export interface Subject {
  readonly name: string
  readonly origin: string
  /** The processes whose CPU time counts, without their descendants. */
  readonly pids: readonly number[]
  /** From starting it to its first answer, in milliseconds. */
  readonly startedInMs: number
  readonly stop: () => Promise<void>
}

/** What a subject is started with. */
export interface Surroundings {
  readonly cores: Cores
  readonly upstream: Upstream
  /** A folder that is deleted after the bench. */
  readonly scratch: string
}

/** A server that can be measured. */
export interface SubjectKind {
  readonly name: string
  /** Why it cannot be started on this machine; null when it can. */
  readonly missing: () => string | null
  readonly start: (surroundings: Surroundings) => Promise<Subject>
}

/** The key of the one caller there is. */
export const callerKey = createKey()

/** What every request to every subject carries, whoever serves it. */
export const callerHeaders: Readonly<Record<string, string>> = { authorization: `Bearer ${callerKey}` }
