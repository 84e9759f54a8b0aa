import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import { count, executionContactId } from '../common/schema.ts'
import { Type } from '../common/type.ts'
import type { Contacts } from '../contacts/contacts.ts'
import { Failure } from '../failures/failure.ts'
import { failuresOf, jsonResponse, withAdminToken } from './openapi.ts'

export interface CacheRoutesOptions {
  /** Rejects requests to delete that have no right to it. */
  readonly guard: onRequestAsyncHookHandler
  readonly cache: Pick<Contacts, 'usage' | 'delete' | 'clear'>
}

const storeSchema = (description: string) =>
  Type.Object(
    {
      entries: count('The number of entries.'),
      bytes: count('The memory that the entries take, with overhead.'),
      maxBytes: count('The memory that the entries may take.'),
      evictions: count('Entries removed to make room for others, since the start of the process.'),
    },
    { description },
  )

const CacheSchema = Type.Object({
  contacts: storeSchema('Contacts, shared by all callers.'),
  renderings: storeSchema(
    'Rendered views of contacts, which can be rendered again. An entry has all views of one contact.',
  ),
  absences: storeSchema('Ids that do not exist at Hilos.'),
  ownAbsences: storeSchema('Ids that are absent for callers limited to flows.'),
})

const common = { tags: ['Cache'] }
/** A query is rejected, because an operator may expect that it limits what is deleted. */
const noQuery = Type.Object({}, { additionalProperties: false })
const deleted = { 204: { description: 'Deleted, or nothing was cached.', type: 'null' } }

const usageSchema = {
  ...common,
  operationId: 'getCache',
  summary: 'How full the cache is',
  response: { 200: jsonResponse('The usage of each store.', CacheSchema), ...failuresOf('/cache') },
}

const deleteSchema = {
  ...common,
  ...withAdminToken,
  operationId: 'deleteCachedExecutionContact',
  summary: 'Delete one contact from the cache',
  description:
    'Deletes the contact, its rendered views, its absence and its last error, for all callers. A load in flight still ' +
    'answers the requests that wait for it, but its result is not stored. The next request calls Hilos.',
  params: Type.Object({ id: executionContactId }),
  querystring: noQuery,
  response: {
    ...deleted,
    ...failuresOf('/cache/execution-contacts/x', 'invalid_id', 'invalid_query', 'unauthenticated'),
  },
}

const clearSchema = {
  ...common,
  ...withAdminToken,
  operationId: 'clearCache',
  summary: 'Delete everything from the cache',
  description:
    'Deletes all contacts in the same way. Until the cache has filled again, the first request for each contact needs a call ' +
    'to Hilos, and `HILOS_MAX_RPS` limits these calls.',
  querystring: noQuery,
  response: { ...deleted, ...failuresOf('/cache', 'invalid_query', 'unauthenticated') },
}

/** `GET /cache`, and `DELETE` for the whole cache or for one contact. */
export function cacheRoutes(app: FastifyInstance, { cache, guard }: CacheRoutesOptions): void {
  const guards = { onRequest: guard, preHandler: refuseBody }
  app.get('/cache', { schema: usageSchema }, (_request, reply) => reply.send(cache.usage()))
  app.delete('/cache', { schema: clearSchema, ...guards }, async (request, reply) => {
    await cache.clear()
    request.log.warn('an operator has emptied the cache')
    return reply.code(204).send()
  })
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .delete('/cache/execution-contacts/:id', { schema: deleteSchema, ...guards }, async (request, reply) => {
      await cache.delete(request.params.id.toLowerCase())
      request.log.info('an operator has removed a contact from the cache')
      return reply.code(204).send()
    })
}

/** A body is rejected for the same reason as a query. */
function refuseBody({ body }: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void) {
  done(body === undefined ? undefined : new Failure('malformed_request'))
}
