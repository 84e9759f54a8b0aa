import fc from 'fast-check'
import t from 'tap'
import Schema from 'typebox/schema'
import { matchesIfNoneMatch } from '../../src/cache/cache-status.ts'
import { Failure } from '../../src/failures/failure.ts'
import { type FailureCode, failureKinds } from '../../src/failures/failure-kinds.ts'
import { ProblemSchema, presentProblem } from '../../src/failures/problem.ts'
import { pathOf } from '../../src/plugins/problems.ts'
import { textOf } from '../../src/upstream/transport/response-body.ts'
import { retryAfterSeconds } from '../../src/upstream/transport/response-headers.ts'
import { resolveAll } from '../harness/resolved-schema.ts'
import { holds } from './holds.ts'

const numRuns = 1000
/** Texts with lone surrogates, too. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 60 }),
)
const waitOf = (header: string | undefined, now: number) => retryAfterSeconds({ 'retry-after': header }, now)
const isWait = (seconds: number) => Number.isInteger(seconds) && seconds >= 1 && seconds <= 300

t.test('Retry-After is a wait of 1 to 300 whole seconds, or none', async (t) => {
  const dates = fc.date({ noInvalidDate: true, max: new Date('9999-12-31T23:59:59Z') })
  const headers = fc.oneof(
    ...[anyText, dates.map((date) => date.toUTCString()), fc.stringMatching(/^\s?-?\d{1,400}(\.\d)?\s?$/)],
    fc.constant(undefined),
  )
  const nows = fc.oneof(fc.maxSafeNat(), fc.integer({ min: Date.UTC(2020), max: Date.UTC(2030) }))
  const property = fc.property(headers, nows, (header, now) => {
    const seconds = waitOf(header, now)
    return seconds === undefined || isWait(seconds)
  })
  holds(t, property, { numRuns })
})

t.test('a wait until a date ends at that date or later, and is the same as one in seconds', async (t) => {
  const nows = fc.integer({ min: Date.UTC(2020), max: Date.UTC(2030) })
  const property = fc.property(fc.integer({ min: -400, max: 1000 }), nows, (seconds, now) => {
    const wholeSecond = Math.floor(now / 1000) * 1000
    const dateMs = wholeSecond + seconds * 1000
    const date = new Date(dateMs).toUTCString()
    const wait = waitOf(date, now) ?? Number.NaN
    if (!isWait(wait) || (wait < 300 && now + wait * 1000 < dateMs)) return false
    return seconds < 0 || waitOf(String(seconds), 0) === waitOf(date, wholeSecond)
  })
  holds(t, property, { numRuns })
})

/** RFC 9110 section 8.8.3. A tag can be empty, and can contain commas, stars and backslashes. */
const opaqueTags = fc.stringMatching(/^"[\x21\x23-\x7e\x80-\xff]{0,12}"$/)
const entityTags = fc.tuple(fc.constantFrom('', 'W/'), opaqueTags).map(([weak, tag]) => ({ tag, text: weak + tag }))
const separators = fc.stringMatching(/^[ \t]{0,2},[ \t]{0,2}$/)
const lists = fc.array(fc.tuple(entityTags, separators), { maxLength: 5 })
const headerOf = (list: readonly (readonly [{ readonly text: string }, string])[]) =>
  list.map(([{ text }, separator], index) => (index === list.length - 1 ? text : text + separator)).join('')

t.test('a list of tags in If-None-Match matches these tags and no others, and any text is compared', async (t) => {
  // The text between two tags is not a tag.
  const others = fc.oneof({ weight: 4, arbitrary: opaqueTags }, { weight: 1, arbitrary: fc.constant('","') })
  const property = fc.property(lists, others, anyText, (list, other, text) => {
    if (typeof matchesIfNoneMatch(text, other) !== 'boolean') return false
    const header = headerOf(list)
    if (!list.every(([{ tag }]) => matchesIfNoneMatch(header, tag))) return false
    return matchesIfNoneMatch(header, other) === list.some(([{ tag }]) => tag === other)
  })
  holds(t, property, { numRuns })
})

const secret = 'canary-in-query'
const paths = fc.oneof(fc.webPath(), fc.stringMatching(/^[^?#]{0,20}$/), fc.constant('//'))
const origins = fc.oneof(
  fc.constant(''),
  fc.webAuthority({ withUserInfo: true }).map((authority) => `http://${authority}`),
)
const queries = fc
  .tuple(fc.constantFrom('?', '#', '?#', '??'), anyText, anyText)
  .map(([mark, before, after]) => mark + before + secret + after)

t.test('a problem does not repeat the query of the URL', async (t) => {
  const codes = fc.constantFrom(...(Object.keys(failureKinds) as FailureCode[]))
  const property = fc.property(codes, origins, paths, queries, (code, origin, path, query) => {
    const instance = pathOf(`${origin}/${path}${query}`)
    const problem = presentProblem(new Failure(code), instance, 'a')
    return /^\/(?!\/)[^?#]*$/s.test(instance) && !JSON.stringify(problem).includes(secret)
  })
  holds(t, property, { numRuns })
})

t.test('a problem fits the published schema for any path', async (t) => {
  const validator = Schema.Compile(resolveAll(ProblemSchema))
  const seen = fc.stringMatching(/^\/[\x21-\x7e\x80-\xff]{0,20}$/)
  const property = fc.property(fc.oneof(paths, seen, anyText), (path) =>
    validator.Check(presentProblem(new Failure('route_not_found'), pathOf(path), 'a')),
  )
  holds(t, property, { numRuns })
})

/** Bytes of UTF-8: byte order marks, sequences that are whole, cut off, too long or of surrogates, and any others. */
const utf8Pieces = fc.oneof(
  fc.constantFrom(
    'efbbbf',
    'c3a9',
    'c3',
    'e282ac',
    'e282',
    'f09f9a9a',
    'f09f9a',
    'f09f',
    'eda080',
    'c0af',
    'f4908080',
    'fffe',
  ),
  fc.stringMatching(/^([0-7][\da-f]){1,40}$/),
  fc.stringMatching(/^([\da-f]{2}){1,4}$/),
)

t.test('bytes are decoded as the Encoding Standard does', async (t) => {
  const property = fc.property(fc.array(utf8Pieces, { maxLength: 8 }), fc.constantFrom(1, 3000), (pieces, times) => {
    const bytes = Buffer.from(pieces.join('').repeat(times), 'hex')
    return textOf(bytes) === new TextDecoder().decode(bytes)
  })
  holds(t, property, { numRuns })
})
