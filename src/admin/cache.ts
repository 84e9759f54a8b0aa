import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { count, executionContactId } from '../common/schema.ts'
import { Failure } from '../failures/failure.ts'
import { failuresOf } from './openapi.ts'

export interface CacheRoutesOptions {
  readonly cache: {
    readonly fullness: () => Static<typeof CacheSchema>
    /** Forgets one contact. @param id in lower case */
    readonly delete: (id: string) => void
    readonly clear: () => void
  }
}

const storeSchema = (description: string) =>
  Type.Object(
    {
      entries: count('What is remembered.'),
      bytes: count('Memory it takes, with overhead.'),
      maxBytes: count('Memory it may take.'),
      evictions: count('What had to make room for others, since the start.'),
    },
    { description },
  )

const CacheSchema = Type.Object({
  contacts: storeSchema('Presentations of contacts, for all callers.'),
  renderings: storeSchema('What was rendered of them, which can be made again; an entry is a contact.'),
  absences: storeSchema('Ids of which Hilos said that there is nothing.'),
  ownAbsences: storeSchema('What is absent for callers limited to flows.'),
})

const common = { tags: ['Cache'] }
/** Whoever sends one may believe that it limits what is forgotten. */
const noQuery = Type.Object({}, { additionalProperties: false })
const forgotten = { 204: { description: 'It is forgotten, if there was anything.', type: 'null' } }

const fullnessSchema = {
  ...common,
  operationId: 'getCache',
  summary: 'How full the cache is',
  response: {
    200: { description: 'By store.', content: { 'application/json': { schema: CacheSchema } } },
    ...failuresOf('/cache'),
  },
}

const deleteSchema = {
  ...common,
  operationId: 'deleteCachedExecutionContact',
  summary: 'Forget one contact',
  description:
    'For everybody, with what was rendered of it, its absence and its failure. A load under way answers those who wait ' +
    'and is not stored; the next request asks Hilos.',
  params: Type.Object({ id: executionContactId }),
  querystring: noQuery,
  response: { ...forgotten, ...failuresOf('/cache/execution-contacts/x', 'invalid_id', 'invalid_query') },
}

const clearSchema = {
  ...common,
  operationId: 'clearCache',
  summary: 'Forget everything',
  description:
    'In the same way. Until it has filled again, every contact costs a call to Hilos, and these are rationed.',
  querystring: noQuery,
  response: { ...forgotten, ...failuresOf('/cache', 'invalid_query') },
}

/** `GET /cache`, and `DELETE` for all of it or for one contact. */
export function cacheRoutes(app: FastifyInstance, { cache }: CacheRoutesOptions): void {
  app.get('/cache', { schema: fullnessSchema }, (_request, reply) => reply.send(cache.fullness()))
  app.delete('/cache', { schema: clearSchema, preHandler: refuseBody }, (request, reply) => {
    cache.clear()
    request.log.warn('an operator has emptied the cache')
    return reply.code(204).send()
  })
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .delete('/cache/execution-contacts/:id', { schema: deleteSchema, preHandler: refuseBody }, (request, reply) => {
      cache.delete(request.params.id.toLowerCase())
      request.log.info('an operator has removed a contact from the cache')
      return reply.code(204).send()
    })
}

/** For the reason that queries are. */
function refuseBody({ body }: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void) {
  done(body === undefined ? undefined : new Failure('malformed_request'))
}
