import t from 'tap'
import type { Entry } from '../../src/cache/entry.ts'
import { createStore, overheadBytes } from '../../src/cache/store.ts'
import { createClock } from '../harness/clock.ts'

const kibibyte = 1024
const clock = createClock()

function entryOf(value: string, bytes = value.length, freshMs = 5000): Entry<string> {
  return { value, bytes, fetchedAt: clock.now(), freshMs }
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

t.test('an entry, when its lifetime is over, is forgotten by the injected clock', async (t) => {
  const store = storeFor(1)
  store.set('a', entryOf('a'))
  clock.advance(5000)
  t.equal(store.get('a')?.value, 'a', 'whether it is fresh to the millisecond is not the store’s business')
  clock.advance(1)
  t.equal(store.get('a'), undefined)
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
