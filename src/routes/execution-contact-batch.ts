import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { failsIfMatch } from '../cache/cache-status.ts'
import { isExecutionContactId } from '../common/schema.ts'
import { type ContactItem, combinedReport, type ReadContacts } from '../contacts/read-contacts.ts'
import { Failure } from '../failures/failure.ts'
import { mediaType } from '../plugins/negotiation.ts'
import type { RecordDisclosure } from '../plugins/request-log.ts'
import { compress } from '../presentation/views/content-coding.ts'
import { etagOf, type Representation, recode, type Variant } from '../presentation/views/view.ts'
import { itemsAsJson } from './batch-body.ts'
import { prepare, reportCache } from './contact-reply.ts'
import { contactQueryOf, type Guards, requireJson, setVary } from './contact-request.ts'
import { contactBatchSchema } from './execution-contact-batch.schema.ts'

export interface ContactBatchOptions {
  readonly guards: Guards
  readonly readContacts: ReadContacts
  readonly recordDisclosure: RecordDisclosure
  /** The most ids of one request. */
  readonly maxIds: number
}

/** `GET /execution-contacts?ids=`: several contacts, each with its data or its problem. */
export function contactBatchRoute(app: FastifyInstance, options: ContactBatchOptions): void {
  const { guards, readContacts, recordDisclosure, maxIds } = options
  const requestsOf = ({ query }: FastifyRequest) => {
    const { length } = idsIn((query as { readonly ids?: unknown }).ids)
    // One with too many is refused for that.
    return length > maxIds ? 1 : length
  }
  app.withTypeProvider<TypeBoxTypeProvider>().get(
    '/execution-contacts',
    {
      schema: contactBatchSchema,
      onRequest: [setVary, ...guards, requireJson],
      config: { isGuarded: true, requestsOf },
    },
    async (request, reply) => {
      const ids = checked(idsIn(request.query.ids), maxIds)
      const query = contactQueryOf(request, '', request.query)
      const items = await readContacts({ ...query, ids })
      logFaults(items, request)
      const cache = combinedReport(items)
      if (cache !== null) reportCache(cache, request, reply)
      const body = itemsAsJson(items)
      const content = items.every(isAnswer)
        ? prepare(await representationOf(body, query), cache?.age ?? 0, soonest(items), request, reply)
        : prepareFailures(body, request, reply)
      for (const item of items)
        if ('pseudonym' in item) {
          const { view, profile, caller } = query
          recordDisclosure(request, reply, { kind: caller.kind, profile, view, contact: item.pseudonym })
        }
      return reply.send(content)
    },
  )
}

/** The ids in the query, which may be anything. */
function idsIn(query: unknown): readonly string[] {
  return typeof query === 'string' ? query.split(',') : ['']
}

/** @throws Failure `too_many_ids`, or `invalid_id` for the first id that is not valid */
function checked(ids: readonly string[], maxIds: number): string[] {
  if (ids.length > maxIds)
    throw new Failure('too_many_ids', { detail: `The request has ${ids.length} ids, and ${maxIds} are allowed.` })
  const invalidAt = ids.findIndex((id) => !isExecutionContactId(id))
  if (invalidAt >= 0)
    throw new Failure('invalid_id', {
      detail: `The id at position ${invalidAt + 1} of ids is not a UUID in the form of RFC 9562.`,
    })
  return ids.map((id) => id.toLowerCase())
}

function logFaults(items: readonly ContactItem[], request: FastifyRequest): void {
  for (const item of items)
    if ('failure' in item && item.failure.code === 'internal_error')
      request.log.error({ err: item.failure }, 'an item of a batch failed')
}

/** Whether it says what there is, and not that it could not be found out. */
function isAnswer(item: ContactItem): boolean {
  return !('failure' in item) || item.failure.code === 'execution_contact_not_found'
}

/** A body is compressed for one response, so less is worth it than for a view that is cached. */
const worthCompressingBytes = 4096

async function representationOf(body: Buffer, { view, profile, coding }: Variant): Promise<Representation> {
  const plain = { body, view, profile, coding: 'identity', etag: etagOf(body), terminal: false } as const
  if (coding === 'identity' || body.length < worthCompressingBytes) return plain
  return recode(plain, coding, await compress(body, coding, 1))
}

/** Such a response is never the same as another one, so it has no entity tag. */
function prepareFailures(body: Buffer, { headers }: FastifyRequest, reply: FastifyReply): Buffer {
  if (failsIfMatch(headers['if-match'], '')) throw new Failure('precondition_failed')
  reply.header('cache-control', 'no-store').header('content-type', mediaType).header('content-length', body.length)
  return body
}

/** In how many seconds there can be anything newer; null when all runs have ended. */
function soonest(items: readonly ContactItem[]): number | null {
  const waits = items.flatMap((item) =>
    ('representation' in item && item.representation.terminal) || item.retryAfter === null ? [] : item.retryAfter,
  )
  return waits.length > 0 ? Math.min(...waits) : null
}
