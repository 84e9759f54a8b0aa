import t from 'tap'
import { createRetryBudget } from '../../../src/upstream/calls/retry-budget.ts'

/** How many of so many retries in a row may be made. */
const spendAll = (spend: () => boolean, tries = 100) => Array.from({ length: tries }, spend).filter(Boolean).length

t.test('the reserve, when nothing was called yet, is there', async (t) => {
  for (const reserve of [0, 1, 5]) t.equal(spendAll(createRetryBudget({ share: 0.1, reserve }).spend), reserve)
  t.equal(spendAll(createRetryBudget({ share: 0.1, reserve: 0.9 }).spend), 0, 'less than one is none')
})

t.test('the reserve, when many calls are made without a retry, does not grow', async (t) => {
  const { earn, spend } = createRetryBudget({ share: 0.25, reserve: 5 })
  for (let index = 0; index < 1000; index += 1) earn()
  t.equal(spendAll(spend), 5)
})

t.test('a retry, when the reserve is used up, is earned by calls', async (t) => {
  const { earn, spend } = createRetryBudget({ share: 0.25, reserve: 5 })
  t.equal(spendAll(spend), 5)
  for (let index = 0; index < 3; index += 1) earn()
  t.equal(spend(), false)
  earn()
  t.equal(spend(), true)
  t.equal(spend(), false, 'and what was refused cost nothing')
  for (let index = 0; index < 8; index += 1) earn()
  t.equal(spendAll(spend), 2)
})

t.test('retries, when every call wants one, are their share of the calls and the reserve', async (t) => {
  for (const [share, reserve] of [
    [0.1, 5],
    [0.1, 1],
    [0.25, 10],
    [1, 1],
    [0, 5],
  ] as const) {
    const { earn, spend } = createRetryBudget({ share, reserve })
    const calls = 10_000
    let retries = 0
    for (let index = 0; index < calls; index += 1) {
      earn()
      if (spend()) retries += 1
    }
    t.ok(retries <= calls * share + reserve, `${retries} at most`)
    // Ten tenths are a little less than one, and what is over the reserve is lost.
    t.ok(retries >= calls * share * 0.9, `${retries} at least`)
  }
})
