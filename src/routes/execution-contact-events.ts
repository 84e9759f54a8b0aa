import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { noDirectives } from '../cache/request-directives.ts'
import type { ContactQuery, ContactReading, ReadContact } from '../contacts/read-contact.ts'
import { watchedContactOf } from '../contacts/watched-contact.ts'
import { Failure } from '../failures/failure.ts'
import { acceptsEvents, eventMediaType } from '../plugins/negotiation.ts'
import type { Streams } from '../plugins/streams.ts'
import { tagOf } from '../presentation/views/view.ts'
import { contactQueryOf, type Guards } from './contact-request.ts'
import { type ContactStreamOptions, streamContact } from './contact-stream.ts'
import { contactEventsSchema } from './execution-contact-events.schema.ts'

export interface ContactEventsOptions extends ContactStreamOptions {
  readonly guards: Guards
  readonly readContact: ReadContact
  readonly streams: Pick<Streams, 'take'>
  /** Called with each response that becomes a stream. */
  readonly onStream: (reply: FastifyReply) => void
}

/** `GET /execution-contacts/{id}/events`: a stream of the states of one contact's run. */
export function contactEventsRoute(app: FastifyInstance, options: ContactEventsOptions): void {
  const { guards, readContact, streams, onStream, clock } = options
  app.withTypeProvider<TypeBoxTypeProvider>().get(
    '/execution-contacts/:id/events',
    {
      schema: contactEventsSchema,
      exposeHeadRoute: false,
      onRequest: [...guards, requireEvents],
      config: { isGuarded: true },
    },
    async (request, reply) => {
      const usual = contactQueryOf(request, request.params.id, request.query)
      // Browsers add `Cache-Control: no-cache` to each request for a stream, so it is not read.
      const query = { ...usual, coding: 'identity' } as const
      const place = streams.take(query.askedBy)
      try {
        const reading = await firstReading(query)
        if (reading.representation === null) {
          reply.header('retry-after', reading.retryAfter)
          throw new Failure('execution_contact_not_found')
        }
        request.cacheUse = reading.cache.use
        const representation = await reading.representation
        reply.header('cache-control', 'no-store, no-transform')
        const isSettled = watchedContactOf(reading.entry).settledAt <= clock.now()
        if (isSettled && request.headers['last-event-id'] === tagOf(representation)) {
          place.leave()
          return reply.code(204).send()
        }
        const body = streamContact(options, { query, reading, representation, place, request, reply })
        onStream(reply)
        return reply.header('content-type', eventMediaType).header('x-accel-buffering', 'no').send(body)
      } catch (error) {
        place.leave()
        throw error
      }
    },
  )

  /**
   * A contact that is stored, and not too old, is shown without a load in the name of its caller: from now on it is watched, and
   * is loaded when it is its turn.
   */
  async function firstReading(query: ContactQuery): Promise<ContactReading> {
    try {
      return await readContact({ ...query, directives: { ...noDirectives, onlyIfCached: true } })
    } catch (failure) {
      if ((failure as Failure).code !== 'not_cached') throw failure
      return await readContact({ ...query, directives: noDirectives })
    }
  }
}

function requireEvents(request: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void): void {
  done(acceptsEvents(request) ? undefined : new Failure('not_acceptable'))
}
