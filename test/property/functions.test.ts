import fc from 'fast-check'
import t from 'tap'
import Schema from 'typebox/schema'
import { matchesIfNoneMatch } from '../../src/cache/cache-status.ts'
import { Failure } from '../../src/failures/failure.ts'
import { type FailureCode, failureKinds } from '../../src/failures/failure-kinds.ts'
import { ProblemSchema, presentProblem } from '../../src/failures/problem.ts'
import { pathOf } from '../../src/plugins/problems.ts'
import { retryAfterSeconds } from '../../src/upstream/retry-after.ts'
import { holds } from './holds.ts'

/** With lone surrogates too, which a text of JavaScript can have. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 60 }),
)
const spaces = fc.stringMatching(/^[ \t]{0,2}$/)
const numRuns = 1000

const nows = fc.oneof(fc.maxSafeNat(), fc.integer({ min: Date.UTC(2020), max: Date.UTC(2030) }))
const dates = fc.date({ noInvalidDate: true, max: new Date('9999-12-31T23:59:59Z') }).map((date) => date.toUTCString())
const retryAfters = fc.oneof(anyText, dates, fc.stringMatching(/^\s?-?\d{1,400}(\.\d)?\s?$/), fc.constant(undefined))

t.test('Retry-After, whatever it says and whenever, asks for nothing or for 1 to 300 whole seconds', async (t) => {
  const property = fc.property(retryAfters, nows, (header, now) => {
    const seconds = retryAfterSeconds(header, now)
    return seconds === undefined || (Number.isInteger(seconds) && seconds >= 1 && seconds <= 300)
  })
  holds(t, property, { numRuns })
})

t.test('Retry-After, when it is a date about now, asks for whole seconds that reach it', async (t) => {
  const near = fc.integer({ min: -400, max: 400 })
  const property = fc.property(near, fc.integer({ min: Date.UTC(2020), max: Date.UTC(2030) }), (seconds, now) => {
    const dateMs = (Math.floor(now / 1000) + seconds) * 1000
    const asked = retryAfterSeconds(new Date(dateMs).toUTCString(), now) ?? Number.NaN
    return Number.isInteger(asked) && asked >= 1 && asked <= 300 && (asked === 300 || now + asked * 1000 >= dateMs)
  })
  holds(t, property, { numRuns })
})

t.test('Retry-After, when it says the same as seconds and as a date, asks for the same', async (t) => {
  const wholeSeconds = fc.integer({ min: Date.UTC(2020) / 1000, max: Date.UTC(2030) / 1000 })
  const property = fc.property(fc.nat(1000), wholeSeconds, (seconds, now) => {
    const date = new Date((now + seconds) * 1000).toUTCString()
    return retryAfterSeconds(String(seconds), 0) === retryAfterSeconds(date, now * 1000)
  })
  holds(t, property, { numRuns })
})

/** RFC 9110 section 8.8.3. Commas, stars and backslashes may be inside, and a tag may be empty. */
const opaqueTags = fc.stringMatching(/^"[\x21\x23-\x7e\x80-\xff]{0,12}"$/)
const entityTags = fc.tuple(fc.constantFrom('', 'W/'), opaqueTags).map(([weak, tag]) => ({ tag, text: weak + tag }))
const separators = fc.tuple(spaces, spaces).map(([before, after]) => `${before},${after}`)
const lists = fc.array(fc.tuple(entityTags, separators), { maxLength: 5 })
const headerOf = (list: readonly (readonly [{ readonly text: string }, string])[]) =>
  list.map(([{ text }, separator], index) => (index === list.length - 1 ? text : text + separator)).join('')

t.test('If-None-Match, whatever is in it, matches or does not', async (t) => {
  const property = fc.property(fc.option(anyText, { nil: undefined }), opaqueTags, (header, etag) => {
    return typeof matchesIfNoneMatch(header, etag) === 'boolean'
  })
  holds(t, property, { numRuns })
})

t.test('If-None-Match, when it is a list of tags, matches those in it and no others', async (t) => {
  // What is between two tags is no tag.
  const others = fc.oneof({ weight: 4, arbitrary: opaqueTags }, { weight: 1, arbitrary: fc.constant('","') })
  const property = fc.property(lists, others, (list, other) => {
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
  .map(([mark, a, b]) => mark + a + secret + b)
const problemValidator = Schema.Compile(ProblemSchema)

t.test('a problem, whatever URL was asked for, does not repeat its query', async (t) => {
  const codes = fc.constantFrom(...(Object.keys(failureKinds) as FailureCode[]))
  const property = fc.property(codes, origins, paths, queries, (code, origin, path, query) => {
    const instance = pathOf(`${origin}/${path}${query}`)
    const problem = presentProblem(new Failure(code), instance, 'a')
    return /^\/(?!\/)[^?#]*$/s.test(instance) && !JSON.stringify(problem).includes(secret)
  })
  holds(t, property, { numRuns })
})

t.test('a problem, whatever path an HTTP parser lets through, fits the published schema', async (t) => {
  const seen = fc.stringMatching(/^\/[\x21-\x7e\x80-\xff]{0,20}$/)
  const property = fc.property(fc.oneof(paths, seen, anyText), (path) => {
    const problem = presentProblem(new Failure('route_not_found'), pathOf(path), 'a')
    return problemValidator.Check(problem)
  })
  holds(t, property, { numRuns })
})
