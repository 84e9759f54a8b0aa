import t from 'tap'
import { createDocuments, documentIds } from '../../../sandbox/documents.ts'
import {
  contact,
  executionContact,
  flow,
  flowVersion,
  outbound,
  type Part,
  stepDefinition,
  stepExecution,
  template,
  user,
  uuid,
} from '../../../sandbox/parts.ts'
import type { HilosDocument } from '../../../src/upstream/document/hilos-document.ts'
import { readDocument } from '../../../src/upstream/document/read-document.ts'
import { failureOf } from '../raw-hilos.ts'

const id = documentIds.deliveryConfirmation
const ms = (instant: string) => Date.parse(instant)

function read(json: unknown, requestedId: string = id) {
  const drift: string[] = []
  const document = readDocument(json, requestedId, (kind, path) => drift.push(`${kind} ${path}`))
  return { document, drift }
}

const attempt = async (json: unknown) => read(json)

/** The given contract with something in every field that is read. What the parts hold besides is there to be left out. */
const given = executionContact(id, {
  status_reason: 'Waiting for an answer',
  status_triggered_by: user('Diego', 'Ramos'),
  is_test: true,
  contact: contact({ phone: null, is_deleted: true }),
  execution_steps: [
    stepExecution(
      1,
      stepDefinition(1, {
        name: 'Ask delivery date',
        step_type: 'QUESTION',
        answer_type: 'SINGLE_OPTION',
        answer_options: ['Monday', 'Tuesday'],
        has_options_from_variable: true,
        has_max_answer_attempts: true,
        delay_until: '2026-11-22T10:30:00Z',
        action_request_method: 'POST',
      }),
      {
        status: 'RUNNING',
        status_reason: 'Asked again',
        has_error: true,
        expire_on: '2026-11-23T10:04:40Z',
        validation_failed_attempts: 2,
        execution_result: 'Monday',
        messages: [
          outbound('m1', 'Which day suits you?', '2026-11-22T10:04:40Z', {
            failed_on: '2026-11-22T10:04:41Z',
            failed_attempts: 1,
            provider_error_code: '131047',
            is_deleted: true,
            content_type: 'image/png',
            content_url: 'https://lookaside.hilos.example/media?token=signed',
            location: {
              latitude: 19.4284,
              longitude: -99.1617,
              address: 'Reforma 222',
              place_name: 'Home',
              place_url: 'x',
            },
            whatsapp_template: template(),
            context_message: { id: 'm0', body: 'Hola' },
            contacts: [{}, {}],
          }),
        ],
      },
    ),
  ],
})

const expected: HilosDocument = {
  id,
  status: 'RUNNING',
  status_reason: 'Waiting for an answer',
  created_on: ms('2026-11-22T10:00:01Z'),
  status_last_change_on: ms('2026-11-22T10:04:40Z'),
  status_triggered_by: { first_name: 'Diego', last_name: 'Ramos' },
  is_test: true,
  inbox_contact_id: uuid(0x1b, 1),
  flow_execution: uuid(0xfe, 7),
  flow: {
    id: uuid(0xf1, 1),
    name: 'Delivery confirmation',
    channel: { channel_type: 'WHATSAPP', name: 'Support MX', is_sandbox: false },
    trigger_type: 'OUTBOUND_CAMPAIGN_API',
  },
  flow_version: { id: uuid(0xf2, 3), version_name: 'v3', is_current_version: true },
  contact: {
    id: uuid(0xc0, 1),
    first_name: 'María',
    last_name: 'González',
    email: 'maria.gonzalez@correo-ejemplo.mx',
    phone: '+525512344433',
    is_deleted: true,
    meta: { loyalty_tier: 'gold', rfc: 'GOGM850101AB1', internal_score: 0.83 },
  },
  execution_steps: [
    {
      id: uuid(0x5e, 1),
      status: 'RUNNING',
      status_reason: 'Asked again',
      has_error: true,
      expire_on: ms('2026-11-23T10:04:40Z'),
      validation_failed_attempts: 2,
      created_on: ms('2026-11-22T10:00:01Z'),
      status_last_change_on: ms('2026-11-22T10:00:02Z'),
      execution_result: 'Monday',
      step: {
        id: uuid(0xd0, 1),
        name: 'Ask delivery date',
        step_type: 'QUESTION',
        answer_type: 'SINGLE_OPTION',
        answer_options: ['Monday', 'Tuesday'],
        has_options_from_variable: true,
        has_max_answer_attempts: true,
        max_answer_attempts: 3,
        delay_until: ms('2026-11-22T10:30:00Z'),
        has_action_request: true,
      },
      messages: [
        {
          id: 'm1',
          body: 'Which day suits you?',
          direction: 'OUTBOUND',
          timestamp: ms('2026-11-22T10:04:40Z'),
          status: 'read',
          queued_on: ms('2026-11-22T10:04:40Z'),
          accepted_on: ms('2026-11-22T10:04:40Z'),
          sent_on: ms('2026-11-22T10:04:40Z'),
          delivered_on: ms('2026-11-22T10:04:40Z'),
          read_on: ms('2026-11-22T10:04:40Z'),
          failed_on: ms('2026-11-22T10:04:41Z'),
          failed_attempts: 1,
          provider_error_code: '131047',
          msg_type: 'text',
          source: 'FLOW',
          is_deleted: true,
          content_type: 'image/png',
          has_content_url: true,
          location: { latitude: 19.4284, longitude: -99.1617, address: 'Reforma 222', place_name: 'Home' },
          whatsapp_template: { name: 'delivery_confirmation_mx', language: 'es_MX' },
          context_message: 'm0',
          shared_contacts: 2,
        },
      ],
    },
  ],
}

t.test('the given contract, when every field is filled, is read to the last one and nothing else passes', async (t) => {
  t.strictSame(read(given), { document: expected, drift: [] })
})

t.test('the earlier contract, when read, gives the same shape', async (t) => {
  const { flow: _flow, flow_version: _version, status_reason: _reason, ...rest } = given
  const { trigger_type, ...earlierFlow } = flow()
  const earlier = {
    ...rest,
    reason: 'Waiting for an answer',
    flow_execution: {
      id: uuid(0xfe, 7),
      name: 'Deliveries of November',
      status: 'RUNNING',
      variables: { api_key: 'campaign-key-771' },
      filters: { tag: 'vip' },
      contacts: [uuid(0xc0, 1)],
      num_contacts: 1,
      total_contacts: 1,
      created_by: user(),
      created_on: '2026-11-22T09:00:00Z',
      scheduled_on: '2026-11-22T10:00:00Z',
      status_last_change_on: '2026-11-22T10:00:00Z',
      execution_type: trigger_type,
      flow: earlierFlow,
      flow_version: flowVersion(),
    },
  }
  const inSteps = (document: object, name: string, value: unknown) =>
    withAt(document, `execution_steps[].${name}`, value)
  const steps = inSteps(inSteps(earlier, 'status_reason', undefined), 'last_error_detail', 'Asked again')
  const document = withAt(steps, 'execution_steps[].messages[].message.context_message', 'm0')
  t.strictSame(read(document), { document: expected, drift: [] })
})

t.test('the documents of the sandbox, when read, stray only where they are meant to', async (t) => {
  const meant: Readonly<Record<string, readonly string[]>> = {
    [documentIds.newStatus]: ['unknown_value status', 'unknown_value execution_steps[].status'],
    [documentIds.everyMessageType]: ['unknown_value execution_steps[].messages[].message.msg_type'],
  }
  for (const [requestedId, makeDocument] of createDocuments(0))
    t.strictSame(read(makeDocument(0), requestedId).drift, meant[requestedId] ?? [], requestedId)
})

type Tree = { [name: string]: Tree }

/** A copy with another value at a path; undefined takes the field away. `[]` is the first element. */
function withAt<T extends object>(whole: T, path: string, value: unknown): T {
  const copy = structuredClone(whole)
  const names = path.replaceAll('[]', '.0').split('.')
  const last = names.pop() ?? ''
  const parent = names.reduce<Tree | undefined>((part, name) => part?.[name], copy as unknown as Tree)
  if (!parent) throw new Error(`nothing at ${path}`)
  if (value === undefined) delete parent[last]
  else parent[last] = value as Tree
  return copy
}

/** Where a field of theirs ends up with us. */
function resultPathOf(path: string): string {
  return path
    .replace('messages[].message.', 'messages[].')
    .replace('contact.canonical_phone', 'contact.phone')
    .replace(/action_request_.*/, 'has_action_request')
    .replace('content_url', 'has_content_url')
    .replace('messages[].contacts', 'messages[].shared_contacts')
}

const fieldsOf = (text: string) => text.trim().split(/\s+/)
const words = fieldsOf(
  `status flow.trigger_type flow.channel.channel_type execution_steps[].status execution_steps[].step.answer_type
   execution_steps[].messages[].message.status execution_steps[].messages[].message.msg_type
   execution_steps[].messages[].message.source`,
)
const step = 'execution_steps[].step'
const message = 'execution_steps[].messages[].message'
const infinity = JSON.parse('1e400')

/** What each field is, what does not fit it, and what is left of it then. */
const kinds: readonly { fields: readonly string[]; misfits: readonly unknown[]; nothing: unknown; expected?: true }[] =
  [
    {
      fields: fieldsOf(
        `status_reason inbox_contact_id flow.id flow.name flow.channel.name flow_version.id flow_version.version_name
       contact.id contact.first_name contact.last_name contact.email contact.canonical_phone
       status_triggered_by.first_name status_triggered_by.last_name execution_steps[].id
       execution_steps[].status_reason ${step}.id ${step}.name ${step}.step_type ${message}.id ${message}.body
       ${message}.direction ${message}.content_type ${message}.location.address ${message}.location.place_name
       ${message}.whatsapp_template.name ${message}.whatsapp_template.language`,
      ).concat(words),
      misfits: [7, true, [], {}],
      nothing: null,
    },
    {
      fields: fieldsOf(
        `created_on status_last_change_on execution_steps[].expire_on execution_steps[].created_on
       execution_steps[].status_last_change_on ${step}.delay_until ${message}.timestamp ${message}.queued_on
       ${message}.accepted_on ${message}.sent_on ${message}.delivered_on ${message}.read_on ${message}.failed_on`,
      ),
      misfits: ['', 'yesterday', '2026-11-22', 1795341600000, true, [], {}],
      nothing: null,
    },
    {
      fields: fieldsOf(
        `is_test flow.channel.is_sandbox flow_version.is_current_version execution_steps[].has_error
       ${step}.has_options_from_variable ${step}.has_max_answer_attempts`,
      ),
      misfits: ['true', 1, [], {}],
      nothing: null,
    },
    {
      fields: fieldsOf(
        `execution_steps[].validation_failed_attempts ${step}.max_answer_attempts ${message}.failed_attempts`,
      ),
      misfits: ['1', -1, 1.5, infinity, true, [], {}],
      nothing: null,
    },
    {
      fields: [`${message}.location.latitude`, `${message}.location.longitude`],
      misfits: ['1', infinity, true, [], {}],
      nothing: null,
    },
    { fields: [`${message}.provider_error_code`], misfits: [-1, infinity, true, [], {}], nothing: null },
    {
      fields: ['status_triggered_by', 'flow', 'flow.channel', 'flow_version', 'contact', step].concat(
        `${message}.location`,
        `${message}.whatsapp_template`,
      ),
      misfits: ['', 7, true, []],
      nothing: null,
    },
    { fields: ['flow_execution', `${message}.context_message`], misfits: [7, true, []], nothing: null },
    { fields: [`${step}.answer_options`], misfits: ['', 7, true, {}], nothing: null },
    { fields: ['execution_steps', 'execution_steps[].messages'], misfits: ['', 7, true, {}], nothing: [] },
    { fields: [`${message}.contacts`], misfits: ['', 7, true, {}], nothing: 0 },
    { fields: ['execution_steps[].execution_result'], misfits: [infinity, [], {}], nothing: null, expected: true },
    {
      fields: [`${step}.action_request_method`, `${message}.content_url`],
      misfits: [''],
      nothing: false,
      expected: true,
    },
  ]

for (const { fields, misfits, nothing, expected: isExpected } of kinds)
  for (const field of fields)
    t.test(`${field}, when missing, null or of a wrong type, is ${JSON.stringify(nothing)}, alone`, async (t) => {
      const document = withAt(expected, resultPathOf(field), nothing)
      for (const value of [undefined, null]) t.strictSame(read(withAt(given, field, value)), { document, drift: [] })
      const drift = isExpected ? [] : [`wrong_type ${field}`]
      for (const value of misfits)
        t.strictSame(read(withAt(given, field, value)), { document, drift }, JSON.stringify(value))
    })

t.test('a flag that erases, when in doubt, erases', async (t) => {
  for (const path of ['contact.is_deleted', `${message}.is_deleted`])
    for (const [value, erased] of [
      [undefined, false],
      [null, false],
      [false, false],
      [true, true],
      ['false', true],
      [0, true],
      [{}, true],
    ])
      t.strictSame(
        read(withAt(given, path, value)).document,
        withAt(expected, resultPathOf(path), erased),
        `${path} ${JSON.stringify(value)}`,
      )
})

t.test('meta, whatever it is, is passed on unread', async (t) => {
  for (const value of [null, 'gold', 7, ['a'], { a: { b: null } }])
    t.strictSame(read(withAt(given, 'contact.meta', value)), {
      document: withAt(expected, 'contact.meta', value),
      drift: [],
    })
})

t.test('an answer, when it is a scalar, is read as what it is', async (t) => {
  for (const value of ['', 'Monday', 0, 7.5, true, false])
    t.strictSame(
      read(withAt(given, 'execution_steps[].execution_result', value)).document,
      withAt(expected, 'execution_steps[].execution_result', value),
    )
})

t.test('a provider error code, when it is a number, is read as its digits', async (t) => {
  const { document } = read(withAt(given, `${message}.provider_error_code`, 131047))
  t.strictSame(document, expected)
})

const published = {
  status: 'READY RUNNING PAUSED COMPLETED CANCELED EXPIRED FAILED',
  'flow.trigger_type': `INBOUND_ANY_MESSAGE INBOUND_SPECIFIC_MESSAGE OUTBOUND_CAMPAIGN_API OUTBOUND_CAMPAIGN_CSV
    OUTBOUND_CAMPAIGN_SEGMENT OUTBOUND_ANY META_C2WA INTEGRATIONS_HUBSPOT INTEGRATIONS_ZAPIER FROM_FLOW CSAT OTHER`,
  'flow.channel.channel_type': 'WHATSAPP EMAIL INSTAGRAM FB_MESSENGER TELEGRAM SMS VOICE',
  'execution_steps[].status': 'WAITING_TO_START NOT_EXECUTED RUNNING COMPLETED CANCELED FAILED EXPIRED',
  [`${step}.answer_type`]: `ANY FREE_TEXT SINGLE_OPTION NUMBER URL EMAIL FILE DOCUMENT VIDEO IMAGE PHONE DATE TIME
    DATETIME BOOL LOCATION`,
  [`${message}.status`]: 'new retry accepted sending sent receiving received delivered undelivered failed read deleted',
  [`${message}.msg_type`]: `audio voice button document text image interactive order sticker system unknown video
    unsupported location contacts template reaction ephemeral request_welcome`,
  [`${message}.source`]: 'INBOUND INBOX AUTO_RESPONSE API BROADCAST FLOW',
}

t.test('a word, when it is one of those published, is no drift; when it is another, passes and is', async (t) => {
  t.strictSame(Object.keys(published).sort(), words.toSorted())
  for (const [path, list] of Object.entries(published)) {
    for (const value of ['', ...fieldsOf(list)])
      t.strictSame(
        read(withAt(given, path, value)),
        { document: withAt(expected, resultPathOf(path), value), drift: [] },
        `${path} ${value}`,
      )
    t.strictSame(read(withAt(given, path, 'BRAND_NEW')), {
      document: withAt(expected, resultPathOf(path), 'BRAND_NEW'),
      drift: [`unknown_value ${path}`],
    })
  }
})

t.test('a thing with two names, when one or both are there, is the first that is', async (t) => {
  const both = (first: string, second: string, path: string, values: [string, string]) =>
    [
      [values[0], values[1], values[0]],
      [values[0], null, values[0]],
      [null, values[1], values[1]],
      [7, values[1], values[1]],
      ['', values[1], ''],
      [null, null, null],
    ].map(([one, two, result]) => ({ first, second, path, one, two, result }))
  const cases = [
    ...both('status_reason', 'reason', 'status_reason', ['later', 'earlier']),
    ...both('contact.canonical_phone', 'contact.phone', 'contact.phone', ['+52155', '52155']),
    ...both(
      'execution_steps[].status_reason',
      'execution_steps[].last_error_detail',
      'execution_steps[].status_reason',
      ['later', 'earlier'],
    ),
  ]
  for (const { first, second, path, one, two, result } of cases)
    t.strictSame(
      read(withAt(withAt(given, first, one), second, two)).document,
      withAt(expected, path, result),
      `${first} ${one}, ${second} ${two}`,
    )
})

t.test('an action step, when it has a method or a URL, is known to call one, not which', async (t) => {
  for (const [method, url, calls] of [
    ['POST', 'https://api.courier.example', true],
    ['POST', null, true],
    [null, 'https://api.courier.example', true],
    ['', '', false],
    [null, null, false],
  ]) {
    const json = withAt(withAt(given, `${step}.action_request_method`, method), `${step}.action_request_url`, url)
    t.strictSame(read(json).document, withAt(expected, `${step}.has_action_request`, calls))
  }
})

t.test(
  'the flow, when it is at the top, inside the execution, both or neither, is the first that is there',
  async (t) => {
    const trigger_type = 'CSAT'
    const outer = { id: 'outer', name: 'Outer', trigger_type, channel: null }
    const inner = { id: 'inner', name: 'Inner', channel: null }
    const none = { id: null, name: null, channel: null }
    const table = [
      [outer, { flow: inner, execution_type: 'OTHER' }, outer],
      [
        { ...outer, trigger_type: null },
        { flow: inner, execution_type: 'OTHER' },
        { ...outer, trigger_type: 'OTHER' },
      ],
      [undefined, { flow: inner, execution_type: 'OTHER' }, { ...inner, trigger_type: 'OTHER' }],
      [null, { flow: { ...inner, trigger_type }, execution_type: 'OTHER' }, { ...inner, trigger_type }],
      [null, { flow: inner }, { ...inner, trigger_type: null }],
      [null, { execution_type: 'OTHER' }, { ...none, trigger_type: 'OTHER' }],
      [{}, null, { ...none, trigger_type: null }],
      [null, {}, null],
      [null, null, null],
      [null, 'the-id', null],
    ] as const
    for (const [top, execution, result] of table) {
      const { document, drift } = read({ contact: {}, flow: top, flow_execution: execution })
      t.strictSame([document.flow, drift], [result, []], JSON.stringify({ top, execution }))
    }
  },
)

t.test(
  'the flow version, when it is at the top, inside the execution or both, is the first that is there',
  async (t) => {
    const version = (name: string) => ({ id: name, version_name: name, is_current_version: true })
    for (const [top, inside, result] of [
      [version('top'), version('inside'), version('top')],
      [null, version('inside'), version('inside')],
      [version('top'), null, version('top')],
      [null, null, null],
    ])
      t.strictSame(
        read({ contact: {}, flow_version: top, flow_execution: { flow_version: inside } }).document.flow_version,
        result,
      )
  },
)

t.test('the flow execution, when it is an id, an object or neither, is its id', async (t) => {
  for (const [value, result] of [
    ['e1', 'e1'],
    [{ id: 'e2', variables: {} }, 'e2'],
    [{ id: 7 }, null],
    [{}, null],
    [null, null],
  ])
    t.equal(read({ contact: {}, flow_execution: value }).document.flow_execution, result)
})

t.test(
  'elements of a list, when null or of a wrong type, are left out, and so is a message that is none',
  async (t) => {
    const json: Part = {
      execution_steps: [
        null,
        { id: 's1', messages: [null, {}, { message: null }, 7, { message: { id: 'm1' } }] },
        7,
        {},
      ],
    }
    const { document, drift } = read(json)
    t.strictSame(
      document.execution_steps.map(({ id, messages }) => [id, messages.map((message) => message.id)]),
      [
        ['s1', ['m1']],
        [null, []],
      ],
    )
    t.strictSame(drift, ['wrong_type execution_steps[].messages[]', 'wrong_type execution_steps[]'])
  },
)

t.test('fields nobody announced, when they are there, are reported by place and do not pass', async (t) => {
  const places = fieldsOf(
    `new_field status_triggered_by.new_field flow.new_field flow.channel.new_field flow_version.new_field
     contact.new_field execution_steps[].new_field ${step}.new_field execution_steps[].messages[].new_field
     ${message}.new_field ${message}.location.new_field ${message}.whatsapp_template.new_field`,
  )
  for (const path of places)
    t.strictSame(read(withAt(given, path, { secret: 'x' })), { document: expected, drift: [`unknown_field ${path}`] })
  t.strictSame(read({ contact: {}, flow_execution: { new_field: 1, flow: { new_field: 1 } } }).drift, [
    'unknown_field flow_execution.new_field',
    'unknown_field flow_execution.flow.new_field',
  ])
})

const empty: HilosDocument = {
  id,
  status: null,
  status_reason: null,
  created_on: null,
  status_last_change_on: null,
  status_triggered_by: null,
  is_test: null,
  inbox_contact_id: null,
  flow_execution: null,
  flow: null,
  flow_version: null,
  contact: null,
  execution_steps: [],
}
const emptyContact = {
  id: null,
  first_name: null,
  last_name: null,
  email: null,
  phone: null,
  is_deleted: false,
  meta: undefined,
}

t.test('a document, when it is the structural minimum, is read', async (t) => {
  const table = [
    [{ execution_steps: [] }, empty, []],
    [{ contact: {} }, { ...empty, contact: emptyContact }, []],
    [{ contact: {}, execution_steps: [] }, { ...empty, contact: emptyContact }, []],
    [{ contact: {}, execution_steps: {} }, { ...empty, contact: emptyContact }, ['wrong_type execution_steps']],
    [{ contact: [], execution_steps: [] }, empty, ['wrong_type contact']],
    [{ contact: null, execution_steps: [] }, empty, []],
  ] as const
  for (const [json, document, drift] of table) t.strictSame(read(json), { document, drift }, JSON.stringify(json))
})

t.test('JSON, when it is below the structural minimum, is a failure', async (t) => {
  const table = [
    null,
    undefined,
    '',
    'text',
    0,
    true,
    [],
    [{ contact: {} }],
    {},
    { id },
    { id, status: 'RUNNING' },
    { detail: 'upstream-canary-7d1e' },
    { contact: null },
    { contact: [] },
    { contact: 'upstream-canary-7d1e' },
    { execution_steps: null },
    { execution_steps: {} },
    { contact: [], execution_steps: {} },
  ]
  for (const json of table) {
    const { code, facts } = await failureOf(t, attempt(json))
    t.equal(code, 'upstream_invalid_response', JSON.stringify(json))
    t.strictSame(facts, { reason: 'below the structural minimum' })
  }
})

t.test('the id, when it is absent or the requested one in any case, is the requested one', async (t) => {
  for (const value of [undefined, null, id, id.toUpperCase()]) t.equal(read(withAt(given, 'id', value)).document.id, id)
})

t.test('the id, when it is there and not the requested one, is a failure', async (t) => {
  for (const value of ['', 'upstream-canary-7d1e', uuid(1, 1), ` ${id}`, `${id}\n`, 0, 7, false, [id], { id }]) {
    const { code, facts } = await failureOf(t, attempt(withAt(given, 'id', value)))
    t.equal(code, 'upstream_invalid_response', JSON.stringify(value))
    t.strictSame(facts, { reason: 'another id than the requested one' })
  }
})
