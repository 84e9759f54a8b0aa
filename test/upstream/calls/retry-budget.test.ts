import t from 'tap'
import { createRetryBudget } from '../../../src/upstream/calls/retry-budget.ts'

function arrange(share: number, reserve: number) {
  const { earn, spend } = createRetryBudget({ share, reserve })
  const earnAll = (calls: number) => {
    for (let call = 0; call < calls; call += 1) earn()
  }
  /** How many of a hundred retries are affordable. */
  const spendAll = () => Array.from({ length: 100 }, spend).filter(Boolean).length
  return { earn, earnAll, spend, spendAll }
}

t.test('the reserve is there at the start, and calls without a retry do not add to it', async (t) => {
  for (const reserve of [0, 0.9, 1, 5])
    for (const calls of [0, 1000]) {
      const { earnAll, spendAll } = arrange(0.25, reserve)
      earnAll(calls)
      t.equal(spendAll(), Math.floor(reserve), `${reserve} after ${calls} calls`)
    }
})

t.test('calls earn retries after the reserve is spent', async (t) => {
  const { earnAll, spend, spendAll } = arrange(0.25, 5)
  t.equal(spendAll(), 5)
  earnAll(3)
  t.equal(spend(), false)
  earnAll(1)
  t.equal(spend(), true)
  t.equal(spend(), false, 'a refused retry costs nothing')
  earnAll(8)
  t.equal(spendAll(), 2)
})

t.test('if every call wants a retry, retries are the share of calls and the reserve', async (t) => {
  const table = { 0: 5, 0.1: 1, 0.25: 10, 1: 1 }
  for (const [share, reserve] of Object.entries(table)) {
    const { earn, spend } = arrange(Number(share), reserve)
    const retries = Array.from({ length: 10_000 }, () => earn() ?? spend()).filter(Boolean).length
    t.ok(retries <= 10_000 * Number(share) + reserve, `${retries} at most`)
    // Ten tenths are a little less than one, and more than the reserve is lost.
    t.ok(retries >= 10_000 * Number(share) * 0.9, `${retries} at least`)
  }
})
