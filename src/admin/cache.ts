import { randomBytes } from 'node:crypto'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
} from 'fastify'
import { count, executionContactId } from '../common/schema.ts'
import { Type } from '../common/type.ts'
import type { Contacts } from '../contacts/contacts.ts'
import { Failure } from '../failures/failure.ts'
import { failuresOf, jsonResponse, withAdminToken } from './openapi.ts'

export interface CacheRoutesOptions {
  /** Rejects requests to delete that have no right to it. */
  readonly guard: onRequestAsyncHookHandler
  readonly cache: Pick<Contacts, 'usage' | 'delete' | 'clear'>
  /** Whether the replicas share a tier, so that deleting reaches all of them. */
  readonly isShared: boolean
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
const everywhere =
  ' Without a shared tier, this concerns only the replica that is asked. With one (`REDIS_URL`), 204 says that all replicas have ' +
  'deleted it. 503 `shared_tier_unavailable` says that only this replica is known to have: repeat the request until it is 204.'

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
    'answers the requests that wait for it, but its result is not stored. The next request calls Hilos.' +
    everywhere,
  params: Type.Object({ id: executionContactId }),
  querystring: noQuery,
  response: {
    ...deleted,
    ...failuresOf(
      '/cache/execution-contacts/x',
      'invalid_id',
      'invalid_query',
      'unauthenticated',
      'shared_tier_unavailable',
    ),
  },
}

const clearSchema = {
  ...common,
  ...withAdminToken,
  operationId: 'clearCache',
  summary: 'Delete everything from the cache',
  description:
    'Deletes all contacts in the same way. Until the cache has filled again, the first request for each contact needs a call ' +
    'to Hilos, and `HILOS_MAX_RPS` limits these calls.' +
    everywhere,
  querystring: noQuery,
  response: { ...deleted, ...failuresOf('/cache', 'invalid_query', 'unauthenticated', 'shared_tier_unavailable') },
}

/** `GET /cache`, and `DELETE` for the whole cache or for one contact. */
export function cacheRoutes(app: FastifyInstance, { cache, isShared, guard }: CacheRoutesOptions): void {
  const guards = { onRequest: guard, preHandler: refuseBody }
  app.get('/cache', { schema: usageSchema }, (_request, reply) => reply.send(cache.usage()))
  app.delete('/cache', { schema: clearSchema, ...guards }, async (request, reply) => {
    await deleteEverywhere(cache.clear, request.log, 'warn', 'an operator has emptied the cache')
    return reply.code(204).send()
  })
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .delete('/cache/execution-contacts/:id', { schema: deleteSchema, ...guards }, async (request, reply) => {
      const deleteOne = (purge: string) => cache.delete(request.params.id.toLowerCase(), purge)
      await deleteEverywhere(deleteOne, request.log, 'info', 'an operator has removed a contact from the cache')
      return reply.code(204).send()
    })

  /** All replicas log the same `purge`, by which their lines are found. It says nothing about the contact. */
  async function deleteEverywhere(
    remove: (purge: string) => Promise<void>,
    log: FastifyBaseLogger,
    level: 'info' | 'warn',
    message: string,
  ): Promise<void> {
    const purge = randomBytes(6).toString('hex')
    try {
      await remove(purge)
    } catch (err) {
      log.warn({ purge, deletedBy: 'this replica, perhaps others', err }, message)
      throw err
    }
    log[level](isShared ? { purge, deletedBy: 'all replicas' } : {}, message)
  }
}

/** A body is rejected for the same reason as a query. */
function refuseBody({ body }: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void) {
  done(body === undefined ? undefined : new Failure('malformed_request'))
}
