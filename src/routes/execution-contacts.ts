import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ageSeconds, formatCacheStatus, matchesIfNoneMatch } from '../cache/cache-status.ts'
import type { Answer, ReadThrough } from '../cache/read-through.ts'
import { Failure } from '../errors.ts'
import { type Representation, renderView } from '../presentation/rendering.ts'
import { executionContactSchema } from './execution-contacts.schema.ts'

export interface ExecutionContactRoutesOptions {
  /** Packed presentations by id in lower case. */
  readonly contacts: ReadThrough<Buffer>
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

/** `GET /execution-contacts/{id}`: one contact's run through a flow, in the view asked for. */
export function executionContactRoutes(app: FastifyInstance, { contacts, now }: ExecutionContactRoutesOptions): void {
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .get(
      '/execution-contacts/:id',
      { schema: executionContactSchema, onRequest: refuseOtherFormats },
      async (request, reply) => {
        const answer = await contacts.get(request.params.id.toLowerCase())
        reply.headers({
          'cache-status': formatCacheStatus('hilos-bff', answer, now()),
          'server-timing': serverTiming(answer, reply),
          vary: 'Accept',
        })
        if (answer.entry.value === null) throw new Failure('execution_contact_not_found')

        const representation = renderView(answer.entry.value, request.query.view)
        reply.headers({
          etag: representation.etag,
          age: ageSeconds(answer.entry, now()),
          'cache-control': cacheControl(representation),
        })
        if (matchesIfNoneMatch(request.headers['if-none-match'], representation.etag)) return reply.code(304).send()
        return reply.type(mediaType).send(representation.body)
      },
    )
}

const mediaType = 'application/json; charset=utf-8'

function refuseOtherFormats(request: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void) {
  const acceptable = request.headers.accept === undefined || request.type([mediaType, 'application/json']) !== false
  done(acceptable ? undefined : new Failure('not_acceptable'))
}

/** A running contact is asked about anew each time, which costs a 304; one that is over may be kept for a minute. */
function cacheControl({ terminal }: Representation): string {
  return terminal ? 'private, max-age=60' : 'private, no-cache'
}

/** https://www.w3.org/TR/server-timing/ */
function serverTiming({ handling }: Answer<unknown>, reply: FastifyReply): string {
  return `cache;desc=${handling.hit ? 'hit' : 'miss'};dur=${reply.elapsedTime.toFixed(1)}`
}
