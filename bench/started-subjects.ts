import type { Bench } from './section.ts'
import type { Subject, SubjectKind } from './subjects/subject.ts'

/** The subjects that could be started, all at once; whoever does not have its turn sleeps. */
export interface Cast {
  readonly subjects: readonly Subject[]
  /** A sentence for each that is missing. */
  readonly missing: readonly string[]
  readonly stop: () => Promise<void>
}

/** Starts the subjects one after the other, passing over those that this machine does not have. */
export async function startCast(kinds: readonly SubjectKind[], bench: Bench): Promise<Cast> {
  const subjects: Subject[] = []
  const missing: string[] = []
  for (const kind of kinds) {
    const reason = kind.missing() ?? (await startInto(subjects, kind, bench))
    if (reason === null) continue
    missing.push(`${kind.name}: skipped, ${reason}.`)
    bench.say(`  skipping ${kind.name}: ${reason}`)
  }
  return {
    subjects,
    missing,
    stop: async () => {
      await Promise.all(subjects.map((subject) => subject.stop()))
    },
  }
}

async function startInto(subjects: Subject[], kind: SubjectKind, bench: Bench): Promise<string | null> {
  try {
    subjects.push(await kind.start(bench))
    return null
  } catch (error) {
    return `it does not start (${(error as Error).message})`
  }
}

/** Runs `measure` with the subjects, and stops them whatever happens. */
export async function withCast<T>(
  kinds: readonly SubjectKind[],
  bench: Bench,
  measure: (cast: Cast) => Promise<T>,
): Promise<T> {
  const cast = await startCast(kinds, bench)
  try {
    return await measure(cast)
  } finally {
    await cast.stop()
  }
}

/**
 * Gives every subject its turn in every round, each round beginning with another one.
 * @returns what was measured by the subject's name, a value a round
 */
export async function interleave<S extends { readonly name: string }, T>(
  subjects: readonly S[],
  rounds: number,
  measure: (subject: S, round: number) => Promise<T>,
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const shift = round % Math.max(1, subjects.length)
    for (const subject of [...subjects.slice(shift), ...subjects.slice(0, shift)])
      results.get(subject.name)?.push(await measure(subject, round))
  }
  return results
}
