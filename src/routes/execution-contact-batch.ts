import type { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { failsIfMatch } from '../cache/cache-status.ts'
import { isExecutionContactId } from '../common/schema.ts'
import { type ContactItem, combinedReport, isAnswer, type ReadContacts } from '../contacts/read-contacts.ts'
import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'
import type { RecordDisclosure } from '../plugins/request-log.ts'
import { type ContentCoding, compress } from '../presentation/views/content-coding.ts'
import { codedEtag } from '../presentation/views/view.ts'
import { batchEtag, bodyParts, joined, largestJoinedBytes, lengthOf } from './batch-body.ts'
import { describeContent, prepare, reportCache } from './contact-reply.ts'
import { contactQueryOf, type Guards, requireJson, setVary } from './contact-request.ts'
import { contactBatchSchema } from './execution-contact-batch.schema.ts'

export interface ContactBatchOptions {
  readonly guards: Guards
  readonly readContacts: ReadContacts
  readonly recordDisclosure: RecordDisclosure
  /** The most ids of one request. */
  readonly maxIds: number
  /** Called for each item with a problem. */
  readonly onItemFailed: (code: FailureCode) => void
}

/** `GET /execution-contacts?ids=`: several contacts, each with its data or its problem. */
export function contactBatchRoute(app: FastifyInstance, options: ContactBatchOptions): void {
  const { guards, readContacts, recordDisclosure, maxIds, onItemFailed } = options
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
      const items = await readContacts({ ...query, ids }, () => reply.raw.destroyed)
      reportFailures(items, request)
      const cache = combinedReport(items)
      if (cache !== null) reportCache(cache, request, reply)
      const content = await contentOf(items, query.coding, request, reply)
      const { view, profile, caller } = query
      for (const item of items)
        if ('pseudonym' in item)
          recordDisclosure(request, reply, { kind: caller.kind, profile, view, contact: item.pseudonym })
      return reply.send(content)
    },
  )

  /** Each item counts as the request for it would, and is a line of the log if it says that something is wrong. */
  function reportFailures(items: readonly ContactItem[], request: FastifyRequest): void {
    for (const item of items) {
      if (!('failure' in item)) continue
      const { code } = item.failure
      onItemFailed(code)
      if (code === 'internal_error') request.log.error({ err: item.failure }, 'item of a batch failed')
      else if (failureKinds[code].status > 500 && code !== 'not_cached')
        request.log.warn({ err: item.failure }, 'item of a batch failed')
    }
  }
}

/**
 * Sets the status and the headers, and returns the content of the response, or nothing for a 304. One with a failure is never the
 * same as another response, so it has no entity tag.
 */
async function contentOf(
  items: readonly ContactItem[],
  accepted: ContentCoding,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Buffer | Readable | undefined> {
  const parts = bodyParts(items)
  const bytes = lengthOf(parts)
  const coding = bytes >= worthCompressingOnceBytes && bytes <= largestJoinedBytes ? accepted : 'identity'
  const age = Math.max(0, ...items.map(({ cache }) => cache?.age ?? 0))
  const retryAfter = soonest(items)
  if (items.every(isAnswer)) {
    const etag = codedEtag(batchEtag(items), coding)
    const hasContent = prepare({ etag, terminal: false }, age, retryAfter, request, reply)
    if (!hasContent) return undefined
  } else {
    if (failsIfMatch(request.headers['if-match'], '')) throw new Failure('precondition_failed')
    reply.header('cache-control', 'no-store').header('age', age)
    if (retryAfter !== null) reply.header('retry-after', retryAfter)
  }
  const content = coding === 'identity' ? joined(parts) : await compress(Buffer.concat(parts), coding, 1)
  describeContent(coding, content instanceof Buffer ? content.length : bytes, reply)
  return content
}

/** A body is compressed for one response, so less is worth it than for a view that is cached. */
const worthCompressingOnceBytes = 4096

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

/** In how many seconds there can be anything newer; null when all runs have ended. */
function soonest(items: readonly ContactItem[]): number | null {
  const waits = items.flatMap((item) =>
    ('representation' in item && item.representation.terminal) || item.retryAfter === null ? [] : item.retryAfter,
  )
  return waits.length > 0 ? Math.min(...waits) : null
}
