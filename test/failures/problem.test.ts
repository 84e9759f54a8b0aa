import t from 'tap'
import { Value } from 'typebox/value'
import { Failure } from '../../src/failures/failure.ts'
import { type FailureCode, failureKinds } from '../../src/failures/failure-kinds.ts'
import { ProblemSchema, presentProblem, problemMediaType, problemResponses } from '../../src/failures/problem.ts'
import { resolveAll } from '../harness/resolved-schema.ts'
import { checkRows, difference } from '../harness/table.ts'

const schema = resolveAll(ProblemSchema)

const path = '/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'

t.test('a problem has the named fields of a failure and no others', async (t) => {
  t.equal(problemMediaType, 'application/problem+json')
  const cause = new Error('secret of upstream')
  const failure = new Failure('upstream_timeout', { facts: { phase: 'headers' }, retryAfterSeconds: 7, cause })
  t.strictSame(presentProblem(failure, path, 'request-1'), {
    type: '/problems/upstream_timeout',
    title: 'Hilos did not answer in time',
    status: 504,
    code: 'upstream_timeout',
    detail: 'Hilos did not give a complete answer within the time limit.',
    instance: path,
    requestId: 'request-1',
    retryable: true,
    retryAfterSeconds: 7,
  })
})

t.test('the problem of every failure has the texts of its kind and fits the published schema', async (t) => {
  const codes = Object.keys(failureKinds) as FailureCode[]
  checkRows(
    t,
    codes,
    (code) => {
      const { advice: _advice, ...kind } = failureKinds[code]
      const problem = presentProblem(new Failure(code), path, 'request-1')
      const retry = { retryable: 'retryAfterSeconds' in kind, retryAfterSeconds: null }
      const expected = { ...retry, ...kind, type: `/problems/${code}`, code, instance: path, requestId: 'request-1' }
      return difference([{ ...problem }, Value.Errors(schema, problem)], [expected, []])
    },
    'each failure',
  )
  const problem = presentProblem(new Failure('invalid_id'), path, 'request-1')
  const wrong = [{ ...problem, code: 'unheard_of' }, { ...problem, retryAfterSeconds: 0 }, { type: problem.type }]
  for (const each of wrong) t.not(Value.Errors(schema, each).length, 0, 'a wrong problem does not fit')
})

t.test('there is one response per status, which names each of its codes', async (t) => {
  const contentOf = (code: FailureCode) => {
    const { title, advice } = failureKinds[code]
    const value = presentProblem(new Failure(code), path, '0b9e5f0e-6a54-4f0b-9a3a-1f6f0c8f6f55')
    const examples = { [code]: { summary: title, description: advice, value } }
    return { [problemMediaType]: { schema: { $ref: 'Problem#' }, examples } }
  }
  const requestId = { 'X-Request-Id': { type: 'string', description: 'The id of this request in the log.' } }
  const retryAfter = { type: 'integer', minimum: 1, description: 'Seconds to wait before the next try.' }
  const responses = problemResponses(['invalid_id', 'upstream_timeout', 'invalid_query', 'forbidden'], path)
  // The schemas have hidden properties of TypeBox. The JSON is what is published.
  t.match(JSON.parse(JSON.stringify(responses)), {
    400: {
      description:
        '`invalid_id`: The id is not a UUID in the form of RFC 9562.\n\n' +
        '`invalid_query`: A query parameter is unknown, is repeated, or has a value that is not allowed.',
      headers: requestId,
      content: contentOf('invalid_id'),
    },
    403: { content: { [problemMediaType]: { schema: { $ref: 'Problem#' } } } },
    504: {
      description: '`upstream_timeout`: Hilos did not give a complete answer within the time limit.',
      headers: { ...requestId, 'Retry-After': retryAfter },
      content: contentOf('upstream_timeout'),
    },
  })
  t.strictSame(Object.keys(responses), ['400', '403', '504'])
  t.strictSame(problemResponses([], path), {})
})

t.test('the first failure of each class has an example, and no other has one', async (t) => {
  const shownOf = (codes: readonly FailureCode[]) =>
    Object.values(problemResponses(codes, path)).flatMap(({ content }) => {
      const { examples } = content[problemMediaType]
      if (examples !== undefined) t.not(Object.keys(examples).length, 0, 'no response has an empty list of examples')
      return Object.keys(examples ?? {})
    })
  const all = Object.keys(failureKinds) as FailureCode[]
  const ofClasses = ['invalid_id', 'unauthenticated', 'request_timeout', 'internal_error', 'upstream_error']
  t.strictSame(shownOf(all).sort(), ofClasses.sort(), 'another request, a credential, patience twice, the operators')
  for (const code of all) t.strictSame(shownOf([code]), [code])
  t.strictSame(shownOf(['caller_rate_limited', 'request_timeout', 'forbidden']), ['forbidden', 'caller_rate_limited'])
})

t.test('a response has Retry-After if one of its failures is retryable', async (t) => {
  const headersOf = (...codes: FailureCode[]) => Object.keys(problemResponses(codes, path)['502']?.headers ?? {})
  t.strictSame(headersOf('upstream_redirect', 'upstream_error'), ['X-Request-Id', 'Retry-After'])
  t.strictSame(headersOf('upstream_redirect', 'upstream_forbidden'), ['X-Request-Id'])
})
