import t from 'tap'
import { noDirectives } from '../../src/cache/request-directives.ts'
import { settled } from '../harness/timers.ts'
import { anyRequest, arrange, arrangeStored, noCache, Rationed, slowMs, Unavailable } from './rig.ts'

/** The largest age that a request accepts. */
const upTo = (maxAgeMs: number) => ({ ...noDirectives, maxAgeMs })

t.test('a load is told which age its request accepts', async (t) => {
  const { cache, begin, clock, loads, loadOf, ask } = await arrangeStored(0)
  await clock.advance(1)
  for (const [directives, maxAgeMs] of [
    [noCache, 0],
    [upTo(3000), 3000],
    [noDirectives, Number.POSITIVE_INFINITY],
  ] as const) {
    await clock.advance(40_000)
    const { answer } = await begin('k', directives)
    t.equal(loads.at(-1)?.maxAgeMs, maxAgeMs)
    loads.at(-1)?.finish({})
    await answer
  }
  await clock.advance(6000)
  t.equal(await ask('k', {}), 'v hit revalidating')
  t.equal(loads.at(-1)?.maxAgeMs, Number.POSITIVE_INFINITY, 'a refresh in the background takes what is fresh')
  const refreshed = cache.refresh('k', loadOf('k'), 'w')
  await settled()
  t.equal(loads.at(-1)?.maxAgeMs, 0, 'a refresh that is due wants a new answer')
  loads.at(-1)?.finish({})
  await refreshed
})

t.test('what was known elsewhere is a hit', async (t) => {
  const { begin, ask, clock, loads, news } = arrange()
  const asked = [await begin('k'), await begin('k')]
  loads[0]?.bring({ generatedAt: clock.now() - 1000 })
  for (const { answer } of asked) t.equal(await answer, 'v hit shared')
  t.equal(await ask('k'), 'v hit')
  t.strictSame(news, ['k v, stored'])
  const absent = await begin('none')
  loads[1]?.bring({ value: null, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 })
  t.equal(await absent.answer, 'absent hit shared')
  t.equal(await ask('none'), 'absent hit')
})

t.test('what was known elsewhere and is stale is served at once, and a load begins behind', async (t) => {
  const { begin, ask, clock, loads } = arrange()
  const asked = [await begin('k'), await begin('k')]
  loads[0]?.bring({ generatedAt: clock.now() - 6000 })
  for (const { answer } of asked) t.equal(await answer, 'v hit revalidating')
  await settled()
  t.equal(loads.length, 2, 'one load for both')
  t.strictSame([loads[1]?.urgency(), loads[1]?.maxAgeMs], [0, Number.POSITIVE_INFINITY])
  t.equal(await ask('k'), 'v hit revalidating')
  loads[1]?.finish({ value: 'new' })
  await settled()
  t.equal(await ask('k'), 'new hit')
})

t.test('a request that wishes for a younger answer than the load it joined asks again', async (t) => {
  for (const [ageMs, directives, expected] of [
    [1000, noCache, 'new request stored'],
    [1001, upTo(1000), 'new request stored'],
    [1000, upTo(1000), 'v hit'],
    [6000, upTo(10_000), 'new stale stored'],
  ] as const) {
    const { begin, clock, loads } = arrange()
    const [first, joining] = [await begin('k'), await begin('k', directives)]
    loads[0]?.bring({ generatedAt: clock.now() - ageMs })
    t.equal(await first.answer, ageMs < 5000 ? 'v hit shared' : 'v hit revalidating')
    await settled()
    loads[1]?.finish({ value: 'new' })
    t.equal(await joining.answer, expected, `${ageMs}`)
  }
  const { begin, clock, loads } = arrange({}, () => false)
  const [, joining] = [await begin('k'), await begin('k', noCache)]
  loads[0]?.bring({ generatedAt: clock.now() - 1000 })
  t.equal(await joining.answer, 'v hit denied', 'within the limit of reloads')
})

t.test('a load of its own may bring what is as old as the request accepts', async (t) => {
  const { begin, clock, loads } = arrange()
  const { answer } = await begin('k', upTo(3000))
  loads[0]?.bring({ generatedAt: clock.now() - 2000 })
  t.equal(await answer, 'v hit shared')
})

t.test('a load that another process leads is collapsed, and its result is stored', async (t) => {
  for (const [ageMs, fwd] of [
    [700_000, 'uri-miss'],
    [40_000, 'stale'],
  ] as const) {
    const { begin, ask, clock, loads } = await arrangeStored(ageMs)
    const asked = [await begin('k'), await begin('k')]
    loads[1]?.markAskedElsewhere()
    loads[1]?.bring({ value: 'new', generatedAt: clock.now() })
    for (const { answer } of asked) t.equal(await answer, `new ${fwd} collapsed`)
    t.equal(await ask('k'), 'new hit')
  }
})

t.test('a stale answer that stands in says whether any process has asked the origin', async (t) => {
  for (const [how, detail] of [
    [null, 'rationed'],
    ['markAskedElsewhere', 'origin-slow'],
    ['markAsked', 'origin-slow'],
  ] as const) {
    const { begin, clock, loads } = await arrangeStored(40_000)
    const { answer } = await begin('k')
    if (how !== null) loads[1]?.[how]()
    await clock.advance(slowMs)
    t.equal(await answer, `old stale ${detail}`)
  }
})

t.test('a stale entry that a load came by stands in when the origin is slow', async (t) => {
  const { begin, ask, clock, loads, entryOf, news } = arrange()
  const asked = [await begin('k'), await begin('k', noCache)]
  await clock.advance(100)
  loads[0]?.offer(entryOf({ value: 'old', generatedAt: clock.now() - 40_000 }))
  t.strictSame(news, ['k old, stored'])
  await settled()
  t.strictSame(clock.armed(), [slowMs - 100])
  loads[0]?.markAsked()
  await clock.advance(slowMs - 101)
  asked.push(await begin('k'))
  let isAnswered = false
  void asked[0]?.answer.then(() => {
    isAnswered = true
  })
  await settled()
  t.notOk(isAnswered, 'the origin has its time')
  await clock.advance(1)
  t.equal(await asked[0]?.answer, 'old uri-miss origin-slow')
  t.equal(await asked[2]?.answer, 'old stale collapsed origin-slow')
  loads[0]?.finish({ value: 'new' })
  t.equal(await asked[1]?.answer, 'new uri-miss collapsed', 'a reload accepts nothing stale')
  t.equal(await ask('k'), 'new hit')
})

t.test('a stale entry that a load came by stands in when the load fails', async (t) => {
  const { begin, ask, clock, loads, entryOf } = arrange()
  for (const [error, answer, later] of [
    [new Unavailable(), 'old uri-miss origin-failed', 'old hit backing-off'],
    [new Rationed(), 'old uri-miss rationed', 'v stale stored'],
  ] as const) {
    const key = error.name
    const asked = await begin(key)
    loads.at(-1)?.offer(entryOf({ value: 'old', generatedAt: clock.now() - 40_000 }))
    loads.at(-1)?.bring(error)
    t.equal(await asked.answer, answer)
    t.equal(await ask(key), later)
  }
})

t.test('the answer is that of the load, when it comes in time', async (t) => {
  const { begin, clock, loads, entryOf } = arrange()
  const { answer } = await begin('k')
  loads[0]?.offer(entryOf({ value: 'old', generatedAt: clock.now() - 40_000 }))
  await clock.advance(slowMs - 1)
  loads[0]?.finish({ value: 'new' })
  t.equal(await answer, 'new uri-miss stored')
})

t.test('a request without an entry waits for an offer or the end, however slow the origin is', async (t) => {
  const { begin, clock, loads, entryOf } = arrange()
  const { answer } = await begin('k')
  t.strictSame(clock.armed(), [])
  await clock.advance(1000)
  loads[0]?.offer(entryOf({ value: 'old', generatedAt: clock.now() - 40_000 }))
  await clock.advance(0)
  t.equal(await answer, 'old uri-miss rationed')
})

t.test('what a load came by after its key was deleted is not stored', async (t) => {
  const { cache, begin, ask, clock, loads, entryOf, news } = arrange()
  const { answer } = await begin('k')
  cache.delete('k')
  loads[0]?.offer(entryOf({ value: 'old', generatedAt: clock.now() - 40_000 }))
  await clock.advance(slowMs)
  loads[0]?.finish({})
  t.equal(await answer, 'v uri-miss', 'the request waits for the load')
  t.strictSame(news, [])
  t.equal(await ask('k'), 'v uri-miss stored')
})

t.test('what an abandoned load brings is answered, not stored and not told', async (t) => {
  for (const outcome of [{ value: 'new' }, new Unavailable()]) {
    const { begin, ask, loads, news } = arrange()
    const first = await begin('k')
    loads[0]?.abandon()
    const next = await begin('k')
    t.equal(loads.length, 2, 'a later request does not join it')
    loads[0]?.abandon()
    loads[0]?.finish(outcome)
    t.equal(await first.answer, outcome instanceof Error ? 'Unavailable' : 'new uri-miss')
    t.strictSame(news, [])
    loads[1]?.finish({ value: 'newer' })
    t.equal(await next.answer, 'newer uri-miss stored', 'that it was abandoned does not concern the next load')
    t.equal(await ask('k'), 'newer hit')
  }
})

t.test('the load of a request counts as asked when it joined, too', async (t) => {
  const { cache, loads, loadOf } = arrange()
  const refreshed = cache.refresh('k', loadOf('k'), 'w')
  const answer = cache.get('k', loadOf('k'), anyRequest)
  await settled()
  loads[0]?.markAskedElsewhere()
  loads[0]?.bring({})
  t.equal(await refreshed, true)
  t.match(await answer, { handling: { fwd: 'uri-miss', collapsed: true, stored: false, detail: null } })
})
