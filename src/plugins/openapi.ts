import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import type { TSchema } from '../common/type.ts'
import { version } from '../common/version.ts'
import { ItemProblemSchema, ProblemCodeSchema, ProblemSchema } from '../failures/problem.ts'
import {
  SummarySchema,
  sharedSchemas,
  TimelineSchema,
  TranscriptSchema,
} from '../presentation/contact/execution-contact.ts'

/** One scheme, because a request has one header for either. A service accepts one of them, both, or anonymous callers. */
const securitySchemes = {
  credential: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'hbff_ and 43 characters, or a JWT',
    description:
      'A key that the operators gave to one caller, for example a server, or an access token (JWT) of the token issuer that ' +
      'this service trusts, signed with RS256, ES256 or EdDSA. It determines the profile of the caller, and may limit the ' +
      'caller to some flows. Keep a key where no browser can read it. The scope of a token names the profile: ' +
      '`execution-contacts:viewer`, `execution-contacts:agent` or `execution-contacts:full`. The widest ' +
      'one counts. The claim `hilos_flows`, an array of flow ids, limits it to these flows.',
  },
} as const

/** The parameters that a request cannot do without come first; @fastify/swagger begins with those of the query. */
function withRequiredFirst(described: object): object {
  const { openapiObject } = described as {
    openapiObject: { paths: Record<string, { get?: { parameters?: { required: boolean }[] } }> }
  }
  for (const { get } of Object.values(openapiObject.paths))
    get?.parameters?.sort((one, other) => Number(other.required) - Number(one.required))
  return openapiObject
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The routes that were declared after `describeLater` and are not hidden. */
    readonly describedRoutes: readonly RouteOptions[]
    /** Makes the OpenAPI document of these routes as text. */
    readonly openapi: (form: 'json' | 'yaml') => Promise<string>
  }
}

/**
 * Describes the routes declared after it as OpenAPI 3.1. What makes the document is loaded when the first one is asked for, and
 * gets these routes in an app that serves none of them.
 */
export function describeLater(
  app: FastifyInstance,
  schemas: readonly TSchema[],
  options: FastifyDynamicSwaggerOptions,
): void {
  const routes: RouteOptions[] = []
  const shared = [ProblemCodeSchema, ProblemSchema, ...schemas]
  for (const schema of shared) app.addSchema(schema)
  app.addHook('onRoute', ({ method, url, schema = {}, handler }) => {
    if (!schema.hide) routes.push({ method, url, schema, handler })
  })
  app.decorate('describedRoutes', routes)
  app.decorate('openapi', async (form) => {
    const { default: swagger } = await import('@fastify/swagger')
    const twin: FastifyInstance = Fastify({ exposeHeadRoutes: false })
    twin.setValidatorCompiler(() => Boolean).setSerializerCompiler(() => String)
    for (const schema of shared) twin.addSchema(schema)
    await twin.register(swagger, { ...options, refResolver: { buildLocalReference: ({ $id }) => String($id) } })
    for (const route of routes) twin.route(route)
    await twin.ready()
    return form === 'yaml' ? twin.swagger({ yaml: true }) : JSON.stringify(twin.swagger())
  })
}

/** Describes the callers' routes, which are declared after it. */
export function describeRoutes(app: FastifyInstance): void {
  describeLater(app, [ItemProblemSchema, SummarySchema, TimelineSchema, TranscriptSchema, ...sharedSchemas], {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'hilos-bff',
        version,
        summary: 'One contact’s run through a WhatsApp flow, as a frontend needs it.',
        description:
          'Status, steps, answers and messages of a Hilos flow execution contact: small, typed, and cached for seconds to an ' +
          'hour. One request can ask for several, and a stream of events follows one. To poll, use a plain `fetch(url)`, with no ' +
          'header but `Authorization`: the browser revalidates by itself, and an unchanged run costs a 304. ' +
          '`Cache-Control: no-cache` is a wish for a reload, which is granted now and then. The age of a response is in `Age` and `Cache-Status`, never in the body. Failures are problems ' +
          '(RFC 9457) with a `code` for programs.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      components: { securitySchemes },
      servers: [{ url: '/', description: 'This service' }],
      tags: [
        { name: 'Execution contacts', description: 'One contact’s run through one flow.' },
        { name: 'Problems', description: 'The meaning of failures.' },
      ],
    },
    transformObject: withRequiredFirst,
  })
}
