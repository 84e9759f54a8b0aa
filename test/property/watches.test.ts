import fc, { type IAsyncProperty } from 'fast-check'
import t, { type Test } from 'tap'
import { arrange, intervalsOf } from '../watch/rig.ts'

const wishes = fc.oneof(fc.constantFrom(1000, 3000, 20_000, 60_000), fc.integer({ min: 1000, max: 60_000 }))
/** Keys by their number, each with what it always wishes for. */
const keys = fc.array(wishes, { minLength: 1, maxLength: 30, size: 'max' })
/** What happens: a key begins to be watched, or is not watched any more, or is loaded by another request. */
const events = fc.array(
  fc.record({
    kind: fc.constantFrom('watch', 'watch', 'watch', 'stop', 'load'),
    key: fc.nat(29),
    ageMs: fc.oneof(fc.constantFrom(0, 600_000), fc.nat(60_000)),
    afterMs: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20_000) }),
  }),
  { minLength: 1, maxLength: 60, size: 'max' },
)

async function check<Inputs>(t: Test, property: IAsyncProperty<Inputs>, numRuns: number): Promise<void> {
  const outcome = await fc.check(property, { numRuns, endOnFailure: true })
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? `${numRuns} runs`)
}

t.test('whatever comes and goes, the budget is kept, and none is forgotten', async (t) => {
  const property = fc.asyncProperty(keys, events, fc.constantFrom(0.5, 1, 2.5, 5), async (wished, list, perSecond) => {
    const wishOf = (key: string) => wished[Number(key) % wished.length] as number
    const waitsSince = new Map<string, number>()
    const problems: string[] = []

    /**
     * A key whose lateness is x has let each other key pass once, and again whenever that was later in proportion. So
     * (x - 1) / turn is at most the number of the others, and of those whose watch began anew, and the sum of 1 / wish times ln x.
     */
    const endWait = (key: string) => {
      const since = waitsSince.get(key)
      if (since === undefined) return
      const x = (clock.elapsed() - since) / wishOf(key)
      const again = wished.reduce((sum, wish) => sum + 1 / wish, 0) * Math.log(Math.max(1, x))
      if ((x - 1) / turnMs > (begun + 1) / wishOf(key) + again) problems.push(`${key} waits ${x}`)
      waitsSince.delete(key)
    }
    const { clock, watch, watches, loads, entryOf } = arrange({
      maxLoadsPerSecond: perSecond,
      loadMs: () => 20,
      outcomeOf: (key) => {
        endWait(key)
        return wishOf(key)
      },
    })
    const turnMs = 1000 / perSecond
    let begun = 0
    const stops = new Map<string, () => void>()
    for (const { kind, key: number, ageMs, afterMs } of list) {
      await clock.advance(afterMs)
      const key = String(number % wished.length)
      if (kind === 'load') watches.tell(key, { entry: entryOf(wishOf(key)) })
      if (kind === 'stop') {
        endWait(key)
        stops.get(key)?.()
        stops.delete(key)
      }
      if (kind !== 'watch' || stops.has(key)) continue
      begun += 1
      waitsSince.set(key, clock.elapsed() - Math.min(ageMs, wishOf(key)))
      const stop = watch(key, wishOf(key), ageMs, () => waitsSince.set(key, clock.elapsed()))
      stops.set(key, stop)
    }
    await clock.advance(100_000)
    for (const key of stops.keys()) endWait(key)
    for (const [index, { at }] of loads.entries()) {
      if (at - (loads[index - 1]?.at ?? -1000) < turnMs / 1000 - 0.0015) problems.push(`too soon at ${at}`)
    }
    if (problems.length > 0) throw new Error(problems.join())
  })
  await check(t, property, 100)
})

t.test('when more is watched than may be asked about, all are late in the same proportion', async (t) => {
  const crowds = fc.array(wishes, { minLength: 5, maxLength: 40, size: 'max' })
  const property = fc.asyncProperty(crowds, fc.integer({ min: 11, max: 60 }), async (wished, tenths) => {
    const proportion = tenths / 10
    const wishOf = (key: string) => wished[Number(key)] as number
    const maxLoadsPerSecond = wished.reduce((sum, wish) => sum + 1000 / wish, 0) / proportion
    const { clock, watch, asked } = arrange({ maxLoadsPerSecond, loadMs: () => 1, outcomeOf: wishOf })
    for (const [key, wish] of wished.entries()) watch(String(key), wish)
    const roundMs = proportion * Math.max(...wished)
    await clock.advance(7 * roundMs)
    return wished.every((wish, key) => {
      // At first the lateness of all swings, because they begin together. The mean is that of two waits or more.
      const later = asked(String(key)).filter((at) => at >= (4 * roundMs) / 1000)
      const { mean, longest } = intervalsOf(later)
      const due = (proportion * wish) / 1000
      return mean < 1.1 * due + 2 / maxLoadsPerSecond && longest < 1.25 * due + 5 / maxLoadsPerSecond
    })
  })
  await check(t, property, 25)
})
