import type { Bench } from './section.ts'
import type { Subject, SubjectKind } from './subjects/subject.ts'

/** The subjects that this machine could start. All of them run, and those that are not being measured are idle. */
export interface StartedSubjects {
  readonly subjects: readonly Subject[]
  /** One sentence for each subject that could not be started. */
  readonly missing: readonly string[]
  readonly stop: () => Promise<void>
}

/** Starts the subjects one after the other. Subjects that cannot be started are skipped. */
async function startSubjects(kinds: readonly SubjectKind[], bench: Bench): Promise<StartedSubjects> {
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

/** Starts the subjects, runs `measure`, and always stops them. */
export async function withSubjects<T>(
  kinds: readonly SubjectKind[],
  bench: Bench,
  measure: (started: StartedSubjects) => Promise<T>,
): Promise<T> {
  const started = await startSubjects(kinds, bench)
  try {
    return await measure(started)
  } finally {
    await started.stop()
  }
}

/**
 * Measures every subject in every round. Each round begins with a different subject.
 * @returns the measurements by the name of the subject, one for each round
 */
export async function interleave<S extends { readonly name: string }, T>(
  { flags: { rounds }, progress }: Pick<Bench, 'flags' | 'progress'>,
  subjects: readonly S[],
  measure: (subject: S, round: number) => Promise<T>,
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const shift = round % Math.max(1, subjects.length)
    for (const subject of [...subjects.slice(shift), ...subjects.slice(0, shift)]) {
      progress(`round ${round + 1} of ${rounds}: ${subject.name}`)
      results.get(subject.name)?.push(await measure(subject, round))
    }
  }
  return results
}
