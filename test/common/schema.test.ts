import t from 'tap'
import { type TSchema, Type } from 'typebox'
import { count, flag, nullable, nullableInstant, nullableText, oneOf, refTo, text } from '../../src/common/schema.ts'
import { ProblemSchema } from '../../src/failures/problem.ts'
import { SummarySchema, TimelineSchema, TranscriptSchema } from '../../src/presentation/contact/execution-contact.ts'
import { sharedSchemas } from '../../src/presentation/views/view.ts'
import { publishedFields } from '../presentation/fields.ts'

t.test('a word of the schemas, when written out, is this JSON Schema', async (t) => {
  const named = Type.Object({ name: text('Its name.') }, { $id: 'Named', description: 'Has a name.' })
  const string = { type: 'string', description: 'Its name.' }
  const table: readonly (readonly [TSchema, Record<string, unknown>])[] = [
    [text('What.'), { type: 'string', description: 'What.' }],
    [flag('Whether.'), { type: 'boolean', description: 'Whether.' }],
    [count('How many.'), { type: 'integer', minimum: 0, description: 'How many.' }],
    [oneOf(['a', 'b'], 'Which.'), { type: 'string', enum: ['a', 'b'], description: 'Which.' }],
    [nullableText('What.'), { type: ['string', 'null'], description: 'What.' }],
    [nullableInstant('When.'), { type: ['string', 'null'], format: 'date-time', description: 'When. UTC.' }],
    [nullable(count('How many.')), { type: ['integer', 'null'], minimum: 0, description: 'How many.' }],
    [
      nullable(oneOf(['a', 'b'], 'Which.')),
      { type: ['string', 'null'], enum: ['a', 'b', null], description: 'Which.' },
    ],
    [
      nullable(Type.Object({ name: text('Its name.') }, { description: 'Has a name.' })),
      { type: ['object', 'null'], required: ['name'], properties: { name: string }, description: 'Has a name.' },
    ],
    [refTo(named), { $ref: 'Named#' }],
  ]
  // Schemas carry hidden marks of TypeBox; what is published is the JSON.
  for (const [schema, expected] of table) t.strictSame(JSON.parse(JSON.stringify(schema)), expected)
})

const published = [SummarySchema, TimelineSchema, TranscriptSchema, ProblemSchema, ...sharedSchemas]

/** An object schema and all object schemas in it. */
function objectsIn(schema: unknown): Record<string, unknown>[] {
  if (typeof schema !== 'object' || schema === null) return []
  const inner = Object.values(schema).flatMap(objectsIn)
  return 'properties' in schema ? [schema as Record<string, unknown>, ...inner] : inner
}

t.test('the published schemas, at every depth, require all their properties and describe each', async (t) => {
  for (const object of published.flatMap(objectsIn)) {
    const properties = object.properties as Record<string, { description?: string; $ref?: string }>
    t.strictSame(object.required, Object.keys(properties), String(object.description))
    for (const [name, property] of Object.entries(properties)) t.type(property.description, 'string', name)
  }
})

t.test('the published schemas, at every depth, have no anyOf, which would be validated at run time', async (t) => {
  for (const schema of published) t.notMatch(JSON.stringify(schema), /"(anyOf|oneOf|allOf)"/)
})

t.test('the schemas with a name, all together, have one of their own each', async (t) => {
  const names = published.map((schema) => Reflect.get(schema, '$id'))
  t.strictSame(names, [
    'ExecutionContactSummary',
    'ExecutionContactTimeline',
    'ExecutionContactTranscript',
    'Problem',
    'Step',
    'Answer',
    'Message',
  ])
})

t.test('a published field, unless it is a text or null, has one of these types', async (t) => {
  const paths = (names: string) => names.split(' ')
  const byType = Map.groupBy(publishedFields, ([, { type }]) => String(type))
  byType.delete('string,null')
  const seen = [...byType].map(([type, fields]) => [type, fields.map(([path]) => path.join('.'))])
  t.strictSame(Object.fromEntries(seen), {
    string: [
      ...paths('id status steps.0.status steps.0.question.answerType steps.0.question.options.0 steps.0.messageIds.0'),
      ...paths('answers.0.answerType messages.0.direction messages.0.author messages.0.type'),
      ...paths('messages.0.delivery.status messages.0.delivery.error.code messages.0.delivery.error.category'),
      ...paths('messages.0.media.type'),
    ],
    'string,number,boolean,null': ['answers.0.value'],
    boolean: [
      ...paths('terminal isTest contact.isDeleted contact.masked'),
      ...paths('steps.0.reasonWithheld steps.0.hasError messages.0.isDeleted'),
    ],
    'boolean,null': paths('flow.version.isCurrent flow.channel.isSandbox'),
    integer: [
      ...paths('progress.steps progress.completed progress.failed'),
      ...paths('steps.0.failedAttempts messages.0.delivery.attempts'),
    ],
    'integer,null': paths('steps.0.maxAttempts messages.0.sharedContacts'),
    'number,null': paths('messages.0.location.latitude messages.0.location.longitude'),
    array: paths('steps steps.0.question.options steps.0.messageIds answers messages'),
    object: [
      ...paths('flow flow.version flow.channel contact contact.meta progress'),
      ...paths('steps.0 answers.0 messages.0 messages.0.delivery'),
    ],
    'object,null': [
      ...paths('steps.0.question messages.0.delivery.error'),
      ...paths('messages.0.media messages.0.location messages.0.template'),
    ],
  })
})

t.test('a published field, when its name tells of a time, is an instant, and no other is', async (t) => {
  for (const [path, { format }] of publishedFields)
    t.equal(format === 'date-time', /(^at|At|Until)$/.test(String(path.at(-1))), path.join('.'))
})

t.test('the published meta, of a contact, takes simple values only', async (t) => {
  const meta = publishedFields.find(([path]) => path.join('.') === 'contact.meta')
  t.strictSame(meta?.[1].additionalProperties, { type: ['string', 'number', 'boolean', 'null'] })
})

t.test('the fields with a closed set of words, by the published schema, have these', async (t) => {
  const stepWords = ['WAITING_TO_START', 'NOT_EXECUTED', 'RUNNING', 'COMPLETED', 'CANCELED', 'FAILED', 'EXPIRED']
  const mediaWords = ['audio', 'voice', 'document', 'image', 'sticker', 'video']
  const messageWords = [
    ...['audio', 'voice', 'button', 'document', 'text', 'image', 'interactive', 'order', 'sticker', 'system'],
    ...['unknown', 'video', 'unsupported', 'location', 'contacts', 'template', 'reaction', 'ephemeral'],
    'request_welcome',
  ]
  const closed = publishedFields.flatMap(([path, { enum: words }]) => (words ? [[path.join('.'), words]] : []))
  t.strictSame(Object.fromEntries(closed), {
    status: ['READY', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED', 'UNKNOWN'],
    'progress.waitingFor': ['ANSWER', 'DELAY', null],
    'steps.0.status': [...stepWords, 'UNKNOWN'],
    'messages.0.direction': ['in', 'out', 'unknown'],
    'messages.0.author': ['contact', 'agent', 'flow', 'api', 'broadcast', 'auto_response', 'unknown'],
    'messages.0.type': messageWords,
    'messages.0.delivery.status': ['queued', 'sent', 'delivered', 'read', 'failed', 'received', 'deleted', 'unknown'],
    'messages.0.delivery.error.category': [
      'window_closed',
      'undeliverable',
      'template',
      'media',
      'rate_limited',
      'other',
    ],
    'messages.0.media.type': mediaWords,
  })
})
