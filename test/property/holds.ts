import { env } from 'node:process'
import fc, { type IProperty, type Parameters } from 'fast-check'
import type { Test } from 'tap'

/** The share of the runs that are made: `npm run test:fast` makes a fifth of them. */
const runsShare = Number(env.PROPERTY_RUNS_SHARE ?? 1)

/**
 * Asserts that a property holds for 150 random inputs.
 * @param options overrides the number of runs, or repeats a failure by the `seed` and `path` that it printed
 */
export function holds<Inputs>(t: Test, property: IProperty<Inputs>, options: Parameters<Inputs> = {}): void {
  const numRuns = Math.ceil((options.numRuns ?? 150) * runsShare)
  const outcome = fc.check(property, { ...options, numRuns })
  // The report contains the seed, the path and the smallest input that fails; the error says what is wrong with it.
  const report = fc.defaultReportMessage(outcome)
  t.notOk(outcome.failed, report ? `${outcome.errorInstance} ${report}` : `${outcome.numRuns} runs`)
}
