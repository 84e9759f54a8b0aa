import t from 'tap'
import { httpDateMs } from '../../../src/upstream/transport/http-date.ts'
import { checkRows, difference } from '../../harness/table.ts'

const nowMs = Date.parse('2026-11-22T10:05:00Z')

t.test('the three forms of RFC 9110 are the same date', async (t) => {
  const dates = [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Sun Nov 06 08:49:37 1994',
    // The day of the week may be wrong, and a cache ignores the case (RFC 9111 section 4.2).
    'Mon, 06 Nov 1994 08:49:37 GMT',
    'Wednesday, 06-Nov-94 08:49:37 GMT',
    'SUN, 06 NOV 1994 08:49:37 GMT',
    'sun nov  6 08:49:37 1994',
  ]
  checkRows(
    t,
    dates,
    (date) => difference(new Date(httpDateMs(date, nowMs)).toISOString(), '1994-11-06T08:49:37.000Z'),
    'the date',
  )
})

t.test('the last second of a day and of a leap year are dates', async (t) => {
  checkRows(
    t,
    [
      ['Thu, 29 Feb 2024 23:59:59 GMT', '2024-02-29T23:59:59.000Z'],
      ['Thursday, 29-Feb-24 23:59:59 GMT', '2024-02-29T23:59:59.000Z'],
      ['Thu Feb 29 23:59:59 2024', '2024-02-29T23:59:59.000Z'],
      ['Fri, 31 Dec 9999 23:59:59 GMT', '9999-12-31T23:59:59.000Z'],
      ['Thu, 01 Jan 1970 00:00:00 GMT', '1970-01-01T00:00:00.000Z'],
    ] as const,
    ([date, expected]) => difference(new Date(httpDateMs(date, nowMs)).toISOString(), expected),
    'the date',
  )
})

t.test('a year of two digits is the latest that is at most 50 years ahead', async (t) => {
  checkRows(
    t,
    [
      ['22-Nov-26 10:05:07', '2026-11-22T10:05:00Z', 2026],
      ['22-Nov-76 10:05:00', '2026-11-22T10:05:00Z', 2076],
      ['22-Nov-76 10:05:01', '2026-11-22T10:05:00Z', 1976],
      ['23-Nov-76 10:05:00', '2026-11-22T10:05:00Z', 1976],
      ['01-Jan-77 00:00:00', '2026-11-22T10:05:00Z', 1977],
      ['01-Jan-00 00:00:00', '2026-11-22T10:05:00Z', 2000],
      ['06-Nov-94 08:49:37', '2026-11-22T10:05:00Z', 1994],
      ['01-Jan-00 00:00:00', '2099-12-31T23:59:59Z', 2100],
      ['31-Dec-99 23:59:59', '2100-01-01T00:00:00Z', 2099],
      // The year 2100 has no 29 February.
      ['29-Feb-00 00:00:00', '2060-01-01T00:00:00Z', 2000],
    ] as const,
    ([date, now, year]) =>
      difference(new Date(httpDateMs(`Sunday, ${date} GMT`, Date.parse(now))).getUTCFullYear(), year),
    'the year',
  )
})

t.test('another text, or a date that does not exist, is none', async (t) => {
  const others = [
    '',
    ' ',
    '7',
    'soon',
    '2026-11-22T10:05:07Z',
    'Sun, 22 Nov 2026 10:05:07',
    'Sun, 22 Nov 2026 10:05:07 UTC',
    'Sun, 22 Nov 2026 10:05:07 +0000',
    'Sun, 22 Nov 2026 10:05:07 GMT+1',
    'x Sun, 22 Nov 2026 10:05:07 GMT',
    'Sun, 22 Nov 2026 10:05:07 GMT ',
    'Sun, 22 Nov 26 10:05:07 GMT',
    'Sun, 2 Nov 2026 10:05:07 GMT',
    'Sun 22 Nov 2026 10:05:07 GMT',
    'Sunday, 22-Nov-2026 10:05:07 GMT',
    'Sun, 22-Nov-26 10:05:07 GMT',
    'Sun Nov 22 10:05:07 2026 GMT',
    'Sun Nov 2 10:05:07 2026',
    'Sun, 30 Feb 2026 10:05:07 GMT',
    'Sunday, 30-Feb-26 10:05:07 GMT',
    'Sun Feb 30 10:05:07 2026',
    'Sun, 29 Feb 2026 10:05:07 GMT',
    'Sun, 31 Nov 2026 10:05:07 GMT',
    'Sun, 00 Nov 2026 10:05:07 GMT',
    'Sun Nov  0 10:05:07 2026',
    'Sun, 99 Nov 2026 10:05:07 GMT',
    'Sun, 22 Foo 2026 10:05:07 GMT',
    'Sun, 22 Nov 2026 24:00:00 GMT',
    'Sun, 22 Nov 2026 25:05:07 GMT',
    'Sun, 22 Nov 2026 10:60:07 GMT',
    'Sun, 22 Nov 2026 10:05:60 GMT',
  ]
  checkRows(t, others, (text) => difference(httpDateMs(text, nowMs), Number.NaN), 'no date')
})
