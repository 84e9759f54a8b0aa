import t from 'tap'
import {
  ageMsOf,
  codingsOf,
  isJson,
  longestPauseSeconds,
  retryAfterSeconds,
} from '../../../src/upstream/transport/response-headers.ts'
import { createClock } from '../../harness/clock.ts'
import { checkRows, difference } from '../../harness/table.ts'

const nowMs = createClock('2026-11-22T10:05:00Z').now()
const at = (time: string) => `Sun, 22 Nov 2026 ${time} GMT`
type Value = string | string[] | undefined

t.test('Retry-After is read as whole seconds within limits, rounded up', async (t) => {
  t.equal(longestPauseSeconds, 300)
  const inSeconds = { '0': 1, '1': 1, '2': 2, '007': 7, ' 7\t': 7, '299': 299, '300': 300, '301': 300, '31536000': 300 }
  const rows: [value: Value, seconds: number | undefined, laterMs?: number][] = [
    ...Object.entries(inSeconds),
    ['9'.repeat(400), 300],
    [at('10:05:07'), 8, -1],
    [at('10:05:07'), 7, 0],
    [at('10:05:07'), 7, 1],
    [at('10:05:07'), 7, 999],
    [at('10:05:07'), 6, 1000],
    [at('10:05:01'), 1],
    [at('10:05:00'), 1],
    [at('10:04:59'), 1],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 1],
    [at('10:09:59'), 299],
    [at('10:10:01'), 300],
    ['Mon, 22 Nov 2027 10:05:00 GMT', 300],
    ['Sunday, 22-Nov-26 10:05:07 GMT', 7],
    ['Sunday, 22-Nov-76 10:05:00 GMT', 300],
    ['Sunday, 22-Nov-77 10:05:00 GMT', 1],
    ['Sun Nov 22 10:05:07 2026', 7],
  ]
  checkRows(
    t,
    rows,
    ([value, seconds, laterMs = 0]) =>
      difference(retryAfterSeconds({ 'retry-after': value }, nowMs + laterMs), seconds),
    'the wait',
  )
})

t.test('the longest of several waits counts, whether they are in a list or in repeated fields', async (t) => {
  const [imf, rfc850, asctime] = [at('10:05:20'), 'Sunday, 22-Nov-26 10:05:30 GMT', 'Sun Nov 22 10:05:40 2026']
  checkRows(
    t,
    [
      ['7,9', 9],
      ['9, 7', 9],
      [['7', '9'], 9],
      [['9', '7'], 9],
      [['7', '7'], 7],
      [',7,,', 7],
      ['soon, 7', 7],
      [['7', 'soon'], 7],
      ['-1, 7', 7],
      [`${imf}, 9`, 20],
      [`9, ${imf}`, 20],
      [[imf, rfc850, asctime], 40],
      [[asctime, rfc850, imf], 40],
      [`${rfc850},${imf}`, 30],
      [`${asctime}, 50`, 50],
      [['7', '301'], 300],
    ] as [Value, number][],
    ([value, seconds]) => difference(retryAfterSeconds({ 'retry-after': value }, nowMs), seconds),
    'the longest wait',
  )
})

t.test('a Retry-After that is neither a number of seconds nor a date is no wait', async (t) => {
  const unreadable: Value[] = [
    ...'soon -1 +1 +5 1.5 1e3 0x10 ٧ NaN Infinity 2026-11-22T10:05:07Z'.split(' '),
    undefined,
    '',
    ' ',
    ',',
    '7 seconds',
    '1 0',
    ['', ''],
    'Mon, 7',
    'Sun, 30 Feb 2026 10:05:07 GMT',
    at('25:05:07'),
  ]
  checkRows(
    t,
    unreadable,
    (value) => difference(retryAfterSeconds({ 'retry-after': value }, nowMs), undefined),
    'no wait',
  )
})

t.test('a date in Retry-After is compared with the Date of the response, so that our clock may be wrong', async (t) => {
  const hour = 3_600_000
  const date = at('10:05:00')
  checkRows(
    t,
    [
      ...[-hour, 0, hour].map((wrongMs) => [{ date }, wrongMs, 9] as const),
      [{ date: 'Sunday, 22-Nov-26 10:05:00 GMT' }, hour, 9],
      [{ date: 'Sun Nov 22 10:05:00 2026' }, hour, 9],
      // A cache kept the response for 4 s.
      [{ date, age: '4' }, hour, 5],
      [{ date, age: '86400' }, hour, 1],
      // Without a valid Date, our clock is all there is.
      [{}, 1000, 8],
      [{ date: '' }, 1000, 8],
      [{ date: 'now' }, 1000, 8],
      [{ date: [date, date] }, 1000, 8],
      [{ age: '4' }, 1000, 8],
      [{ date: 'Sun, 31 Nov 2026 10:05:00 GMT' }, hour, 1],
    ] as const,
    ([headers, wrongMs, seconds]) =>
      difference(
        retryAfterSeconds({ ...headers, 'retry-after': at('10:05:09') } as Record<string, Value>, nowMs + wrongMs),
        seconds,
      ),
    'the wait',
  )
})

t.test('Age is a number of seconds, of a list the first one, and 0 if it is invalid', async (t) => {
  const most = 2 ** 31
  checkRows(
    t,
    [
      [undefined, 0],
      ['0', 0],
      ['60', 60],
      ['060', 60],
      [' 60\t', 60],
      ['86400', 86_400],
      [String(most), most],
      [String(most + 1), most],
      ['9'.repeat(400), most],
      ['60, 7', 60],
      ['7, 60', 7],
      [', 7', 7],
      [['60', '7'], 60],
      [['7', 'soon'], 7],
      ['soon, 60', 0],
      [['soon', '60'], 0],
      ['', 0],
      ['-1', 0],
      ['+5', 0],
      ['1.5', 0],
      ['1e3', 0],
      ['0x10', 0],
      ['٧', 0],
      ['soon', 0],
      ['Infinity', 0],
    ] as [Value, number][],
    ([age, seconds]) => difference(ageMsOf({ age }), seconds * 1000),
    'the age',
  )
})

t.test('content codings are a list without identity, in lower case, with one name for gzip', async (t) => {
  checkRows(
    t,
    [
      ...[undefined, '', ' ', ',', 'identity', 'Identity, identity', ', identity ,', ['', 'identity']].map(
        (value) => [value, []] as const,
      ),
      ...['gzip', 'GZIP', 'x-gzip', 'X-GZip', ' gzip ', 'gzip, identity', 'identity,gzip', ',gzip,,', ',x-gzip, '].map(
        (value) => [value, ['gzip']] as const,
      ),
      [['identity', 'gzip'], ['gzip']],
      ['gzip, gzip', ['gzip', 'gzip']],
      ['gzip, x-gzip', ['gzip', 'gzip']],
      [
        ['gzip', 'gzip'],
        ['gzip', 'gzip'],
      ],
      ['Br, gzip', ['br', 'gzip']],
      ['gzip;q=1', ['gzip;q=1']],
    ] as [Value, string[]][],
    ([value, codings]) => difference(codingsOf({ 'content-encoding': value }), codings),
    'the codings',
  )
})

t.test('only application/json is JSON here, with or without parameters', async (t) => {
  const texts = ['application/json', 'APPLICATION/JSON', 'application/json; charset=utf-8', 'application/json ;v=1']
  const others = [
    ...['text/html', 'text/json', 'application/problem+json', 'application/vnd.hilos.v2+json', 'application/jsonp'],
    ...[
      'application/json5',
      'application/json-seq',
      'xapplication/json',
      'text/html; was=application/json',
      'json',
      '',
    ],
    undefined,
    ['application/json', 'text/html'],
  ]
  checkRows(
    t,
    [...texts.map((type) => [type, true] as const), ...others.map((type) => [type, false] as const)],
    ([type, expected]) => difference(isJson({ 'content-type': type }), expected),
    'the type',
  )
})
