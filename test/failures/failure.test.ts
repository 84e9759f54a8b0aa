import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { type FailureCode, failureKinds, isFailureCode } from '../../src/failures/failure-kinds.ts'
import { checkRows, difference } from '../harness/table.ts'

t.test('each kind of failure keeps what its status promises', async (t) => {
  checkRows(
    t,
    Object.entries(failureKinds),
    ([code, { status }]) => {
      const { retryAfterSeconds } = new Failure(code as FailureCode)
      const isOfOthers =
        /^upstream_|^overloaded$|^not_cached$|^token_issuer_unavailable$|^shared_tier_unavailable$/.test(code)
      const hasStatus = (isOfOthers ? /^50[234]$/ : /^4\d\d|500$/).test(String(status))
      const hasRetryAfter = retryAfterSeconds !== null || ![429, 503].includes(status)
      return difference([isFailureCode(code), hasStatus, hasRetryAfter], [true, true, true])
    },
    'each kind',
  )
  for (const text of ['', 'nothing', '__proto__', 'constructor', 'toString']) t.notOk(isFailureCode(text), text)
})

t.test('a failure has what it was given, or the retry time of its kind and no facts', async (t) => {
  const { name, message, code, facts, retryAfterSeconds, cause } = new Failure('upstream_rate_limited')
  t.strictSame([name, message, code], ['Failure', 'Hilos asks for a pause', 'upstream_rate_limited'])
  t.strictSame({ facts, retryAfterSeconds, cause }, { facts: {}, retryAfterSeconds: 2, cause: undefined })
  const given = { facts: { upstreamStatus: 429 }, retryAfterSeconds: 7, cause: new Error('why') }
  t.match(new Failure('upstream_rate_limited', given), given)
})
