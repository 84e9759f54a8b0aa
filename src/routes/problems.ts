import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { Failure } from '../failures/failure.ts'
import {
  type FailureCode,
  type FailureKind,
  failureCodes,
  failureKinds,
  isFailureCode,
} from '../failures/failure-kinds.ts'
import { problemResponses } from '../failures/problem.ts'
import { createStaticHandler } from '../plugins/static-answers.ts'

const schemaWith = (codes: readonly FailureCode[]) => ({
  operationId: 'getProblem',
  tags: ['Problems'],
  summary: 'Explain a kind of failure',
  description: 'The page that `type` of a problem names: what happened, whether to try again, and what to do.',
  params: Type.Object({
    code: Type.String({ description: 'The `code` of a problem.', examples: ['upstream_timeout'] }),
  }),
  response: {
    200: {
      description: 'A page for people to read.',
      content: { 'text/html': { schema: { type: 'string' } } },
    },
    ...problemResponses(
      ['malformed_request', 'route_not_found', 'uri_too_long', 'headers_too_large', 'internal_error', ...codes],
      '/problems/no_such_code',
    ),
  },
})

const pages = Object.fromEntries(
  failureCodes.map((code) => [
    code,
    createStaticHandler({ type: 'text/html; charset=utf-8', makeBody: () => pageOf(code) }),
  ]),
) as Readonly<Record<FailureCode, ReturnType<typeof createStaticHandler>>>

/**
 * `GET /problems/{code}`.
 * @param codes the failures that any route of the app can have
 */
export function problemRoutes(app: FastifyInstance, ...codes: readonly FailureCode[]): void {
  const schema = schemaWith(codes)
  app.withTypeProvider<TypeBoxTypeProvider>().get('/problems/:code', { schema }, (request, reply) => {
    const { code } = request.params
    if (!isFailureCode(code)) throw new Failure('route_not_found')
    return pages[code](request, reply)
  })
}

/** The texts need no escaping, because none of them comes from a request. */
function pageOf(code: FailureCode): string {
  const { status, title, detail, advice, retryAfterSeconds }: FailureKind = failureKinds[code]
  const retry = retryAfterSeconds
    ? `Yes, after the seconds in Retry-After, or after about ${retryAfterSeconds} seconds without that header.`
    : 'No. The same request will fail again until something changes.'
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title} · hilos-bff</title>
<h1>${title}</h1>
<p><code>${code}</code>, status ${status}</p>
<h2>What happened</h2>
<p>${detail}</p>
<h2>Whether to try again</h2>
<p>${retry}</p>
<h2>What to do</h2>
<p>${advice}</p>
</html>
`
}
