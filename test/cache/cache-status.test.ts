import t from 'tap'
import {
  ageSeconds,
  cacheWord,
  combinedUse,
  failsIfMatch,
  formatCacheStatus,
  formatHandling,
  matchesIfNoneMatch,
} from '../../src/cache/cache-status.ts'
import type { Handling } from '../../src/cache/read-through.ts'
import { checkRows, difference } from '../harness/table.ts'

const windows = { freshMs: 5000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
const entry = { value: 'v', bytes: 1, generatedAt: 1_000_000, ...windows }
const hit: Handling = { fwd: null, stored: false, collapsed: false, detail: null, reloadDenied: false }
const miss: Handling = { ...hit, fwd: 'uri-miss' }
const stale: Handling = { ...hit, fwd: 'stale' }

t.test('Cache-Status says in the terms of RFC 9211 how a request was handled', async (t) => {
  const rows: readonly (readonly [Handling, age: number, status: string])[] = [
    [hit, 0, 'hit; ttl=5'],
    [hit, 1, 'hit; ttl=5'],
    [hit, 4999, 'hit; ttl=1'],
    [hit, 5000, 'hit; ttl=0'],
    [{ ...hit, detail: 'revalidating' }, 5001, 'hit; ttl=-1; detail=revalidating'],
    [{ ...hit, detail: 'backing-off' }, 7000, 'hit; ttl=-2; detail=backing-off'],
    [{ ...hit, reloadDenied: true }, 4999, 'hit; ttl=1; detail=reload-denied'],
    [{ ...miss, stored: true }, 0, 'fwd=uri-miss; ttl=5; stored'],
    [miss, 0, 'fwd=uri-miss; ttl=5'],
    [{ ...miss, collapsed: true }, 0, 'fwd=uri-miss; ttl=5; collapsed'],
    [{ ...miss, fwd: 'request', stored: true }, 0, 'fwd=request; ttl=5; stored'],
    [{ ...stale, stored: true }, 0, 'fwd=stale; ttl=5; stored'],
    [{ ...stale, detail: 'origin-failed' }, 45_000, 'fwd=stale; ttl=-40; detail=origin-failed'],
    [{ ...stale, collapsed: true, detail: 'origin-slow' }, 45_000, 'fwd=stale; ttl=-40; collapsed; detail=origin-slow'],
  ]
  const check = ([handling, age, status]: (typeof rows)[number]) =>
    difference(formatCacheStatus('c', { entry, handling }, entry.generatedAt + age), `c; ${status}`)
  checkRows(t, rows, check, 'all statuses are right')
  t.strictSame([cacheWord(hit), cacheWord(stale)], ['hit', 'stale'])
})

t.test('Age is in whole seconds and never below zero', async (t) => {
  const seconds = [-1, 0, 999, 1000, 59_999].map((age) => ageSeconds(entry, entry.generatedAt + age))
  t.strictSame(seconds, [0, 0, 0, 1, 59])
})

/** The values of a header with entity tags, by which of them are the tag `"abc"`. */
const tagLists = {
  strong: ['"abc"', '"x", "abc"', '"x","y,z" , "abc"', ' ,\t"abc" ,, ', 'W/"abc", "abc"', 'x, "abc"', '*', ' * '],
  weak: ['W/"abc"', '"x","y,z" , W/"abc"', ',W/"abc",'],
  none: [
    ...['', ' ', ',', '"*"', '*, "x"', '"x"', '"abcd"', '"ABC"', 'abc', '"abc', '"x"abc"', 'w/"abc"', 'W /"abc"'],
    ...['W/W/"abc"', '"abc" "x"', '"abc"x', '"x,"abc"', '"x, "abc"', "'abc'", '"",""'],
  ],
}

t.test('If-None-Match is compared weakly, If-Match strongly, in each of their forms', async (t) => {
  const lists = Object.entries(tagLists).flatMap(([kind, headers]) => headers.map((header) => ({ kind, header })))
  const check = ({ kind, header }: (typeof lists)[number]) =>
    difference(
      [matchesIfNoneMatch(header, '"abc"'), failsIfMatch(header, '"abc"')],
      [kind !== 'none', kind !== 'strong'],
    )
  checkRows(t, lists, check, 'all headers are compared')
  t.strictSame([matchesIfNoneMatch(undefined, '"abc"'), failsIfMatch(undefined, '"abc"')], [false, false])
})

t.test('for several keys, what the cache did at worst counts', async (t) => {
  t.equal(combinedUse([]), null)
  const use = (handling: Partial<Handling>, ageMs = 0, waitedMs = 0) => ({ ...hit, ...handling, ageMs, waitedMs })
  const rows: readonly (readonly [Handling[], status: string])[] = [
    [[hit, hit], 'hit'],
    [[hit, { ...hit, fwd: 'request' }], 'fwd=request'],
    [[{ ...hit, fwd: 'request' }, stale, hit], 'fwd=stale'],
    [[stale, miss], 'fwd=uri-miss'],
    [[miss, stale], 'fwd=uri-miss'],
    [[hit, { ...miss, stored: true }], 'fwd=uri-miss; stored'],
    [
      [
        { ...miss, collapsed: true },
        { ...miss, stored: true },
      ],
      'fwd=uri-miss; collapsed',
    ],
    [[hit, { ...hit, detail: 'rationed' }, { ...hit, detail: 'origin-slow' }], 'hit; detail=rationed'],
    [[{ ...hit, reloadDenied: true }, hit], 'hit; detail=reload-denied'],
  ]
  checkRows(
    t,
    rows,
    ([handlings, status]) => {
      const combined = combinedUse(handlings.map((each) => use(each)))
      return combined && difference(formatHandling('name', combined), `name; ${status}`)
    },
    'Cache-Status',
  )
  t.match(combinedUse([use(hit, 1000, 7), use(miss, 3000, 2)]), { ageMs: 3000, waitedMs: 7 })
})
