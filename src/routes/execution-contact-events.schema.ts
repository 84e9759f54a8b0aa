import { Type } from '../common/type.ts'
import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureCodes } from '../failures/failure-kinds.ts'
import { presentProblem, problemResponses, rateLimitHeaders, requestIdHeader } from '../failures/problem.ts'
import { exampleContact } from '../presentation/contact/example.ts'
import { tagOf } from '../presentation/views/view.ts'
import { eventText, retryText } from './event-stream.ts'
import { codesOfOthers, exampleRepresentation, executionContactSchema } from './execution-contacts.schema.ts'

const path = `/execution-contacts/${exampleContact.id}/events`
/** A stream has no precondition, and reads no `Cache-Control`. */
const codes = failureCodes.filter(
  (code) => code === 'too_many_streams' || ![...codesOfOthers, 'precondition_failed', 'not_cached'].includes(code),
)

const summary = exampleRepresentation('summary', 'agent')
const state = eventText('state', summary.body.toString(), tagOf(summary))
const problem = (code: FailureCode) =>
  JSON.stringify(presentProblem(new Failure(code), path, '0b9e5f0e-6a54-4f0b-9a3a-1f6f0c8f6f55'))

const examples = {
  running: {
    summary: 'A run that goes on: its state, and after some seconds the answer that nothing has changed',
    value: retryText(3000) + state + eventText('checked', '{"age":0,"stale":null}'),
  },
  trouble: {
    summary: 'Hilos does not answer for a while',
    value:
      eventText('problem', problem('upstream_timeout')) + eventText('checked', '{"age":20,"stale":"origin-failed"}'),
  },
  settled: {
    summary: 'The run ended 15 minutes ago, and nothing is expected of it any more',
    value: retryText(2500) + eventText('end', '{"reason":"settled"}'),
  },
  erased: {
    summary: 'The run was erased',
    value: retryText(2500) + eventText('end', problem('execution_contact_not_found')),
  },
}

/** The contract of `GET /execution-contacts/{id}/events`. */
export const contactEventsSchema = {
  operationId: 'watchExecutionContact',
  tags: ['Execution contacts'],
  security: [{ credential: [] }],
  summary: 'Watch one contact’s run through a flow',
  description:
    'A stream of events (`text/event-stream`, as `EventSource` reads it). The data of each event is JSON on one line:\n\n' +
    '- `state`: the whole body that `GET /execution-contacts/{id}` sends, whenever it changes for this caller. The `id` of the ' +
    'event is its ETag without the quotes. The first event, unless `Last-Event-ID` is current.\n' +
    '- `checked`: nothing has changed. `age` is the number of seconds since Hilos answered, `stale` the `detail` of ' +
    '`Cache-Status` or null. Sent when Hilos has confirmed it, and at least every 15 seconds.\n' +
    '- `problem`: Hilos cannot be asked, once until it can be again. The stream goes on with what is known.\n' +
    '- `end`: the last event. `{"reason":"settled"}` 15 minutes after the end of the run, or a problem: ' +
    '`execution_contact_not_found`, `unauthenticated` or `forbidden`.\n\n' +
    'A stream that ends without `end` is to be opened anew, after the milliseconds in `retry`. A hidden page should close its stream.',
  params: executionContactSchema.params,
  querystring: executionContactSchema.querystring,
  headers: Type.Object({
    'last-event-id': Type.Optional(
      Type.String({ description: 'The `id` of the last `state`. Browsers send it by themselves.' }),
    ),
  }),
  response: {
    200: {
      description: 'The stream. It is never compressed and never cached.',
      headers: {
        'Cache-Control': { type: 'string', description: '`no-store, no-transform`.' },
        'X-Accel-Buffering': { type: 'string', description: '`no`: nginx passes each event on at once.' },
        ...rateLimitHeaders,
        ...requestIdHeader,
      },
      content: { 'text/event-stream': { schema: { type: 'string' }, examples } },
    },
    204: {
      description: 'The run is settled, and `Last-Event-ID` names its last state: a browser does not come back.',
      headers: { ...rateLimitHeaders, ...requestIdHeader },
      type: 'null',
    },
    ...problemResponses(codes, path),
  },
}
