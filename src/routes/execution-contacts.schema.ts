import { Type } from 'typebox'
import { type Profile, profiles } from '../access/profile.ts'
import { executionContactId, oneOf, refTo } from '../common/schema.ts'
import { exampleContact } from '../presentation/contact/example.ts'
import {
  type ExecutionContact,
  SummarySchema,
  TimelineSchema,
  TranscriptSchema,
} from '../presentation/contact/execution-contact.ts'
import { problemResponses, rateLimitHeaders } from '../presentation/problem-responses.ts'
import { redact } from '../presentation/redaction/redaction.ts'
import { type View, views } from '../presentation/views/view.ts'

const timelineOf = ({ messages: _messages, ...timeline }: ExecutionContact) => timeline
const summaryOf = ({ messages: _messages, steps: _steps, answers: _answers, ...summary }: ExecutionContact) => summary

const examples = {
  summary: { summary: 'view=summary: where the run stands', value: summaryOf(exampleContact) },
  timeline: { summary: 'view=timeline, the default: with steps and answers', value: timelineOf(exampleContact) },
  transcript: { summary: 'view=transcript: with the messages', value: exampleContact },
  agent: {
    summary: 'view=summary&profile=agent: name shortened, number masked',
    value: summaryOf(redact(exampleContact, 'agent')),
  },
  viewer: {
    summary: 'view=timeline&profile=viewer: nothing that says who it is, or what they wrote',
    value: timelineOf(redact(exampleContact, 'viewer')),
  },
}

const freshnessHeaders = {
  ETag: { type: 'string', description: 'Strong: changes when the bytes do. Send it back in `If-None-Match`.' },
  'Cache-Control': {
    type: 'string',
    description: '`private, no-cache` while the run goes on, `private, max-age=60` once it is over.',
  },
  Age: { type: 'integer', minimum: 0, description: 'Seconds since Hilos answered.' },
  'Cache-Status': {
    type: 'string',
    description:
      'What the cache did (RFC 9211), for example `hilos-bff; hit; ttl=3` or `hilos-bff; fwd=uri-miss; ttl=5; stored`. ' +
      'A negative `ttl` is a stale answer; `detail` says why: `revalidating`, `backing-off`, `origin-failed`, `origin-slow` (none after `only-if-cached`).',
  },
  'Server-Timing': {
    type: 'string',
    description: 'What the cache did, and the milliseconds the request had taken by then.',
  },
  'Content-Encoding': { type: 'string', description: '`br` or `gzip`, when asked for and worth it.' },
  Vary: {
    type: 'string',
    description: '`Accept, Accept-Encoding, Authorization`, with `Origin` where other origins may call.',
  },
  ...rateLimitHeaders,
  'X-Request-Id': { type: 'string', description: 'Names this request in the log.' },
}

/** The contract of `GET /execution-contacts/{id}`. */
export const executionContactSchema = {
  operationId: 'getExecutionContact',
  tags: ['Execution contacts'],
  security: [{ callerKey: [] }, { accessToken: [] }],
  summary: 'One contact’s run through a flow',
  description:
    'Each view holds the one before. Every field is always there; what is not known is null. HEAD gives the same headers.',
  params: Type.Object({
    id: executionContactId,
  }),
  // Optional for callers, but never missing in the handler: the default is filled in.
  querystring: Type.Unsafe<{ readonly view: View; readonly profile?: Profile }>(
    Type.Object(
      {
        view: Type.Optional({ ...oneOf(views, 'How much of it.'), default: 'timeline' }),
        profile: Type.Optional(
          oneOf(
            profiles,
            'Show no more than this profile may see. Yours unless given; a wider one is 403 `forbidden`.',
          ),
        ),
      },
      { additionalProperties: false },
    ),
  ),
  headers: Type.Object({
    'if-none-match': Type.Optional(
      Type.String({ description: 'The ETag of an earlier answer: gives 304 while it is the same.' }),
    ),
    'cache-control': Type.Optional(
      Type.String({
        description:
          '`no-cache` or `max-age=N` for an answer that Hilos gave no more than N seconds ago (1 at least) or a failure; ' +
          '`only-if-cached` for one that is fresh or in the first stale window, or 504 `not_cached`.',
      }),
    ),
  }),
  response: {
    200: {
      description: 'The view asked for.',
      headers: freshnessHeaders,
      content: {
        'application/json': {
          schema: { anyOf: [SummarySchema, TimelineSchema, TranscriptSchema].map(refTo) },
          examples,
        },
      },
    },
    304: {
      description: 'Unchanged since the answer with that ETag. No body.',
      headers: freshnessHeaders,
      type: 'null',
    },
    ...problemResponses(
      [
        'invalid_id',
        'invalid_query',
        'malformed_request',
        'unauthenticated',
        'forbidden',
        'execution_contact_not_found',
        'not_acceptable',
        'uri_too_long',
        'caller_rate_limited',
        'headers_too_large',
        'internal_error',
        'upstream_unauthorized',
        'upstream_forbidden',
        'upstream_error',
        'upstream_invalid_response',
        'upstream_redirect',
        'upstream_too_large',
        'upstream_misconfigured',
        'upstream_untrusted',
        'upstream_unavailable',
        'upstream_rate_limited',
        'overloaded',
        'token_issuer_unavailable',
        'upstream_timeout',
        'not_cached',
      ],
      `/execution-contacts/${exampleContact.id}`,
    ),
  },
}
