import t from 'tap'
import { Value } from 'typebox/value'
import { Failure } from '../../src/failures/failure.ts'
import { type FailureCode, failureKinds } from '../../src/failures/failure-kinds.ts'
import { ProblemSchema, presentProblem, problemMediaType } from '../../src/failures/problem.ts'

const codes = Object.keys(failureKinds) as FailureCode[]
const path = '/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'

t.test('a problem, of a failure, is the documented fields and nothing else', async (t) => {
  const cause = new Error('secret of upstream')
  const failure = new Failure('upstream_timeout', { facts: { phase: 'headers' }, retryAfterSeconds: 7, cause })
  t.strictSame(presentProblem(failure, path, 'request-1'), {
    type: '/problems/upstream_timeout',
    title: 'Hilos did not answer in time',
    status: 504,
    code: 'upstream_timeout',
    detail: 'Hilos did not give a whole answer within the time set for it.',
    instance: path,
    requestId: 'request-1',
    retryable: true,
    retryAfterSeconds: 7,
  })
})

t.test('a problem, of every failure there is, has the words of its kind and fits the published schema', async (t) => {
  for (const code of codes) {
    const { advice: _, ...kind } = failureKinds[code]
    const problem = presentProblem(new Failure(code), path, 'request-1')
    const own = { type: `/problems/${code}`, code, instance: path, requestId: 'request-1' }
    t.strictSame(problem, { ...kind, ...own }, code)
    t.strictSame(Value.Errors(ProblemSchema, problem), [], code)
  }
})

t.test('the published schema, when a problem strays from it, says so', async (t) => {
  const problem = presentProblem(new Failure('invalid_id'), path, 'request-1')
  const strays = [{ ...problem, code: 'unheard_of' }, { ...problem, retryAfterSeconds: 0 }, { type: problem.type }]
  for (const stray of strays) t.not(Value.Errors(ProblemSchema, stray).length, 0, JSON.stringify(stray))
})

t.test('the media type, of every problem, is that of RFC 9457', async (t) => {
  t.equal(problemMediaType, 'application/problem+json')
})
