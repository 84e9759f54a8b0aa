import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from '../common/type.ts'
import { Failure } from '../failures/failure.ts'
import {
  type FailureCode,
  type FailureKind,
  failureCodes,
  failureKinds,
  isFailureCode,
} from '../failures/failure-kinds.ts'
import { problemResponses } from '../failures/problem.ts'
import { createPageHandler, listOf } from '../plugins/pages.ts'

const schemaWith = (codes: readonly FailureCode[], operationId: string, summary: string, path: string) => ({
  operationId,
  tags: ['Problems'],
  summary,
  response: {
    200: {
      description: 'A page for people to read.',
      content: { 'text/html': { schema: { type: 'string' } } },
    },
    ...problemResponses(['malformed_request', 'uri_too_long', 'headers_too_large', 'internal_error', ...codes], path),
  },
})

const listSchema = (codes: readonly FailureCode[]) =>
  schemaWith(codes, 'listProblems', 'All kinds of failures', '/problems')

const pageSchema = (codes: readonly FailureCode[]) => ({
  ...schemaWith(['route_not_found', ...codes], 'getProblem', 'Explain a kind of failure', '/problems/no_such_code'),
  description: 'The page that `type` of a problem names: what happened, whether to try again, and what to do.',
  params: Type.Object({
    code: Type.String({ description: 'The `code` of a problem.', examples: ['upstream_timeout'] }),
  }),
})

const titles = failureCodes.map((code) => [
  `problems/${code}`,
  `${failureKinds[code].status}: ${failureKinds[code].title}`,
])
const list = createPageHandler('Problems', () => listOf(Object.fromEntries(titles)))

const pages = Object.fromEntries(
  failureCodes.map((code) => [code, createPageHandler(failureKinds[code].title, () => contentOf(code))]),
) as Readonly<Record<FailureCode, ReturnType<typeof createPageHandler>>>

/**
 * `GET /problems` and `GET /problems/{code}`.
 * @param codes the failures that any route of the app can have
 */
export function problemRoutes(app: FastifyInstance, ...codes: readonly FailureCode[]): void {
  app.get('/problems', { schema: listSchema(codes) }, list)
  const schema = pageSchema(codes)
  app.withTypeProvider<TypeBoxTypeProvider>().get('/problems/:code', { schema }, (request, reply) => {
    const { code } = request.params
    if (!isFailureCode(code)) throw new Failure('route_not_found')
    return pages[code](request, reply)
  })
}

function contentOf(code: FailureCode): string {
  const { status, detail, advice, retryAfterSeconds }: FailureKind = failureKinds[code]
  const retry = retryAfterSeconds
    ? `Yes, after the seconds in Retry-After, or after about ${retryAfterSeconds} seconds without that header.`
    : 'No. The same request will fail again until something changes.'
  return `<p><code>${code}</code>, status ${status}</p>
<h2>What happened</h2>
<p>${detail}</p>
<h2>Whether to try again</h2>
<p>${retry}</p>
<h2>What to do</h2>
<p>${advice}</p>
<p><a href="../problems">All problems</a></p>
`
}
