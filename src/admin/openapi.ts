import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { TSchema } from '../common/type.ts'
import { version } from '../common/version.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import { problemResponses } from '../failures/problem.ts'

export function jsonResponse(description: string, schema: TSchema) {
  return { description, content: { 'application/json': { schema } } }
}

/**
 * The responses of a route for these failures, and for those that every request can meet.
 * @param path the path in the examples
 */
export function failuresOf(path: string, ...codes: readonly FailureCode[]) {
  return problemResponses([...codes, 'malformed_request', 'foreign_request', 'internal_error'], path)
}

/** For routes that need `ADMIN_TOKEN`, except on loopback without one. */
export const withAdminToken = { security: [{ adminToken: [] }, {}] }

/** What `describeLater` needs besides the operators' routes. */
export const operatorsDescription: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'hilos-bff, for operators',
      version,
      summary: 'Health, metrics and the cache.',
      description:
        'Served at `ADMIN_HOST:ADMIN_PORT`, and read without authentication: keep it on a network that callers cannot ' +
        'reach. The `Host` of a request must be localhost, the address of the listener, or a name in `ADMIN_ALLOWED_HOSTS`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    components: {
      securitySchemes: {
        adminToken: {
          type: 'http',
          scheme: 'bearer',
          description:
            '`ADMIN_TOKEN`. On loopback nothing is needed unless it is set; elsewhere nothing can be deleted without it.',
        },
      },
    },
    servers: [{ url: '/', description: 'The operators’ listener' }],
    tags: [
      { name: 'Health', description: 'Probes of an orchestrator.' },
      { name: 'Reports', description: 'The running version, its metrics, and deviations from the contract.' },
      { name: 'Cache', description: 'The usage of the cache, and how to delete from it.' },
      { name: 'Problems', description: 'The meaning of failures.' },
    ],
  },
}
