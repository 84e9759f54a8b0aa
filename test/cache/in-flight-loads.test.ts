import t from 'tap'
import type { ReadThrough } from '../../src/cache/read-through.ts'
import { settled } from '../harness/timers.ts'
import { anyRequest, arrange, arrangeStored, noCache, slowMs, Unavailable } from './rig.ts'

const updated = { value: 'new' }

t.test('requests for one key share a load and its failure', async (t) => {
  const { begin, loads } = arrange()
  const asked = await Promise.all(['k', 'k', 'other', 'failing', 'failing'].map((key) => begin(key)))
  t.equal(loads.map(({ key }) => key).join(), 'k,other,failing')
  for (const { key, finish } of loads) finish(key === 'failing' ? new Unavailable() : {})
  const answers = await Promise.all(asked.map(({ answer }) => answer))
  t.strictSame(answers.slice(0, 3), ['v uri-miss stored', 'v uri-miss collapsed', 'v uri-miss stored'])
  t.strictSame(answers.slice(3), ['Unavailable', 'Unavailable'])
})

t.test('requests share one refresh, which is awaited once one of them waits for it', async (t) => {
  const { begin, ask, loads } = await arrangeStored(5000)
  for (let count = 0; count < 3; count += 1) t.equal(await (await begin('k')).answer, 'old hit revalidating')
  t.equal(loads.length, 2)
  t.equal(loads[1]?.urgency(), 0)
  const { answer } = await begin('k', noCache)
  t.equal(loads[1]?.urgency(), 2)
  loads[1]?.finish(updated)
  t.equal(await answer, 'new stale collapsed')
  t.equal(await ask('k'), 'new hit')
})

t.test('a load is as urgent as the most urgent request that waits for it', async (t) => {
  const { cache, loadOf, loads } = arrange()
  const answers: unknown[] = []
  for (const [urgency, expected] of [
    [1, 1],
    [2, 2],
    [1, 2],
  ] as const) {
    answers.push(cache.get('k', loadOf('k'), { ...anyRequest, urgency }))
    await settled()
    t.equal(loads[0]?.urgency(), expected)
  }
  loads[0]?.finish({})
  await Promise.all(answers)
})

t.test('a stale entry replaces an answer that is slow', async (t) => {
  const { begin, ask, clock, loads } = await arrangeStored(40_000)
  const { answer } = await begin('k')
  t.strictSame(clock.armed(), [slowMs])
  loads[1]?.markAsked()
  await clock.advance(slowMs)
  t.equal(await answer, 'old stale origin-slow')
  loads[1]?.finish(updated)
  await settled()
  t.equal(await ask('k'), 'new hit', 'the load has ended in the background')
})

t.test('a stale entry that replaces an answer is rationed until the origin is asked', async (t) => {
  const { begin, ask, clock, loads } = await arrangeStored(40_000)
  const { answer } = await begin('k')
  await clock.advance(slowMs)
  t.equal(await answer, 'old stale rationed')
  t.equal(await ask('k'), 'old stale collapsed rationed')
  loads[1]?.markAsked()
  t.equal(await ask('k'), 'old stale collapsed origin-slow')
  loads[1]?.finish(updated)
  await settled()
  t.equal(await ask('k'), 'new hit')
})

t.test('requests that join a load wait until it is slow, counted from its start', async (t) => {
  const { begin, ask, clock, loads } = await arrangeStored(40_000)
  await begin('k', noCache)
  t.strictSame(clock.armed(), [], 'no-cache waits for a slow origin')
  loads[1]?.markAsked()
  await clock.advance(300)
  const joining = [await begin('k'), await begin('k')]
  t.strictSame(clock.armed(), [slowMs - 300])
  await clock.advance(slowMs - 300)
  for (const { answer } of joining) t.equal(await answer, 'old stale collapsed origin-slow')
  t.equal(await ask('k'), 'old stale collapsed origin-slow', 'a later request does not wait')
  t.equal(loads.length, 2)
})

t.test('a stale entry that expires while the origin is slow or fails does not replace the answer', async (t) => {
  for (const [outcome, expected] of [
    [updated, 'new stale stored'],
    [new Unavailable(), 'Unavailable'],
  ] as const) {
    const { begin, clock, loads } = await arrangeStored(604_600)
    const { answer } = await begin('k')
    await clock.advance(slowMs)
    loads[1]?.finish(outcome)
    t.equal(await answer, expected)
  }
})

t.test('a wish for a reload joins a load in flight, however long ago it started', async (t) => {
  const { begin, ask, clock, loads } = arrange()
  const first = await begin('k')
  await clock.advance(60_000)
  const joining = await begin('k', noCache)
  loads[0]?.finish(updated)
  t.strictSame(await Promise.all([first.answer, joining.answer]), ['new uri-miss stored', 'new uri-miss collapsed'])
  t.equal(await ask('k'), 'new hit')
})

t.test('a load is slow 400 ms after its start, whatever the wall clock does', async (t) => {
  for (const wallMs of [-300_000, 0, 100_000]) {
    const { begin, clock } = await arrangeStored(400_000)
    await begin('k', noCache)
    await clock.advance(300)
    clock.shiftWall(wallMs)
    await begin('k')
    t.strictSame(clock.armed(), [slowMs - 300], `${wallMs}`)
  }
})

const removals: Readonly<Record<string, (cache: ReadThrough<string>) => void>> = {
  delete: (cache) => cache.delete('k'),
  deleteEach: (cache) => cache.deleteEach((key) => key === 'k'),
  clear: (cache) => cache.clear(),
}
for (const [name, remove] of Object.entries(removals)) {
  t.test(`after ${name}, a load in flight answers its requests, and later ones load again`, async (t) => {
    const { cache, begin, loads, ask } = arrange()
    const [first, second] = [await begin('k'), await begin('k')]
    remove(cache)
    const next = await begin('k')
    t.equal(loads.length, 2)
    loads[0]?.finish({ value: 'forgotten' })
    t.equal(await first.answer, 'forgotten uri-miss')
    t.equal(await second.answer, 'forgotten uri-miss collapsed')
    const joining = await begin('k')
    t.equal(loads.length, 2, 'the end of the deleted load does not hide the newer one')
    loads[1]?.finish(updated)
    t.equal(await next.answer, 'new uri-miss stored')
    t.equal(await joining.answer, 'new uri-miss collapsed')
    t.equal(await ask('k'), 'new hit')
  })

  t.test(`after ${name}, the failure of a load in flight is not kept`, async (t) => {
    const { cache, begin, loads, ask } = arrange()
    const { answer } = await begin('k')
    remove(cache)
    loads[0]?.finish(new Unavailable())
    t.equal(await answer, 'Unavailable')
    t.equal(await ask('k'), 'v uri-miss stored')
  })

  t.test(`after ${name}, a request that waits has no stale entry to fall back on`, async (t) => {
    const { cache, begin, clock, loads } = await arrangeStored(35_000)
    const { answer } = await begin('k')
    remove(cache)
    await clock.advance(slowMs)
    loads[1]?.finish(updated)
    t.equal(await answer, 'new stale')
  })
}
