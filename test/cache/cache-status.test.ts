import t from 'tap'
import { ageSeconds, formatCacheStatus, matchesIfNoneMatch } from '../../src/cache/cache-status.ts'
import type { Entry } from '../../src/cache/entry.ts'
import type { Handling } from '../../src/cache/read-through.ts'

const entry: Entry<string> = {
  value: 'v',
  bytes: 1,
  fetchedAt: 1_000_000,
  freshMs: 5000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
}
const hit = { hit: true, detail: null } as const
const miss = { hit: false, fwd: 'uri-miss', stored: false, collapsed: false, detail: null } as const

t.test('Cache-Status, for each way a request can be handled, says so in the words of RFC 9211', async (t) => {
  const table: readonly (readonly [Handling, number, string])[] = [
    [hit, 0, 'c; hit; ttl=5'],
    [hit, 1, 'c; hit; ttl=5'],
    [hit, 2000, 'c; hit; ttl=3'],
    [hit, 4999, 'c; hit; ttl=1'],
    [hit, 5000, 'c; hit; ttl=0'],
    [{ hit: true, detail: 'revalidating' }, 5001, 'c; hit; ttl=-1; detail=revalidating'],
    [{ hit: true, detail: 'backing-off' }, 7000, 'c; hit; ttl=-2; detail=backing-off'],
    [{ ...miss, stored: true }, 0, 'c; fwd=uri-miss; ttl=5; stored'],
    [miss, 0, 'c; fwd=uri-miss; ttl=5'],
    [{ ...miss, collapsed: true }, 0, 'c; fwd=uri-miss; ttl=5; collapsed'],
    [{ ...miss, fwd: 'request', stored: true }, 0, 'c; fwd=request; ttl=5; stored'],
    [{ ...miss, fwd: 'stale', stored: true }, 0, 'c; fwd=stale; ttl=5; stored'],
    [{ ...miss, fwd: 'stale', detail: 'origin-failed' }, 45_000, 'c; fwd=stale; ttl=-40; detail=origin-failed'],
    [
      { ...miss, fwd: 'stale', collapsed: true, detail: 'origin-slow' },
      45_000,
      'c; fwd=stale; ttl=-40; collapsed; detail=origin-slow',
    ],
  ]
  for (const [handling, age, expected] of table)
    t.equal(formatCacheStatus('c', { entry, handling }, entry.fetchedAt + age), expected)
})

t.test('Age, as time goes by, is in whole seconds and never below zero', async (t) => {
  const table = [
    [-1, 0],
    [0, 0],
    [999, 0],
    [1000, 1],
    [59_999, 59],
  ] as const
  for (const [age, seconds] of table) t.equal(ageSeconds(entry, entry.fetchedAt + age), seconds, `${age} ms`)
})

t.test('If-None-Match, in each of its forms, is compared weakly', async (t) => {
  const etag = '"abc"'
  const table = [
    [undefined, false],
    ['', false],
    ['"abc"', true],
    ['W/"abc"', true],
    ['"x", "abc"', true],
    ['"x","y,z" , W/"abc"', true],
    ['*', true],
    [' * ', true],
    ['"*"', false],
    ['"x"', false],
    ['"abcd"', false],
    ['"ABC"', false],
    ['abc', false],
    ['"abc', false],
    ['"x"abc"', false],
  ] as const
  for (const [header, expected] of table) t.equal(matchesIfNoneMatch(header, etag), expected, String(header))
})
