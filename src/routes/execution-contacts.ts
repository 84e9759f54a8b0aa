import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type CacheUse, failsIfMatch, matchesIfNoneMatch } from '../cache/cache-status.ts'
import type { ContactQuery, ContactReading, ReadContact } from '../contacts/read-contact.ts'
import { Failure } from '../failures/failure.ts'
import { mediaType } from '../plugins/negotiation.ts'
import type { RecordDisclosure } from '../plugins/request-log.ts'
import type { Representation } from '../presentation/views/view.ts'
import { contactQueryOf, type Guards, requireJson, setVary } from './contact-request.ts'
import { executionContactSchema } from './execution-contacts.schema.ts'
import type { HoldRequest } from './held-request.ts'

export interface ExecutionContactRoutesOptions {
  readonly guards: Guards
  readonly readContact: ReadContact
  readonly holdRequest: HoldRequest
  /** Called for each response that shows data of a contact, before it is sent. */
  readonly recordDisclosure: RecordDisclosure
}

/** `GET /execution-contacts/{id}`: one contact's run through a flow, as far as the caller may see it. */
export function executionContactRoutes(app: FastifyInstance, options: ExecutionContactRoutesOptions): void {
  const { guards, readContact, holdRequest, recordDisclosure } = options
  app.withTypeProvider<TypeBoxTypeProvider>().get(
    '/execution-contacts/:id',
    {
      schema: executionContactSchema,
      onRequest: [setVary, ...guards, requireJson],
      config: { isGuarded: true },
    },
    (request, reply) => {
      const queryNow = () => contactQueryOf(request, request.params.id, request.query)
      const answer = (query: ContactQuery) => {
        const reading = readContact(query)
        return reading instanceof Promise
          ? reading.then((each) => respond(query, each, request, reply))
          : respond(query, reading, request, reply)
      }
      const query = queryNow()
      const held = request.headers.prefer === undefined ? null : holdRequest(request, reply, query)
      // The rights of the caller may have changed meanwhile.
      return held === null ? answer(query) : held.then(() => answer(queryNow()))
    },
  )

  function respond(
    { caller, view, profile }: ContactQuery,
    reading: ContactReading,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply | Promise<FastifyReply> {
    const { representation, retryAfter, cache } = reading
    if (cache !== null) {
      request.cacheUse = cache.use
      reply.header('cache-status', cache.status).header('server-timing', serverTiming(cache.use, reply))
    }
    if (representation === null) {
      reply.header('retry-after', retryAfter)
      throw new Failure('execution_contact_not_found')
    }
    const { pseudonym: contact } = reading
    const recordAndSend = (each: Representation) => {
      const content = prepare(each, cache.age, retryAfter, request, reply)
      recordDisclosure(request, reply, { kind: caller.kind, profile, view, contact })
      return reply.send(content)
    }
    return representation instanceof Promise ? representation.then(recordAndSend) : recordAndSend(representation)
  }
}

/** A caller may keep an ended run for this long after the response. */
const keepSeconds = 60

/**
 * Sets the status and the headers of the response with a representation, or of a 304 if the caller has it already. Returns the
 * content.
 * @throws Failure `precondition_failed`
 */
function prepare(
  { body, coding, etag, terminal }: Representation,
  age: number,
  retryAfter: number,
  request: FastifyRequest,
  reply: FastifyReply,
): Buffer | undefined {
  if (failsIfMatch(request.headers['if-match'], etag)) throw new Failure('precondition_failed')
  reply.header('etag', etag).header('age', age)
  // Callers revalidate a running contact each time, which costs a 304. The age is added to `max-age`, because caches count
  // it from the answer of Hilos (RFC 9111 section 4.2.3).
  reply.header('cache-control', terminal ? `private, max-age=${age + keepSeconds}` : 'private, no-cache')
  if (!terminal) reply.header('retry-after', retryAfter)
  const status = matchesIfNoneMatch(request.headers['if-none-match'], etag) ? 304 : 200
  reply.code(status)
  if (status === 304 && request.method === 'GET') return undefined
  if (coding !== 'identity') reply.header('content-encoding', coding)
  reply.header('content-type', mediaType).header('content-length', body.length)
  // For HEAD, Fastify sets the length of what it is given: 0 would be wrong even in a 304 (RFC 9110 section 8.6).
  return body
}

/** https://www.w3.org/TR/server-timing/ */
function serverTiming({ fwd }: CacheUse, reply: FastifyReply): string {
  return `cache;desc=${fwd === null ? 'hit' : 'miss'};dur=${reply.elapsedTime.toFixed(1)}`
}
