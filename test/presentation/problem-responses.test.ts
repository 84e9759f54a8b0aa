import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { type FailureCode, failureKinds } from '../../src/failures/failure-kinds.ts'
import { presentProblem } from '../../src/failures/problem.ts'
import { problemResponses } from '../../src/presentation/problem-responses.ts'

const path = '/execution-contacts/a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const exampleOf = (code: FailureCode) => ({
  summary: failureKinds[code].title,
  description: failureKinds[code].advice,
  value: presentProblem(new Failure(code), path, '0b9e5f0e-6a54-4f0b-9a3a-1f6f0c8f6f55'),
})
const requestId = { 'X-Request-Id': { type: 'string', description: 'Names this request in the log.' } }
const retryAfter = {
  'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds to wait before trying again.' },
}
const contentOf = (...codes: FailureCode[]) => ({
  'application/problem+json': {
    schema: { $ref: 'Problem#' },
    examples: Object.fromEntries(codes.map((code) => [code, exampleOf(code)])),
  },
})

t.test('the responses, for some failures, are one a status with an example of every code', async (t) => {
  const responses = problemResponses(['invalid_id', 'upstream_timeout', 'invalid_query'], path)
  // Schemas carry hidden marks of TypeBox; what is published is the JSON.
  t.strictSame(JSON.parse(JSON.stringify(responses)), {
    400: {
      description:
        '`invalid_id`: The id in the path is not a UUID as RFC 9562 writes it.\n\n' +
        '`invalid_query`: A query parameter is unknown, repeated, or has a value that is not offered.',
      headers: requestId,
      content: contentOf('invalid_id', 'invalid_query'),
    },
    504: {
      description: '`upstream_timeout`: Hilos did not give a whole answer within the time set for it.',
      headers: { ...requestId, ...retryAfter },
      content: contentOf('upstream_timeout'),
    },
  })
})

t.test('the responses, where only one of the failures of a status is retryable, tell of Retry-After', async (t) => {
  const headersOf = (...codes: FailureCode[]) => Object.keys(problemResponses(codes, path)['502']?.headers ?? {})
  t.strictSame(headersOf('upstream_redirect', 'upstream_error'), ['X-Request-Id', 'Retry-After'])
  t.strictSame(headersOf('upstream_redirect', 'upstream_forbidden'), ['X-Request-Id'])
})

t.test('the responses, for no failure, are none', async (t) => {
  t.strictSame(problemResponses([], path), {})
})
