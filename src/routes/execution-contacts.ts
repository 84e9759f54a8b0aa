import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ageSeconds, formatCacheStatus, matchesIfNoneMatch } from '../cache/cache-status.ts'
import { demandOf } from '../cache/demand.ts'
import type { Answer, ReadThrough } from '../cache/read-through.ts'
import { Failure } from '../errors.ts'
import type { Representation, View } from '../presentation/rendering.ts'
import type { Renderings } from '../presentation/renderings.ts'
import { executionContactSchema } from './execution-contacts.schema.ts'
import { acceptsJson, codingFor, mediaType, vary } from './negotiation.ts'

export interface ExecutionContactRoutesOptions {
  /** Packed presentations by id in lower case. */
  readonly remembered: ReadThrough<Buffer>
  readonly renderings: Renderings
  /** However fresh a caller wants it: within this time Hilos is not made to answer again. */
  readonly reloadFloorMs: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

/** `GET /execution-contacts/{id}`: one contact's run through a flow, in the view asked for. */
export function executionContactRoutes(app: FastifyInstance, options: ExecutionContactRoutesOptions): void {
  const { remembered, renderings, reloadFloorMs, now } = options
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .get(
      '/execution-contacts/:id',
      { schema: executionContactSchema, onRequest: refuseOtherFormats },
      (request, reply) => {
        const id = request.params.id.toLowerCase()
        const answer = remembered.get(id, demandOf(request.headers['cache-control'], reloadFloorMs))
        // What is remembered goes out without a turn of the event loop.
        if (!(answer instanceof Promise)) return send(id, answer, request, reply)
        return answer.then((landed) => send(id, landed, request, reply))
      },
    )

  function send(id: string, answer: Answer<Buffer> | null, request: ContactRequest, reply: FastifyReply) {
    if (answer === null) throw new Failure('not_cached')
    const { entry } = answer
    reply.header('cache-status', formatCacheStatus('hilos-bff', answer, now()))
    reply.header('server-timing', serverTiming(answer, reply))
    if (entry.value === null) throw new Failure('execution_contact_not_found')
    reply.header('age', ageSeconds(entry, now()))
    const representation = renderings.of(id, entry.value, {
      view: request.query.view,
      profile: 'full',
      coding: codingFor(request),
    })
    if (!(representation instanceof Promise)) return sendRepresentation(representation, request, reply)
    return representation.then((compressed) => sendRepresentation(compressed, request, reply))
  }
}

/** The route's request, after its schema. */
type ContactRequest = FastifyRequest<{ Querystring: { readonly view: View } }>

function sendRepresentation(representation: Representation, request: FastifyRequest, reply: FastifyReply) {
  const { body, coding, etag, terminal } = representation
  reply.header('etag', etag)
  // A running contact is asked about anew each time, which costs a 304; one that is over may be kept for a minute.
  reply.header('cache-control', terminal ? 'private, max-age=60' : 'private, no-cache')
  const unchanged = matchesIfNoneMatch(request.headers['if-none-match'], etag)
  if (unchanged && request.method === 'GET') return reply.code(304).send()
  if (coding !== 'identity') reply.header('content-encoding', coding)
  reply.header('content-type', mediaType).header('content-length', body.length)
  // Fastify gives HEAD the length of what is sent; 0 would be wrong even of a 304 (RFC 9110 section 8.6).
  return reply.code(unchanged ? 304 : 200).send(body)
}

function refuseOtherFormats(request: FastifyRequest, reply: FastifyReply, done: (failure?: Failure) => void) {
  reply.header('vary', vary)
  done(acceptsJson(request) ? undefined : new Failure('not_acceptable'))
}

/** https://www.w3.org/TR/server-timing/ */
function serverTiming({ handling }: Answer<unknown>, reply: FastifyReply): string {
  return `cache;desc=${handling.hit ? 'hit' : 'miss'};dur=${reply.elapsedTime.toFixed(1)}`
}
