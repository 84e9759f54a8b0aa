import { type Profile, profiles } from '../access/profile.ts'
import { executionContactId, oneOf, refTo } from '../common/schema.ts'
import { Secret } from '../common/secret.ts'
import { Type } from '../common/type.ts'
import { type FailureCode, failureCodes } from '../failures/failure-kinds.ts'
import { problemResponses, rateLimitHeaders, requestIdHeader } from '../failures/problem.ts'
import { exampleContact } from '../presentation/contact/example.ts'
import { SummarySchema, TimelineSchema, TranscriptSchema } from '../presentation/contact/execution-contact.ts'
import { createIdPseudonym } from '../presentation/contact/pseudonyms.ts'
import { createRender, serializeContact, type View, views } from '../presentation/views/view.ts'

/** The examples are answers of the sandbox, which has this key. */
const render = createRender(createIdPseudonym(new Secret('sandbox contact ref key').derived('ids')))
const exampleContent = {
  serialized: serializeContact(exampleContact),
  identity: {
    numbers: ['+525512344433'],
    addresses: ['maria.gonzalez@correo-ejemplo.mx'],
    lastNames: [],
    isComplete: true,
  },
}
export const exampleRepresentation = (view: View, profile: Profile) => render(exampleContent, view, profile)
const exampleOf = (view: View, profile: Profile): unknown =>
  JSON.parse(exampleRepresentation(view, profile).body.toString())

const examples = {
  summary: { summary: 'view=summary: the state of the run', value: exampleOf('summary', 'full') },
  timeline: {
    summary: 'view=timeline, the default: also the steps and the answers',
    value: exampleOf('timeline', 'full'),
  },
  transcript: { summary: 'view=transcript: also the messages', value: exampleOf('transcript', 'full') },
  agent: {
    summary: 'view=summary&profile=agent: the name is shortened, the number is masked',
    value: exampleOf('summary', 'agent'),
  },
  viewer: {
    summary: 'view=timeline&profile=viewer: without the identity of the contact and its texts',
    value: exampleOf('timeline', 'viewer'),
  },
}

export const freshnessHeaders = {
  ETag: { type: 'string', description: 'A strong entity tag: it changes when the bytes change.' },
  'Cache-Control': {
    type: 'string',
    description:
      '`private, no-cache` while the run goes on. Once it has ended, `private, max-age=N`, where N is `Age` + 60: the ' +
      'response can be used for a minute.',
  },
  Age: {
    type: 'integer',
    minimum: 0,
    description: 'Seconds since Hilos gave this answer, by its own account and the time it took.',
  },
  'Cache-Status': {
    type: 'string',
    description:
      'What the cache did (RFC 9211), for example `hilos-bff; hit; ttl=3` or `hilos-bff; fwd=uri-miss; ttl=5; stored`. ' +
      'A negative `ttl` means a stale answer. `detail` then says why it was served: `revalidating`, `rationed`, ' +
      '`backing-off`, `origin-failed` or `origin-slow`. A stale answer to `only-if-cached` has no `detail`. With a positive `ttl`, ' +
      '`detail=reload-denied` means that a wish for a reload was not granted.',
  },
  'Retry-After': {
    type: 'integer',
    minimum: 1,
    maximum: 60,
    description:
      'Seconds after which another request can bring something newer: the rest of the freshness; a second while a refresh is ' +
      'under way. It is missing once the run has ended.',
  },
  'Preference-Applied': {
    type: 'string',
    description: '`wait=N`, if the answer was held or could have been. Missing if `Prefer` was ignored.',
  },
  'Server-Timing': {
    type: 'string',
    description: 'What the cache did, and how many milliseconds the request had taken so far.',
  },
  'Content-Encoding': {
    type: 'string',
    description: '`br` or `gzip`, if the caller accepts it and it makes the body smaller.',
  },
  Vary: {
    type: 'string',
    description:
      '`Accept, Accept-Encoding, Authorization`, `Prefer` if it was applied, and `Origin` if other origins may call.',
  },
  ...rateLimitHeaders,
  ...requestIdHeader,
}

/** The parameters of every request for contacts. `view` is optional for callers; the default is filled in. */
export const viewParameters = (defaultView: View) => ({
  view: Type.Optional({ ...oneOf(views, 'The parts of the run to return.'), default: defaultView }),
  profile: Type.Optional(
    oneOf(
      profiles,
      'Return only the data that this profile may see. The default is your own profile; a wider one is 403 `forbidden`.',
    ),
  ),
})

/**
 * A known path with a known method has neither of the first two; a request that does not arrive reaches no route; the others are
 * for operators, for streams and for several contacts.
 */
export const codesOfOthers: readonly FailureCode[] = [
  'route_not_found',
  'method_not_allowed',
  'request_timeout',
  'foreign_request',
  'shared_tier_unavailable',
  'too_many_streams',
  'too_many_ids',
]
const codes = failureCodes.filter((code) => !codesOfOthers.includes(code))

/** The contract of `GET /execution-contacts/{id}`. */
export const executionContactSchema = {
  operationId: 'getExecutionContact',
  tags: ['Execution contacts'],
  security: [{ credential: [] }],
  summary: 'Get one contact’s run through a flow',
  description:
    'Each view contains the one before it. Every field is always there; an unknown value is null. HEAD gives the same ' +
    'headers.\n\n' +
    'To follow a run, open its stream (`/events`), hold a conditional request with `Prefer: wait`, or poll with a plain ' +
    '`fetch(url)`, each time after the seconds in `Retry-After`. The browser revalidates by itself, and an unchanged run costs ' +
    'a 304. ' +
    'With `If-None-Match` set by hand it costs Hilos no more, although `fetch` then adds `Cache-Control`.',
  params: Type.Object({
    id: executionContactId,
  }),
  querystring: Type.Unsafe<{ readonly view: View; readonly profile?: Profile }>(
    Type.Object(viewParameters('timeline'), { additionalProperties: false }),
  ),
  headers: Type.Object({
    'if-none-match': Type.Optional(
      Type.String({
        description:
          'The ETag of an earlier answer; the answer is 304 if it is unchanged. Only for clients without an HTTP cache: ' +
          'browsers send it by themselves.',
      }),
    ),
    prefer: Type.Optional(
      Type.String({
        description:
          '`wait=N` (RFC 7240), with `If-None-Match`: the answer is held until its ETag has changed, for N seconds at most, 30 ' +
          'if it is more. It is ignored with `Cache-Control: max-age` or `only-if-cached`, and when too many requests are held.',
      }),
    ),
    'if-match': Type.Optional(
      Type.String({
        description:
          'ETags of earlier answers, or `*`. If none of them is the ETag of the answer, compared strongly, the answer is 412 ' +
          '`precondition_failed`.',
      }),
    ),
    'cache-control': Type.Optional(
      Type.String({
        description:
          '`no-cache`, `no-store` or `max-age=N`: a wish for an answer that Hilos gave at most N seconds ago (`no-cache`, ' +
          '`no-store`: 0), and not for a stale one. For a fresh contact it is granted once in 10 seconds for all callers ' +
          'together, and 6 times a minute per caller; otherwise the answer is the usual one, with `detail=reload-denied` in ' +
          '`Cache-Status`. In a conditional request, `no-cache`, `no-store` and `max-age=0` are ignored. ' +
          '`only-if-cached`: return a cached answer that is fresh or in the first stale window, or 504 `not_cached`.',
      }),
    ),
  }),
  response: {
    200: {
      description: 'The requested view.',
      headers: freshnessHeaders,
      content: {
        'application/json': {
          schema: { anyOf: [SummarySchema, TimelineSchema, TranscriptSchema].map(refTo) },
          examples,
        },
      },
    },
    304: {
      description: 'The run is unchanged since the answer with that ETag. There is no body.',
      headers: freshnessHeaders,
      type: 'null',
    },
    ...problemResponses(codes, `/execution-contacts/${exampleContact.id}`),
  },
}
