import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { failureKinds, isFailureCode } from '../../src/failures/failure-kinds.ts'

t.test('each kind of failure, whichever it is, keeps the promises of its status', async (t) => {
  for (const [code, { status, retryable, retryAfterSeconds }] of Object.entries(failureKinds)) {
    t.ok(isFailureCode(code))
    t.equal(retryable, retryAfterSeconds !== null, `${code} is retryable after a time, or not at all`)
    if ([429, 503].some((each) => each === status)) t.type(retryAfterSeconds, 'number', `${code} has a Retry-After`)
    const ofOthers = /^upstream_|^overloaded$|^not_cached$|^token_issuer_unavailable$/.test(code)
    t.match(status, ofOthers ? /^50[234]$/ : /^4\d\d|500$/, `${code}: ${status}`)
  }
})

t.test('a text, when it is no code, is none, not even one that every object has', async (t) => {
  for (const text of ['', 'nothing', '__proto__', 'constructor', 'toString']) t.notOk(isFailureCode(text), text)
})

t.test('a failure, when nothing is said about it, has the retry time of its kind and no facts', async (t) => {
  const { name, message, code, facts, retryAfterSeconds, cause } = new Failure('upstream_rate_limited')
  t.strictSame(
    { name, message, code, facts, retryAfterSeconds, cause },
    {
      name: 'Failure',
      message: 'Hilos asks for a pause',
      code: 'upstream_rate_limited',
      facts: {},
      retryAfterSeconds: 2,
      cause: undefined,
    },
  )
})

t.test('a failure, when more is said about it, carries that', async (t) => {
  const cause = new Error('why')
  const failure = new Failure('upstream_rate_limited', { facts: { upstreamStatus: 429 }, retryAfterSeconds: 7, cause })
  t.match(failure, { facts: { upstreamStatus: 429 }, retryAfterSeconds: 7, cause })
})
