import t from 'tap'
import { longestPauseSeconds, retryAfterSeconds } from '../../src/upstream/retry-after.ts'
import { createClock } from '../harness/clock.ts'

const nowMs = createClock('2026-11-22T10:05:00Z').now()

t.test('Retry-After, when it says how long, is whole seconds within bounds', async (t) => {
  t.equal(longestPauseSeconds, 300)
  const table = [
    ['0', 1],
    ['1', 1],
    ['2', 2],
    ['007', 7],
    [' 7\t', 7],
    ['299', 299],
    ['300', 300],
    ['301', 300],
    ['31536000', 300],
    ['9'.repeat(400), 300],
    ['Sun, 22 Nov 2026 10:05:07 GMT', 7],
    ['Sun, 22 Nov 2026 10:05:01 GMT', 1],
    ['Sun, 22 Nov 2026 10:05:00 GMT', 1],
    ['Sun, 22 Nov 2026 10:04:59 GMT', 1],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 1],
    ['Sun, 22 Nov 2026 10:09:59 GMT', 299],
    ['Sun, 22 Nov 2026 10:10:01 GMT', 300],
    ['Mon, 22 Nov 2027 10:05:00 GMT', 300],
  ] as const
  for (const [header, seconds] of table) t.equal(retryAfterSeconds(header, nowMs), seconds, header.slice(0, 40))
})

t.test('a date, when it is not whole seconds away, is rounded up: never back too early', async (t) => {
  const date = 'Sun, 22 Nov 2026 10:05:07 GMT'
  for (const [laterMs, seconds] of [
    [-1, 8],
    [0, 7],
    [1, 7],
    [999, 7],
    [1000, 6],
  ] as const)
    t.equal(retryAfterSeconds(date, nowMs + laterMs), seconds, `${laterMs} ms later`)
})

t.test('Retry-After, when there is none or it cannot be read, asks for nothing', async (t) => {
  const unreadable = [
    undefined,
    '',
    ' ',
    'soon',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    '7 seconds',
    '7,9',
    '٧',
    'NaN',
    'Infinity',
    '2026-11-22T10:05:07Z',
    'Sun, 22 Nov 2026 10:05:07',
    'Sun, 22 Nov 2026 10:05:07 UTC',
    'Sun, 22 Nov 2026 10:05:07 GMT, 9',
    'x Sun, 22 Nov 2026 10:05:07 GMT',
    'Sunday, 22-Nov-26 10:05:07 GMT',
    'Sun Nov 22 10:05:07 2026',
    'Sun, 99 Nov 2026 10:05:07 GMT',
    'Sun, 22 Foo 2026 10:05:07 GMT',
    'Sun, 22 Nov 2026 25:05:07 GMT',
  ]
  for (const header of unreadable) t.equal(retryAfterSeconds(header, nowMs), undefined, String(header))
})
