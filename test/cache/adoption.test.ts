import t from 'tap'
import type { Entry } from '../../src/cache/entry.ts'
import type { ReadThrough } from '../../src/cache/read-through.ts'
import { settled } from '../harness/timers.ts'
import { anyRequest, arrange, arrangeStored, onlyIfCached, Unavailable } from './rig.ts'

/** Begins an adoption. The test decides what it brings, and when. */
function adopt(cache: ReadThrough<string>, isAwaited: boolean, key = 'k') {
  const { promise, resolve } = Promise.withResolvers<Entry<string> | null>()
  cache.adopt(key, () => promise, isAwaited)
  return { bring: resolve }
}

t.test('requests wait for an adoption only if it replaces what is stored', async (t) => {
  const { cache, begin, loadOf, loads, entryOf, news } = await arrangeStored(0)
  news.length = 0
  const behind = adopt(cache, false)
  t.notOk(cache.get('k', loadOf('k'), anyRequest) instanceof Promise)
  behind.bring(entryOf({ value: 'renewed' }))
  await settled()
  t.equal(await (await begin('k')).answer, 'renewed hit')
  t.strictSame(news, ['k renewed, stored'])

  const awaited = adopt(cache, true)
  const asked = [await begin('k'), await begin('k', onlyIfCached)]
  const other = await begin('other')
  t.equal(loads.at(-1)?.key, 'other', 'other keys do not wait')
  loads.at(-1)?.finish({})
  t.equal(await other.answer, 'v uri-miss stored')
  awaited.bring(entryOf({ value: 'replaced' }))
  for (const { answer } of asked) t.equal(await answer, 'replaced hit')
  t.notOk(cache.get('k', loadOf('k'), anyRequest) instanceof Promise, 'it is over')
  t.equal(loads.length, 2, 'no load')
})

t.test('an adoption may bring an absence, and ends a remembered failure', async (t) => {
  const { cache, ask, entryOf, values, news } = arrange()
  await ask('k', new Unavailable())
  adopt(cache, true).bring(entryOf({ value: 'new' }))
  t.equal(await ask('k'), 'new hit')
  adopt(cache, true).bring(entryOf({ value: null }))
  t.equal(await ask('k'), 'absent hit')
  t.equal(values.peek('k'), undefined)
  t.strictSame(news, ['k Unavailable', 'k new, stored', 'k absent'])
})

t.test('an adoption that brings nothing leaves what is not out of date as it is', async (t) => {
  const { cache, ask, begin, news } = await arrangeStored(0)
  news.length = 0
  const { bring } = adopt(cache, false)
  const { answer } = await begin('k')
  bring(null)
  t.equal(await answer, 'old hit')
  t.equal(await ask('k'), 'old hit')
  t.strictSame(news, [])
})

t.test('what is out of date is not fresh any more when nothing newer can be adopted', async (t) => {
  const { cache, ask, begin, loads, news, clock } = await arrangeStored(1000)
  news.length = 0
  const { bring } = adopt(cache, true)
  const { answer } = await begin('k')
  bring(null)
  await settled()
  loads.at(-1)?.finish(new Unavailable())
  t.equal(await answer, 'old stale origin-failed', 'it stands in for an error')
  t.strictSame(news, ['k Unavailable, stored'])
  t.equal(await ask('other'), 'v uri-miss stored')
  await clock.advance(1)
  cache.adopt('other', async () => null, true)
  t.equal(await ask('other', { value: 'new' }), 'new stale stored')
  cache.adopt('unknown', async () => null, true)
  t.equal(await ask('unknown'), 'v uri-miss stored')
})

t.test('an absence that is out of date is none', async (t) => {
  const { cache, ask } = arrange()
  await ask('k', { value: null })
  cache.adopt('k', async () => null, true)
  t.equal(await ask('k'), 'v uri-miss stored')
})

t.test('a second adoption takes the place of the first', async (t) => {
  const { cache, ask, begin, entryOf, news } = await arrangeStored(0)
  news.length = 0
  const [first, second] = [adopt(cache, true), adopt(cache, true)]
  const waiting = await begin('k')
  first.bring(entryOf({ value: 'older' }))
  await settled()
  t.strictSame(news, [])
  second.bring(entryOf({ value: 'newer' }))
  t.equal(await waiting.answer, 'newer hit')
  t.strictSame(news, ['k newer, stored'])

  const [awaited, behind] = [adopt(cache, true), adopt(cache, false)]
  t.equal(await ask('k'), 'newer hit', 'the second one is not awaited')
  behind.bring(null)
  await settled()
  awaited.bring(entryOf({ value: 'older' }))
  t.equal(await ask('k'), 'newer hit', 'the first one is over even when the second has brought nothing')

  const [before, after] = [adopt(cache, true), adopt(cache, true)]
  const both = await begin('k')
  after.bring(entryOf({ value: 'newest' }))
  await settled()
  before.bring(entryOf({ value: 'older' }))
  t.equal(await both.answer, 'newest hit')
})

const removals: Readonly<Record<string, (cache: ReadThrough<string>) => void>> = {
  delete: (cache) => cache.delete('k'),
  deleteEach: (cache) => cache.deleteEach((key) => key === 'k'),
  clear: (cache) => cache.clear(),
}
for (const [name, remove] of Object.entries(removals)) {
  t.test(`after ${name}, what an adoption brings is not stored`, async (t) => {
    for (const isStored of [true, false]) {
      const { cache, ask, begin, entryOf, loads, news } = isStored ? await arrangeStored(0) : arrange()
      news.length = 0
      const { bring } = adopt(cache, true)
      const waiting = await begin('k')
      remove(cache)
      const loading = await begin('k')
      t.equal(loads.at(-1)?.key, 'k', 'later requests do not wait for it')
      bring(entryOf({ value: 'forgotten' }))
      await settled()
      loads.at(-1)?.finish({ value: 'new' })
      t.equal(await loading.answer, 'new uri-miss stored')
      t.equal(await waiting.answer, 'new uri-miss collapsed')
      t.strictSame(news, ['k new, stored'])
      t.equal(await ask('k'), 'new hit')
    }
  })
}

t.test('deleteEach leaves the adoptions of other keys alone', async (t) => {
  const { cache, ask, entryOf } = arrange()
  const { bring } = adopt(cache, true, 'kept')
  cache.deleteEach((key) => key === 'k')
  bring(entryOf({ value: 'adopted' }))
  t.equal(await ask('kept'), 'adopted hit')
})
