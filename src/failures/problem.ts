import { nullable, refTo } from '../common/schema.ts'
import { type Static, Type } from '../common/type.ts'
import { Failure } from './failure.ts'
import { type FailureCode, type FailureKind, failureCodes, failureKinds } from './failure-kinds.ts'

const requestIdDescription = 'The id of this request in the log.'

export const ProblemCodeSchema = Type.Unsafe<FailureCode>({
  $id: 'ProblemCode',
  type: 'string',
  enum: [...failureCodes],
  description: 'The kind of failure, for programs to branch on.',
})

/** Problem details, RFC 9457. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'The path of a page about this kind of failure.' }),
    title: Type.String({ description: 'The kind of failure in a few words.' }),
    status: Type.Integer({ description: 'The HTTP status of the response.' }),
    code: refTo(ProblemCodeSchema),
    detail: Type.String({ description: 'What happened.' }),
    instance: Type.String({ format: 'uri-reference', description: 'The path of the request.' }),
    requestId: Type.String({ description: requestIdDescription }),
    retryable: Type.Boolean({ description: 'Whether the same request can succeed later.' }),
    retryAfterSeconds: nullable(
      Type.Integer({ minimum: 1, description: 'Seconds to wait before the next try; null if waiting does not help.' }),
    ),
  },
  { $id: 'Problem', description: 'A failure as problem details (RFC 9457).' },
)

const { instance: _instance, requestId: _requestId, ...itemProperties } = ProblemSchema.properties

/** The problem of one of several items: what is the same in whatever request it occurs. */
export const ItemProblemSchema = Type.Object(itemProperties, {
  $id: 'ItemProblem',
  description: 'Why one of several items has no data.',
})

export type Problem = Static<typeof ProblemSchema>

export const problemMediaType = 'application/problem+json'

/** What a problem says about a failure, in whatever request it occurs. */
export function problemOf({ code, detail, retryAfterSeconds }: Failure) {
  const { title, status } = failureKinds[code]
  return {
    type: `/problems/${code}`,
    title,
    status,
    code,
    detail,
    retryable: retryAfterSeconds !== null,
    retryAfterSeconds,
  }
}

/**
 * Returns the problem details of a failure.
 * @param instance the path of the request, without the query
 */
export function presentProblem(failure: Failure, instance: string, requestId: string): Problem {
  const { type, title, status, code, detail, ...rest } = problemOf(failure)
  return { type, title, status, code, detail, instance, requestId, ...rest }
}

/** How many requests the caller may send. */
export const rateLimitHeaders = {
  'RateLimit-Policy': {
    type: 'string',
    description:
      'How many requests (`q`) a caller may send in how many seconds (`w`), for example `"caller";q=50;w=1`.',
  },
  RateLimit: {
    type: 'string',
    description: 'How many requests are left (`r`) for the next `t` seconds, for example `"caller";r=49;t=1`.',
  },
}

export const requestIdHeader = { 'X-Request-Id': { type: 'string', description: requestIdDescription } }

/**
 * Returns the responses of a route's schema for these failures: one for each status, which names all its codes.
 * The first failure of each class has an example.
 * @param instance the path in the examples
 */
export function problemResponses(codes: readonly FailureCode[], instance: string) {
  const byStatus = Map.groupBy(codes, (code) => failureKinds[code].status)
  const firsts = [...Map.groupBy(codes, classOf).values()].map(([first]) => first as FailureCode)
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, responseOf(group, firsts, instance)]))
}

/** Failures of one class ask the same of a caller: another request, a credential, patience, or a word to the operators. */
function classOf(code: FailureCode): string {
  const { status, retryAfterSeconds = 0 }: FailureKind = failureKinds[code]
  return status === 401 ? 'credential' : `${status >= 500} ${retryAfterSeconds > 0}`
}

function responseOf(codes: readonly FailureCode[], withExample: readonly FailureCode[], instance: string) {
  const shown = codes.filter((code) => withExample.includes(code))
  const examples = shown.map((code) => {
    const { title, advice } = failureKinds[code]
    const value = presentProblem(new Failure(code), instance, '0b9e5f0e-6a54-4f0b-9a3a-1f6f0c8f6f55')
    return [code, { summary: title, description: advice, value }]
  })
  return {
    description: codes.map((code) => `\`${code}\`: ${failureKinds[code].detail}`).join('\n\n'),
    headers: {
      ...requestIdHeader,
      ...(codes.some((code) => code === 'unauthenticated' || code === 'forbidden') && {
        'WWW-Authenticate': {
          type: 'string',
          description: 'The credential to send, and the problem with the one that was sent (RFC 6750).',
        },
      }),
      ...(codes.includes('caller_rate_limited') && rateLimitHeaders),
      ...(codes.some((code) => 'retryAfterSeconds' in failureKinds[code]) && {
        'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds to wait before the next try.' },
      }),
      ...(codes.includes('execution_contact_not_found') && {
        'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds for which the answer stays the same.' },
      }),
    },
    content: {
      [problemMediaType]: {
        schema: refTo(ProblemSchema),
        ...(examples.length > 0 && { examples: Object.fromEntries(examples) }),
      },
    },
  }
}
