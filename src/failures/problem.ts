import { type Static, Type } from 'typebox'
import { nullable } from '../common/schema.ts'
import type { Failure } from './failure.ts'
import { type FailureCode, failureKinds } from './failure-kinds.ts'

const codes = Object.keys(failureKinds) as FailureCode[]

/** Problem details, RFC 9457. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'A page about this kind of failure.' }),
    title: Type.String({ description: 'The kind of failure in a few words.' }),
    status: Type.Integer({ description: 'The HTTP status again.' }),
    code: Type.Unsafe<FailureCode>({ type: 'string', enum: codes, description: 'The kind of failure, for programs.' }),
    detail: Type.String({ description: 'What happened.' }),
    instance: Type.String({ format: 'uri-reference', description: 'The path that was asked for.' }),
    requestId: Type.String({ description: 'Names this request in the log.' }),
    retryable: Type.Boolean({ description: 'Whether the same request can succeed later.' }),
    retryAfterSeconds: nullable(
      Type.Integer({ minimum: 1, description: 'How long to wait first; null when waiting is not the cure.' }),
    ),
  },
  { $id: 'Problem', description: 'What went wrong (RFC 9457).' },
)

export type Problem = Static<typeof ProblemSchema>

export const problemMediaType = 'application/problem+json'

/**
 * What a caller is told of a failure.
 * @param instance the path that was asked for, without the query
 */
export function presentProblem({ code, retryAfterSeconds }: Failure, instance: string, requestId: string): Problem {
  const { title, status, detail, retryable } = failureKinds[code]
  return { type: `/problems/${code}`, title, status, code, detail, instance, requestId, retryable, retryAfterSeconds }
}
