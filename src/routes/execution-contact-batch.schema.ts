import type { Profile } from '../access/profile.ts'
import { executionContactId, refTo } from '../common/schema.ts'
import { Type } from '../common/type.ts'
import { Failure } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import { ItemProblemSchema, problemResponses } from '../failures/problem.ts'
import { exampleContact } from '../presentation/contact/example.ts'
import { SummarySchema, TimelineSchema, TranscriptSchema } from '../presentation/contact/execution-contact.ts'
import type { View } from '../presentation/views/view.ts'
import { bodyParts } from './batch-body.ts'
import {
  exampleRepresentation,
  executionContactSchema,
  freshnessHeaders,
  viewParameters,
} from './execution-contacts.schema.ts'

/** What Hilos does is never a failure of the whole request. */
const codes: readonly FailureCode[] = [
  'invalid_id',
  'invalid_query',
  'too_many_ids',
  'malformed_request',
  'unauthenticated',
  'forbidden',
  'not_acceptable',
  'precondition_failed',
  'uri_too_long',
  'caller_rate_limited',
  'headers_too_large',
  'internal_error',
  'overloaded',
  'token_issuer_unavailable',
]

const ItemSchema = Type.Unsafe<never>({
  anyOf: [
    Type.Object({
      id: executionContactId,
      status: Type.Integer({ const: 200 }),
      etag: Type.String({
        description: 'The ETag of this view of this contact in a response for it alone without a content coding.',
      }),
      data: Type.Unsafe<never>({ anyOf: [SummarySchema, TimelineSchema, TranscriptSchema].map(refTo) }),
    }),
    Type.Object({
      id: executionContactId,
      status: Type.Integer({ minimum: 400, description: 'The status that a request for it alone would have.' }),
      problem: refTo(ItemProblemSchema),
    }),
  ],
})

const example = bodyParts([
  { id: exampleContact.id, representation: exampleRepresentation('summary', 'agent') },
  { id: '00000000-0000-4000-8000-00000000dead', failure: new Failure('execution_contact_not_found') },
  { id: '00000000-0000-4000-8000-0000000051ee', failure: new Failure('upstream_timeout') },
  { id: '00000000-0000-4000-8000-000000000003', failure: new Failure('overloaded') },
])

const { 'Preference-Applied': _preference, ...headersOfOne } = freshnessHeaders
const headers = {
  ...headersOfOne,
  ETag: {
    type: 'string',
    description: 'A strong entity tag. It is missing when an item has a status other than 200 and 404.',
  },
  'Cache-Control': { type: 'string', description: '`private, no-cache`; `no-store` without an ETag.' },
  Age: { ...headersOfOne.Age, description: 'That of the oldest item, in seconds.' },
  'Cache-Status': {
    type: 'string',
    description:
      'What the cache did at worst (RFC 9211): `hit` only if it was one for each item, and any `detail`. It has no `ttl`, and is ' +
      'missing without an ETag.',
  },
  'Retry-After': {
    ...headersOfOne['Retry-After'],
    description:
      'Seconds after which another request can bring something newer about any of them. Missing once all runs have ended.',
  },
}
const { prefer: _prefer, ...requestHeaders } = executionContactSchema.headers.properties

/** The contract of `GET /execution-contacts?ids=`. */
export const contactBatchSchema = {
  operationId: 'getExecutionContacts',
  tags: ['Execution contacts'],
  security: [{ credential: [] }],
  summary: 'Get the runs of several contacts',
  description:
    'Up to 25 contacts in one request, each as `GET /execution-contacts/{id}` would answer it, in the order of the ids: either ' +
    '`data` or a `problem`. The response takes no longer than that for one contact may. It has an ETag when each item has the ' +
    'status 200 or 404. It counts as as many requests as it has ids.',
  querystring: Type.Unsafe<{ readonly ids: string; readonly view: View; readonly profile?: Profile }>(
    Type.Object(
      {
        ids: Type.String({
          minLength: 1,
          description:
            'From 1 to 25 ids, separated by commas. No more than the requests that a caller may send in a second.',
          examples: [`${exampleContact.id},00000000-0000-4000-8000-00000000dead`],
        }),
        ...viewParameters('summary'),
      },
      { additionalProperties: false },
    ),
  ),
  headers: Type.Object(requestHeaders),
  response: {
    200: {
      description:
        'An item for each id. `Age` is that of the oldest, and `Cache-Status` says what the cache did at worst.',
      headers,
      content: {
        'application/json': {
          schema: Type.Object({ items: Type.Array(ItemSchema) }),
          examples: {
            items: {
              summary: 'Data, no such contact, a failure of Hilos, and no call to Hilos left',
              value: JSON.parse(Buffer.concat(example).toString()),
            },
          },
        },
      },
    },
    304: {
      description: 'Nothing has changed since the answer with that ETag. There is no body.',
      headers,
      type: 'null',
    },
    ...problemResponses(codes, '/execution-contacts'),
  },
}
