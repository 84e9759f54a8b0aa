import t from 'tap'
import { type TSchema, Type } from 'typebox'
import { count, flag, nullable, nullableInstant, nullableText, oneOf, refTo, text } from '../../src/common/schema.ts'
import { ProblemCodeSchema, ProblemSchema } from '../../src/failures/problem.ts'
import {
  SummarySchema,
  sharedSchemas,
  TimelineSchema,
  TranscriptSchema,
} from '../../src/presentation/contact/execution-contact.ts'
import { resolve } from '../harness/resolved-schema.ts'
import { checkRows, difference } from '../harness/table.ts'
import { publishedFields } from '../presentation/fields.ts'

t.test('each kind of field has its JSON Schema', async (t) => {
  const named = Type.Object({ name: text('Its name.') }, { description: 'Has a name.' })
  const string = { type: 'string', description: 'Its name.' }
  const rows: readonly (readonly [TSchema, Record<string, unknown>])[] = [
    [text('What.'), { type: 'string', description: 'What.' }],
    [flag('Whether.'), { type: 'boolean', description: 'Whether.' }],
    [count('How many.'), { type: 'integer', minimum: 0, description: 'How many.' }],
    [oneOf(['a', 'b'], 'Which.'), { type: 'string', enum: ['a', 'b'], description: 'Which.' }],
    [nullableText('What.'), { type: ['string', 'null'], description: 'What.' }],
    [
      nullableInstant('When.'),
      { type: ['string', 'null'], format: 'date-time', description: 'When. The time is in UTC.' },
    ],
    [nullable(count('How many.')), { type: ['integer', 'null'], minimum: 0, description: 'How many.' }],
    [nullable(oneOf(['a'], 'Which.')), { type: ['string', 'null'], enum: ['a', null], description: 'Which.' }],
    [
      nullable(named),
      { type: ['object', 'null'], required: ['name'], properties: { name: string }, description: 'Has a name.' },
    ],
    [refTo(Type.Object({}, { $id: 'Named' })), { $ref: 'Named#' }],
  ]
  // A schema carries hidden properties of TypeBox. Its JSON is what is published.
  const check = ([schema, expected]: (typeof rows)[number]) => difference(JSON.parse(JSON.stringify(schema)), expected)
  checkRows(t, rows, check, 'all schemas are right')
})

const published = [SummarySchema, TimelineSchema, TranscriptSchema, ProblemCodeSchema, ProblemSchema, ...sharedSchemas]

/** An object schema and all object schemas in it. */
function objectsIn(schema: unknown): Record<string, unknown>[] {
  if (typeof schema !== 'object' || schema === null) return []
  const inner = Object.values(schema).flatMap(objectsIn)
  return 'properties' in schema ? [schema as Record<string, unknown>, ...inner] : inner
}

t.test('the published schemas require all their properties and describe each, at every depth', async (t) => {
  const check = ({ required, properties }: Record<string, unknown>) => {
    const entries = Object.entries(properties as Record<string, { description?: string }>)
    const described = entries
      .filter(([, field]) => typeof resolve(field).description === 'string')
      .map(([name]) => name)
    return difference([required, described], [Object.keys(properties as object), Object.keys(properties as object)])
  }
  checkRows(t, published.flatMap(objectsIn), check, 'all objects are complete')
})

t.test('the published schemas have no anyOf, which would be validated at run time', async (t) => {
  t.notMatch(JSON.stringify(published), /"(anyOf|oneOf|allOf)"/)
})

t.test('each published schema has a name of its own', async (t) => {
  const names = published.map((schema) => Reflect.get(schema, '$id'))
  const views = ['ExecutionContactSummary', 'ExecutionContactTimeline', 'ExecutionContactTranscript']
  const states = ['ExecutionContactStatus', 'StepStatus', 'Flow', 'Contact', 'Progress']
  t.strictSame(names, [...views, 'ProblemCode', 'Problem', ...states, 'Step', 'Answer', 'Delivery', 'Message'])
})

/** Splits each text into its words. */
const wordsIn = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      text.split(/\s+/).map((word) => (word === 'null' ? null : word)),
    ]),
  )

t.test('the published fields have these types, if not text or null', async (t) => {
  const byType = Map.groupBy(publishedFields, ([, { type }]) => String(type))
  byType.delete('string,null')
  const found = [...byType].map(([type, fields]) => [type, fields.map(([path]) => path.join('.'))] as const)
  const wanted = wordsIn({
    string: `id view status steps.0.status steps.0.question.answerType steps.0.question.options.0 steps.0.messageIds.0
      answers.0.answerType messages.0.direction messages.0.author messages.0.type messages.0.delivery.status
      messages.0.delivery.error.code messages.0.delivery.error.category messages.0.media.type`,
    'string,number,boolean,null': 'answers.0.value',
    boolean: `terminal reasonWithheld isTest contact.isDeleted contact.masked steps.0.reasonWithheld steps.0.hasError
      messages.0.isDeleted`,
    'boolean,null': 'flow.version.isCurrent flow.channel.isSandbox',
    integer: `progress.steps progress.notBegun progress.completed progress.failed steps.0.failedAttempts
      messages.0.delivery.attempts`,
    'integer,null': 'steps.0.durationMs steps.0.maxAttempts messages.0.sharedContacts',
    'number,null': 'messages.0.location.latitude messages.0.location.longitude',
    array: 'steps steps.0.question.options steps.0.messageIds answers messages',
    object: `flow flow.version flow.channel contact contact.meta progress steps.0 answers.0 messages.0
      messages.0.delivery`,
    'object,null': `progress.currentStep steps.0.question messages.0.delivery.error messages.0.media messages.0.location
      messages.0.template`,
  })
  t.strictSame(Object.fromEntries(found), wanted)
})

t.test('the published fields that are instants are those with a name of a time', async (t) => {
  const check = ([path, { format }]: (typeof publishedFields)[number]) =>
    difference(format === 'date-time', /(^at|At|Until)$/.test(String(path.at(-1))))
  checkRows(t, publishedFields, check, 'all times are instants')
})

t.test('the published meta of a contact takes simple values only', async (t) => {
  const meta = publishedFields.find(([path]) => path.join('.') === 'contact.meta')
  t.strictSame(meta?.[1].additionalProperties, { type: ['string', 'number', 'boolean', 'null'] })
})

t.test('the published fields with a closed set of words have these', async (t) => {
  const found = publishedFields.flatMap(([path, { enum: closed }]) => (closed ? [[path.join('.'), closed]] : []))
  const wanted = wordsIn({
    status: 'READY RUNNING PAUSED COMPLETED CANCELED EXPIRED FAILED UNKNOWN',
    'progress.waitingFor': 'ANSWER DELAY null',
    'steps.0.status': 'WAITING_TO_START NOT_EXECUTED RUNNING COMPLETED CANCELED FAILED EXPIRED UNKNOWN',
    'messages.0.direction': 'in out unknown',
    'messages.0.author': 'contact agent flow api broadcast auto_response unknown',
    'messages.0.type': `audio voice button document text image interactive order sticker system unknown video
      unsupported location contacts template reaction ephemeral request_welcome`,
    'messages.0.delivery.status': 'queued sent delivered read failed received deleted unknown',
    'messages.0.delivery.error.category': 'window_closed undeliverable template media rate_limited other',
    'messages.0.media.type': 'audio voice document image sticker video',
  })
  t.strictSame(Object.fromEntries(found), wanted)
})
