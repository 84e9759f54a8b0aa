import fc from 'fast-check'
import t from 'tap'
import { profiles } from '../../src/access/profile.ts'
import { Failure } from '../../src/failures/failure.ts'
import { failureCodes, failureKinds } from '../../src/failures/failure-kinds.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { type Disclosure, writeRequestLine } from '../../src/telemetry/request-line.ts'
import type { RequestRecord } from '../../src/telemetry/request-record.ts'
import { holds } from './holds.ts'

/** Names without half characters, which no caller has: pino writes them as they are. */
const anyName = fc.oneof(
  fc.constantFrom('support-web', '', '"', '\\', '\n', '\u001f', '\u007f', '\u2028', '</script>', '"}\n{"level":60'),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\u0000', '\t', 'é', '😀', 'x'), maxLength: 120 }),
)
const durations = fc.oneof(fc.nat({ max: 100_000 }), fc.double({ min: 0, max: 1e7, noNaN: true }), fc.constant(1e21))
const profile = fc.constantFrom(...profiles)
const view = fc.constantFrom('summary', 'timeline', 'transcript')
const kind = fc.constantFrom('key', 'token', 'anonymous')
const fwd = fc.constantFrom(null, 'uri-miss', 'stale', 'request')
const caller = fc.option(fc.record({ name: anyName, profile }))
const cacheUse = fc.record({
  ...{ fwd, stored: fc.boolean(), collapsed: fc.boolean(), reloadDenied: fc.boolean() },
  detail: fc.constantFrom(null, 'revalidating', 'origin-slow', 'rationed'),
  ...{ ageMs: durations, waitedMs: fc.oneof(fc.constant(0), durations) },
})
const facts = fc.dictionary(fc.string(), fc.oneof(anyName, fc.double(), fc.boolean()))
const cause = anyName.map((message) => ({ cause: new TypeError(message) }))
const failure = fc
  .tuple(fc.constantFrom(...failureCodes), facts, fc.oneof(cause, fc.constant({})))
  .map(([code, given, options]) => new Failure(code, { facts: given, ...options }))
const requests = fc.record({
  requestId: fc.oneof(fc.uuid(), fc.stringMatching(/^[\w.-]{1,64}$/)),
  method: fc.constantFrom('GET', 'HEAD', 'M-SEARCH'),
  route: fc.constantFrom(null, '/', '/execution-contacts/:id', '/a/:b(^\\d+"$)'),
  status: fc.option(fc.integer({ min: 200, max: 599 })),
  caller,
  traceId: fc.option(fc.stringMatching(/^[0-9a-f]{32}$/), { nil: undefined }),
  cache: fc.option(cacheUse),
  durationMs: durations,
  isWatch: fc.boolean(),
  failure: fc.option(failure),
})
const contact = fc.stringMatching(/^[0-9a-f]{32}$/)
const stream = fc.constant<true>(true)
const disclosures = fc.option(
  fc.record({ kind, profile, view, contact, stream }, { requiredKeys: ['kind', 'profile', 'view', 'contact'] }),
)
const tenths = (ms: number) => Math.round(ms * 10) / 10

t.test('the line of a request is byte for byte what pino writes for the same fields', async (t) => {
  const lines: string[] = []
  const time = /,"time":"[^"]*"/
  const flush = () => void lines.push('flushed')
  const logger = createLogger('info', { write: (line) => void lines.push(line), flush })

  function writeByPino({ requestId, cache: use, failure, ...record }: RequestRecord, shown: Disclosure | null) {
    const { stream, ...disclosure } = shown ?? {}
    const cache = stream ? null : use
    const fields = {
      ...(shown && { record: 'disclosure', stream }),
      ...{ method: record.method, route: record.route, status: record.status, caller: record.caller?.name },
      ...disclosure,
      ...{ traceId: record.traceId, cache: cache ? (cache.fwd ?? 'hit') : undefined },
      detail: cache?.detail ?? undefined,
      waitedMs: cache && cache.waitedMs > 0 ? tenths(cache.waitedMs) : undefined,
      durationMs: tenths(record.durationMs),
      err: failure ?? undefined,
    }
    const status = failure && failure.code !== 'not_cached' ? failureKinds[failure.code].status : 200
    const level = status > 500 ? 'warn' : status === 500 ? 'error' : 'info'
    const answered = stream ? 'state sent' : 'answered'
    const message = record.status === null ? 'caller disconnected before the response' : answered
    logger.child({ requestId })[level](fields, message)
  }

  const property = fc.property(requests, disclosures, (record, disclosure) => {
    writeRequestLine(logger, record, disclosure)
    const ours = lines.splice(0).join('').replace(time, '')
    writeByPino(record, disclosure)
    const expected = lines.splice(0).join('').replace(time, '')
    if (ours !== expected) throw new Error(`${ours} is not ${expected}`)
    return ours.includes(`"requestId":"${record.requestId}"`)
  })
  holds(t, property, { numRuns: 1000 })
})
