import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
  onRequestHookHandler,
} from 'fastify'
import { forbiddenProfile } from '../access/access-failure.ts'
import type { Caller } from '../access/caller.ts'
import type { Disclosure } from '../access/disclosure.ts'
import { isWider } from '../access/profile.ts'
import { ageSeconds, type CacheUse, cacheUseOf, formatCacheStatus, matchesIfNoneMatch } from '../cache/cache-status.ts'
import type { Answer } from '../cache/read-through.ts'
import { demandOf } from '../cache/request-directives.ts'
import type { RememberedContact } from '../contacts/stored-contact.ts'
import type { EntitledReads } from '../contacts/visible-contacts.ts'
import { Failure } from '../failures/failure.ts'
import type { Renderings } from '../presentation/views/rendered-views.ts'
import type { Representation, View } from '../presentation/views/view.ts'
import { traceIdOf } from '../telemetry/trace-context.ts'
import { executionContactSchema } from './execution-contacts.schema.ts'
import { acceptsJson, codingFor, mediaType, variesOn } from './negotiation.ts'

export interface ExecutionContactRoutesOptions {
  /** By id in lower case, as far as each caller may know of them. */
  readonly reads: EntitledReads<RememberedContact>
  readonly renderings: Renderings
  /** Run in this order before anything else of a request is looked at; behind them it is known who calls. */
  readonly guards: readonly (onRequestHookHandler | onRequestAsyncHookHandler)[]
  readonly callerOf: (request: FastifyRequest) => Caller
  /** Told what the cache did for a request, unless that would say more than its caller may know. */
  readonly onAnswer: (request: FastifyRequest, use: CacheUse) => void
  /** Told of each answer that tells a caller something about a contact. */
  readonly onDisclosure: (disclosure: Disclosure) => void
  /** However fresh a caller wants it: within this time Hilos is not made to answer again. */
  readonly reloadFloorMs: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

/** `GET /execution-contacts/{id}`: one contact's run through a flow, in the view asked for, as far as the caller may see. */
export function executionContactRoutes(app: FastifyInstance, options: ExecutionContactRoutesOptions): void {
  const { reads, renderings, guards, callerOf, onAnswer, onDisclosure, reloadFloorMs, now } = options
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .get(
      '/execution-contacts/:id',
      { schema: executionContactSchema, onRequest: [tellWhatItVariesOn, ...guards, refuseOtherFormats] },
      (request, reply) => {
        const id = request.params.id.toLowerCase()
        const caller = callerOf(request)
        const { view, profile = caller.profile } = request.query
        if (isWider(profile, caller.profile)) throw forbiddenProfile(profile)
        const wish = { id, caller, view, profile }
        const answer = reads.get(caller, id, demandOf(request.headers['cache-control'], reloadFloorMs))
        // What is remembered goes out without a turn of the event loop.
        if (!(answer instanceof Promise)) return render(wish, answer, 0, request, reply)
        const askedAt = reply.elapsedTime
        return answer.then((landed) => render(wish, landed, reply.elapsedTime - askedAt, request, reply))
      },
    )

  function render(
    wish: Wish,
    answer: Answer<RememberedContact> | null,
    waitedMs: number,
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    if (answer === null) throw new Failure('not_cached')
    const { entry } = answer
    const use = cacheUseOf(answer, waitedMs, now())
    // To whom some runs are concealed, an absence says nothing of how it came about.
    if (entry.value !== null || wish.caller.flows === null) {
      reply.header('cache-status', formatCacheStatus('hilos-bff', answer, now()))
      reply.header('server-timing', serverTiming(answer, reply))
      onAnswer(request, use)
    }
    if (entry.value === null) throw new Failure('execution_contact_not_found')
    reply.header('age', ageSeconds(entry, now()))
    const { id, view, profile } = wish
    const send = (representation: Representation) => {
      const status = sendRepresentation(representation, request, reply)
      const traceId = traceIdOf(request.headers.traceparent)
      onDisclosure({ ...wish, requestId: request.id, traceId, status, cache: use.word })
      return reply
    }
    const representation = renderings.of(id, entry.value.packed, { view, profile, coding: codingFor(request) })
    return representation instanceof Promise ? representation.then(send) : send(representation)
  }
}

/** What is asked for, and by whom. */
type Wish = Pick<Disclosure, 'id' | 'caller' | 'profile'> & { readonly view: View }

/** @returns its status */
function sendRepresentation(representation: Representation, request: FastifyRequest, reply: FastifyReply): 200 | 304 {
  const { body, coding, etag, terminal } = representation
  reply.header('etag', etag)
  // A running contact is asked about anew each time, which costs a 304; one that is over may be kept for a minute.
  reply.header('cache-control', terminal ? 'private, max-age=60' : 'private, no-cache')
  const status = matchesIfNoneMatch(request.headers['if-none-match'], etag) ? 304 : 200
  reply.code(status)
  if (status === 304 && request.method === 'GET') {
    reply.send()
    return status
  }
  if (coding !== 'identity') reply.header('content-encoding', coding)
  reply.header('content-type', mediaType).header('content-length', body.length)
  // Fastify gives HEAD the length of what is sent; 0 would be wrong even of a 304 (RFC 9110 section 8.6).
  reply.send(body)
  return status
}

function tellWhatItVariesOn(_request: FastifyRequest, reply: FastifyReply, done: () => void) {
  reply.header('vary', variesOn(reply.getHeader('vary')))
  done()
}

function refuseOtherFormats(request: FastifyRequest, _reply: FastifyReply, done: (failure?: Failure) => void) {
  done(acceptsJson(request) ? undefined : new Failure('not_acceptable'))
}

/** https://www.w3.org/TR/server-timing/ */
function serverTiming({ handling }: Answer<unknown>, reply: FastifyReply): string {
  return `cache;desc=${handling.hit ? 'hit' : 'miss'};dur=${reply.elapsedTime.toFixed(1)}`
}
