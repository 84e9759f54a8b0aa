import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { version } from '../common/version.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import { ProblemSchema } from '../failures/problem.ts'
import { problemResponses } from '../presentation/problem-responses.ts'

/** The responses part of a route's schema for what can happen to any request, and for these failures. */
export function failuresOf(path: string, ...codes: readonly FailureCode[]) {
  return problemResponses([...codes, 'malformed_request', 'internal_error'], path)
}

/** Describes the routes declared after it as OpenAPI 3.1 at `/openapi.json`. */
export async function publishOperatorsOpenApi(app: FastifyInstance): Promise<void> {
  app.addSchema(ProblemSchema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'hilos-bff, for operators',
        version,
        summary: 'Health, metrics, and what is remembered.',
        description:
          'Served on `ADMIN_HOST:ADMIN_PORT`, to whoever reaches it: keep it on a network that callers do not reach.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'The operators’ listener' }],
      tags: [
        { name: 'Health', description: 'For probes.' },
        { name: 'Reports', description: 'What is running, and how it fares.' },
        { name: 'Cache', description: 'What is remembered, and how to forget it.' },
        { name: 'Problems', description: 'What failures mean.' },
      ],
    },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
  })
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()))
}
