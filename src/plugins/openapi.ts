import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { SummarySchema, TimelineSchema, TranscriptSchema } from '../presentation/execution-contact.ts'
import { ProblemSchema } from '../presentation/problem.ts'
import { sharedSchemas } from '../presentation/rendering.ts'
import { version } from '../version.ts'
import { pagePolicy } from './security-headers.ts'

/** Describes the routes declared after it as OpenAPI 3.1 at `/openapi.json`, and shows them at `/docs`. */
export async function publishOpenApi(app: FastifyInstance): Promise<void> {
  for (const schema of [ProblemSchema, SummarySchema, TimelineSchema, TranscriptSchema, ...sharedSchemas])
    app.addSchema(schema)

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'hilos-bff',
        version,
        summary: 'One contact’s run through a WhatsApp flow, as a frontend needs it.',
        description:
          'Status, steps, answers and messages of a Hilos flow execution contact: small, typed, remembered for ' +
          'seconds to an hour. Poll with `If-None-Match`; an unchanged run costs a 304. How old an answer is stands in `Age` and ' +
          '`Cache-Status`, never in the body. Failures are problems (RFC 9457) with a `code` to branch on.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This service' }],
      tags: [
        { name: 'Execution contacts', description: 'One contact’s run through one flow.' },
        { name: 'Problems', description: 'What failures mean.' },
      ],
    },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
  })
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()))
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'hilos-bff' },
    uiConfig: { layout: 'BaseLayout', tryItOutEnabled: true, displayRequestDuration: true, validatorUrl: null },
    uiHooks: {
      onRequest: (_request, reply, done) => {
        reply.header('content-security-policy', pagePolicy)
        done()
      },
    },
  })
}
