import { refTo } from '../common/schema.ts'
import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'
import { ProblemSchema, presentProblem, problemMediaType } from '../failures/problem.ts'

/** Of what is answered to somebody who is known. */
export const rateLimitHeaders = {
  'RateLimit-Policy': {
    type: 'string',
    description: 'How many requests (`q`) a caller has in how many seconds (`w`), for example `"caller";q=50;w=1`.',
  },
  RateLimit: {
    type: 'string',
    description: 'How many are left (`r`) for how many seconds (`t`), for example `"caller";r=49;t=1`.',
  },
}

/**
 * The responses part of a route's schema for these failures: a status each, with an example of every code under it.
 * @param instance the path in the examples
 */
export function problemResponses(codes: readonly FailureCode[], instance: string) {
  const byStatus = Map.groupBy(codes, (code) => failureKinds[code].status)
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, responseOf(group, instance)]))
}

function responseOf(codes: readonly FailureCode[], instance: string) {
  const examples = codes.map((code) => {
    const { title, advice } = failureKinds[code]
    const value = presentProblem(new Failure(code), instance, '0b9e5f0e-6a54-4f0b-9a3a-1f6f0c8f6f55')
    return [code, { summary: title, description: advice, value }]
  })
  return {
    description: codes.map((code) => `\`${code}\`: ${failureKinds[code].detail}`).join('\n\n'),
    headers: {
      'X-Request-Id': { type: 'string', description: 'Names this request in the log.' },
      ...(codes.some((code) => [401, 403].includes(failureKinds[code].status)) && {
        'WWW-Authenticate': { type: 'string', description: 'What to send, and what was wrong with it (RFC 6750).' },
      }),
      ...(codes.includes('caller_rate_limited') && rateLimitHeaders),
      ...(codes.some((code) => failureKinds[code].retryable) && {
        'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds to wait before trying again.' },
      }),
    },
    content: { [problemMediaType]: { schema: refTo(ProblemSchema), examples: Object.fromEntries(examples) } },
  }
}
