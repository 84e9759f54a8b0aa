import type { Flags } from './flags.ts'
import type { Progress } from './progress.ts'
import type { SubjectContext } from './subjects/subject.ts'

/** The context of all measurements. */
export interface Bench extends SubjectContext, Progress {
  readonly flags: Flags
  /** Reserves numbers of documents that no request has asked for, and returns the first. */
  readonly freshNumbers: (count: number) => number
}

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** A limit for a measured value. */
export interface Goal {
  readonly text: string
  /** The goal is met if `measured` is not greater. */
  readonly limit: number
  readonly measured: number
  readonly unit: string
  readonly digits: number
}

/** The results of a section. */
export interface Findings {
  readonly title: string
  /** Sentences that explain the numbers. */
  readonly notes: readonly string[]
  readonly tables: readonly Table[]
  readonly goals: readonly Goal[]
  /** All measured values, for the JSON report. */
  readonly data: unknown
}

export interface Section {
  /** The name for `--only`. */
  readonly name: string
  /** The names of its parts, of which `--only SECTION/PART` runs one; none by default. */
  readonly parts?: readonly string[]
  readonly run: (bench: Bench) => Promise<Findings>
}
