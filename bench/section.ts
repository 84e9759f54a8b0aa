import type { Flags } from './flags.ts'
import type { Surroundings } from './subjects/subject.ts'

/** What a measurement runs with. */
export interface Bench extends Surroundings {
  readonly flags: Flags
  /** Tells whoever waits what is going on. */
  readonly say: (text: string) => void
  /** Numbers of documents nobody has asked for yet; returns the first of them. */
  readonly freshNumbers: (count: number) => number
}

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** What was hoped for, and what came out. */
export interface Goal {
  readonly text: string
  /** At most this much. */
  readonly limit: number
  readonly measured: number
  readonly unit: string
  readonly digits: number
}

/** What a section found. */
export interface Findings {
  readonly title: string
  /** What the numbers mean, a sentence each. */
  readonly notes: readonly string[]
  readonly tables: readonly Table[]
  readonly goals: readonly Goal[]
  /** Everything that was measured, for machines. */
  readonly data: unknown
}

/** One of the things the bench measures. */
export interface Section {
  /** For `--only`. */
  readonly name: string
  readonly run: (bench: Bench) => Promise<Findings>
}
