import t from 'tap'
import type { Entry } from '../../src/cache/entry.ts'
import { createStore, overheadBytes } from '../../src/cache/lru-store.ts'
import { createClock } from '../harness/clock.ts'

const kibibyte = 1024
const clock = createClock()

function entryOf(value: string, bytes = value.length, freshMs = 5000): Entry<string> {
  return { value, bytes, fetchedAt: clock.now(), freshMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
}

/** Room for this many entries of a kibibyte. */
function storeFor(entries: number) {
  return createStore<string>({ maxBytes: entries * (kibibyte + overheadBytes), now: clock.now })
}

t.test(
  'a store, when its budget is used up to the last byte, evicts nothing; one byte more evicts the oldest use',
  async (t) => {
    const store = storeFor(2)
    t.equal(store.set('a', entryOf('a', kibibyte)), true)
    t.equal(store.set('b', entryOf('b', kibibyte)), true)
    t.equal(store.get('a')?.value, 'a', 'and a is now the latest used')
    t.equal(store.set('c', entryOf('c', 0)), true)
    t.equal(store.get('b'), undefined)
    t.equal(store.get('a')?.value, 'a')
    t.equal(store.get('c')?.value, 'c')
  },
)

t.test('an entry larger than the budget, when set, is refused, and what it was to replace is gone', async (t) => {
  const store = storeFor(1)
  store.set('a', entryOf('old'))
  t.equal(store.set('a', entryOf('new', kibibyte)), true, 'exactly the budget fits')
  t.equal(store.set('a', entryOf('larger', kibibyte + 1)), false)
  t.equal(store.get('a'), undefined)
})

t.test('an entry without a lifetime, when set, is refused, and what it was to replace is gone', async (t) => {
  const store = storeFor(1)
  for (const freshMs of [0, -1, Number.NaN]) {
    store.set('a', entryOf('old'))
    t.equal(store.set('a', entryOf('new', 1, freshMs)), false, `freshMs ${freshMs}`)
    t.equal(store.get('a'), undefined)
  }
})

t.test('an entry, when past its last window, is forgotten by the injected clock', async (t) => {
  const windows = [
    [{}, 5000],
    [{ staleWhileRevalidateMs: 1000 }, 6000],
    [{ staleIfErrorMs: 2000 }, 7000],
    [{ staleWhileRevalidateMs: 1000, staleIfErrorMs: 2000 }, 7000],
    [{ fetchedAt: clock.now() - 3000 }, 2000],
  ] as const
  for (const [given, leftMs] of windows) {
    const store = storeFor(1)
    const fetchedAt = clock.now() - ('fetchedAt' in given ? 3000 : 0)
    t.equal(store.set('a', { ...entryOf('a'), ...given, fetchedAt }), true)
    clock.advance(leftMs)
    t.equal(store.get('a')?.value, 'a', 'what it is good for to the millisecond is not the store’s business')
    clock.advance(1)
    t.equal(store.get('a'), undefined)
  }
})

t.test('an entry, when its last window is past before it is set, is refused', async (t) => {
  const store = storeFor(1)
  t.equal(store.set('a', { ...entryOf('a'), fetchedAt: clock.now() - 4999 }), true)
  t.equal(store.set('a', { ...entryOf('a'), fetchedAt: clock.now() - 5000 }), false)
  t.equal(store.get('a'), undefined)
})

t.test('a sweep, without anybody asking, frees what is past its last window and nothing else', async (t) => {
  const forgotten: string[] = []
  const store = createStore<string>({ maxBytes: 100_000, now: clock.now, onForgotten: (key) => forgotten.push(key) })
  store.set('short', entryOf('short'))
  store.set('long', { ...entryOf('long'), staleIfErrorMs: 10_000 })
  const keys = () => [...store.entries()].map(([key]) => key)
  clock.advance(5000)
  store.sweep()
  t.strictSame(keys(), ['long', 'short'])
  clock.advance(1)
  store.sweep()
  t.strictSame(keys(), ['long'])
  t.strictSame(forgotten, ['short'])
})

t.test('a key, when its value is no longer remembered for whatever reason, is told', async (t) => {
  const forgotten: string[] = []
  const store = createStore<string>({
    maxBytes: 2 * (kibibyte + overheadBytes),
    now: clock.now,
    onForgotten: (key) => forgotten.push(key),
  })
  const told = () => forgotten.splice(0)
  store.set('a', entryOf('a', kibibyte))
  store.set('a', entryOf('a', kibibyte))
  store.set('b', entryOf('b', kibibyte))
  t.strictSame(told(), [], 'set, and set again')
  store.set('b', entryOf('another', kibibyte))
  t.strictSame(told(), ['b'], 'replaced')
  store.set('c', entryOf('c', kibibyte))
  t.strictSame(told(), ['a'], 'evicted')
  store.delete('b')
  t.strictSame(told(), ['b'], 'deleted')
  store.set('c', entryOf('larger', 10 * kibibyte))
  t.strictSame(told(), ['c'], 'too large')
  store.set('d', entryOf('d'))
  store.set('d', entryOf('d', 1, 0))
  t.strictSame(told(), ['d'], 'without a lifetime')
  store.set('e', entryOf('e'))
  store.clear()
  t.strictSame(told(), ['e'], 'cleared')
  store.set('f', entryOf('f'))
  clock.advance(5001)
  store.get('f')
  t.strictSame(told(), ['f'], 'over')
})

t.test('a store, when told to, lists, deletes and clears', async (t) => {
  const store = storeFor(3)
  for (const key of ['a', 'b', 'c']) store.set(key, entryOf(key))
  const keys = () => [...store.entries()].map(([key, { value }]) => `${key}=${value}`)
  t.strictSame(keys(), ['c=c', 'b=b', 'a=a'])
  store.delete('b')
  t.strictSame(keys(), ['c=c', 'a=a'])
  store.clear()
  t.strictSame(keys(), [])
})

t.test('a store, as it fills, says how full it is and how often something had to make room', async (t) => {
  const store = storeFor(2)
  const { maxBytes } = store.fullness()
  t.equal(maxBytes, 2 * (kibibyte + overheadBytes))
  t.strictSame(store.fullness(), { entries: 0, bytes: 0, maxBytes, evictions: 0 })
  store.set('a', entryOf('a', kibibyte))
  t.strictSame(store.fullness(), { entries: 1, bytes: kibibyte + overheadBytes, maxBytes, evictions: 0 })
  store.set('a', entryOf('a', kibibyte))
  store.set('b', entryOf('b', kibibyte))
  store.delete('b')
  t.strictSame(store.fullness(), { entries: 1, bytes: kibibyte + overheadBytes, maxBytes, evictions: 0 })
  for (const key of ['b', 'c', 'd']) store.set(key, entryOf(key, kibibyte))
  t.strictSame(store.fullness(), { entries: 2, bytes: maxBytes, maxBytes, evictions: 2 })
  clock.advance(5001)
  store.sweep()
  t.strictSame(store.fullness(), { entries: 0, bytes: 0, maxBytes, evictions: 2 }, 'time makes no room for others')
})
