import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ContactQuery, ContactReading, ReadContact } from '../contacts/read-contact.ts'
import { Failure } from '../failures/failure.ts'
import type { RecordDisclosure } from '../plugins/request-log.ts'
import type { Representation } from '../presentation/views/view.ts'
import { describeContent, prepare, reportCache } from './contact-reply.ts'
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
      const query = contactQueryOf(request, request.params.id, request.query)
      const held = request.headers.prefer === undefined ? null : holdRequest(request, reply, query)
      if (held === null) return answer(query, request, reply)
      // The rights of the caller may have changed meanwhile.
      return held.then(() => answer(contactQueryOf(request, request.params.id, request.query), request, reply))
    },
  )

  function answer(query: ContactQuery, request: FastifyRequest, reply: FastifyReply) {
    const reading = readContact(query)
    return reading instanceof Promise
      ? reading.then((each) => respond(query, each, request, reply))
      : respond(query, reading, request, reply)
  }

  function respond(
    { caller, view, profile }: ContactQuery,
    reading: ContactReading,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply | Promise<FastifyReply> {
    const { representation, retryAfter, cache } = reading
    if (cache !== null) reportCache(cache, request, reply)
    if (representation === null) {
      reply.header('retry-after', retryAfter)
      throw new Failure('execution_contact_not_found')
    }
    const { pseudonym: contact } = reading
    const recordAndSend = (each: Representation) => {
      const hasContent = prepare(each, cache.age, retryAfter, request, reply)
      if (hasContent) describeContent(each.coding, each.body.length, reply)
      recordDisclosure(request, reply, { kind: caller.kind, profile, view, contact })
      return reply.send(hasContent ? each.body : undefined)
    }
    return representation instanceof Promise ? representation.then(recordAndSend) : recordAndSend(representation)
  }
}
