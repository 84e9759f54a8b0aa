import t from 'tap'
import type { Entry } from '../../src/cache/entry.ts'
import { createLruStore, overheadBytes } from '../../src/cache/lru-store.ts'
import { createClock } from '../harness/clock.ts'
import { checkRows, difference } from '../harness/table.ts'

const kibibyte = 1024

/** A store with room for this many entries of a kibibyte. */
function arrange(entries: number) {
  const clock = createClock()
  const heard: string[] = []
  const store = createLruStore<string>({
    maxBytes: entries * (kibibyte + overheadBytes),
    clock,
    onStored: (key, { value }, previous) => heard.push(`${key}=${value}, was ${previous?.value}`),
    onForgotten: (key) => heard.push(key),
  })
  const set = (key: string, given: Partial<Entry<string>> = {}) => {
    const windows = { freshMs: 5000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
    return store.set(key, { value: key, bytes: kibibyte, generatedAt: clock.now(), ...windows, ...given })
  }
  const keys = () => [...store.entries()].map(([key]) => key).join('')
  /** The reports of the store since the last call. */
  const news = () => heard.splice(0)
  return { clock, store, set, keys, news }
}

t.test('a store evicts the least recently used entry only when the budget is exceeded', async (t) => {
  const { store, set, keys } = arrange(2)
  t.strictSame([set('a'), set('b')], [true, true])
  t.equal(keys(), 'ba')
  t.equal(store.get('a')?.value, 'a')
  t.equal(set('c', { bytes: 0 }), true)
  t.equal(keys(), 'ca')
  t.equal(store.get('b'), undefined)
})

t.test('an entry that is too large or expired is not stored, and removes the one it would replace', async (t) => {
  const { clock, store, set } = arrange(1)
  const rows = [
    [{ bytes: kibibyte }, true],
    [{ bytes: kibibyte + 1 }, false],
    [{ freshMs: 0 }, false],
    [{ freshMs: -1 }, false],
    [{ freshMs: Number.NaN }, false],
    [{ generatedAt: clock.now() - 4999 }, true],
    [{ generatedAt: clock.now() - 5000 }, false],
    // The wall clock was set back during the load.
    [{ generatedAt: clock.now() + 3_600_000 }, true],
  ] as const
  const check = ([given, isStored]: (typeof rows)[number]) => {
    set('a', { value: 'old' })
    return difference([set('a', given), store.get('a')?.value], [isStored, isStored ? 'a' : undefined])
  }
  checkRows(t, rows, check, 'all entries are stored or not')
})

t.test('an entry expires after its longer window', async (t) => {
  const rows = [
    [{}, 5000],
    [{ staleWhileRevalidateMs: 1000 }, 6000],
    [{ staleIfErrorMs: 2000 }, 7000],
    [{ staleWhileRevalidateMs: 1000, staleIfErrorMs: 2000 }, 7000],
    [{ generatedAt: createClock().now() - 3000 }, 2000],
  ] as const
  const check = ([given, leftMs]: (typeof rows)[number]) => {
    const { clock, store, set } = arrange(1)
    set('a', given)
    clock.advance(leftMs)
    // At the very end of a window, the store still has the entry: `decide` decides about that moment.
    const atEnd = store.get('a')?.value
    clock.advance(1)
    return difference([atEnd, store.get('a')], ['a', undefined])
  }
  checkRows(t, rows, check, 'all entries expire in time')
})

t.test('a sweep removes expired entries and no others', async (t) => {
  const { clock, store, set, keys, news } = arrange(2)
  set('a')
  set('b', { staleIfErrorMs: 10_000 })
  news()
  clock.advance(4999)
  store.sweep()
  t.equal(keys(), 'ba')
  clock.advance(1)
  store.sweep()
  t.equal(keys(), 'b')
  t.strictSame(news(), ['a'])
})

t.test('a sweep removes entries in time, whatever the wall clock does', async (t) => {
  const hour = 3_600_000
  const cases = [
    { title: 'set back, so that entries are from the future', wallMs: -hour, passMs: 0 },
    { title: 'set back by less than the age of an entry', ageMs: 4000, wallMs: -3000, passMs: 1001 },
    { title: 'set back before an entry was stored', ageMs: -hour, wallMs: hour, passMs: 5001 },
    { title: 'ahead, as after a sleep of the machine', wallMs: 5000, passMs: 0 },
  ]
  for (const { title, ageMs = 0, wallMs, passMs } of cases) {
    const { clock, store, set, keys } = arrange(3)
    for (const key of ['a', 'b', 'c']) set(key, { generatedAt: clock.now() - ageMs })
    clock.shiftWall(wallMs)
    clock.advance(passMs)
    store.sweep()
    t.equal(keys(), '', title)
  }
})

t.test('a peek at an entry is no use of it', async (t) => {
  const { clock, store, set, keys } = arrange(2)
  for (const key of ['a', 'b']) set(key)
  t.equal(store.peek('a')?.value, 'a')
  t.equal(keys(), 'ba')
  clock.advance(5001)
  t.equal(store.peek('a'), undefined)
})

t.test('a store reports what it keeps and what it drops', async (t) => {
  const { clock, store, set, keys, news } = arrange(2)
  set('a')
  set('a', { value: 'new' })
  set('b')
  t.strictSame(news(), ['a=a, was undefined', 'a=new, was a', 'b=b, was undefined'], 'stored')
  set('c')
  t.strictSame(news(), ['a', 'c=c, was undefined'], 'evicted')
  store.delete('b')
  t.equal(keys(), 'c')
  t.strictSame(news(), ['b'], 'deleted')
  set('c', { bytes: 10 * kibibyte })
  t.strictSame(news(), ['c'], 'too large')
  set('d')
  set('d', { freshMs: 0 })
  t.strictSame(news(), ['d=d, was undefined', 'd'], 'without a lifetime')
  set('e')
  store.clear()
  t.equal(keys(), '')
  t.strictSame(news(), ['e=e, was undefined', 'e'], 'cleared')
  set('f')
  clock.advance(5001)
  store.get('f')
  t.strictSame(news(), ['f=f, was undefined', 'f'], 'expired')
})

t.test('a store counts its entries, their bytes and its evictions', async (t) => {
  const { clock, store, set } = arrange(2)
  const maxBytes = 2 * (kibibyte + overheadBytes)
  t.strictSame(store.usage(), { entries: 0, bytes: 0, maxBytes, evictions: 0 })
  set('a')
  set('a')
  set('b')
  store.delete('b')
  t.strictSame(store.usage(), { entries: 1, bytes: kibibyte + overheadBytes, maxBytes, evictions: 0 })
  for (const key of ['b', 'c', 'd']) set(key)
  t.strictSame(store.usage(), { entries: 2, bytes: maxBytes, maxBytes, evictions: 2 })
  clock.advance(5001)
  store.sweep()
  t.strictSame(store.usage(), { entries: 0, bytes: 0, maxBytes, evictions: 2 }, 'expiry is no eviction')
})
