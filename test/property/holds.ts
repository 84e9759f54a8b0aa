import fc, { type IProperty, type Parameters } from 'fast-check'
import type { Test } from 'tap'

/**
 * Asserts that a property holds for as many random inputs as are worth their time in every run of the tests.
 * @param options to see a failure again, the `seed` and `path` that it printed; never to be committed
 */
export function holds<Inputs>(t: Test, property: IProperty<Inputs>, options: Parameters<Inputs> = {}): void {
  const outcome = fc.check(property, { numRuns: 150, ...options })
  // The report has the seed, the path and the least input that fails.
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? `${outcome.numRuns} runs`)
}
