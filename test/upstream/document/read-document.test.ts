import t from 'tap'
import { createDocuments, documentIds } from '../../../sandbox/documents.ts'
import {
  contact,
  executionContact,
  flow,
  flowVersion,
  outbound,
  stepDefinition,
  stepExecution,
  template,
  user,
  uuid,
} from '../../../sandbox/parts.ts'
import type { HilosDocument } from '../../../src/upstream/document/hilos-document.ts'
import { elementsIn, readDocument } from '../../../src/upstream/document/read-document.ts'
import { unreadable } from '../../../src/upstream/document/shape.ts'
import { checkRows, checkRowsInTurn, difference } from '../../harness/table.ts'
import { canary, failureOf } from '../raw-hilos.ts'

const id = documentIds.deliveryConfirmation
const ms = (instant: string) => Date.parse(instant)

function read(json: unknown, requestedId: string = id) {
  const drift: string[] = []
  const document = readDocument(json, requestedId, (kind, path) => drift.push(`${kind} ${path}`))
  return { document, drift }
}

/** The later contract with a value in every field that is read. The other fields of the parts are there to be left out. */
const given = executionContact(id, {
  status_reason: 'Waiting for an answer',
  status_triggered_by: user('Diego', 'Ramos'),
  is_test: true,
  contact: contact({ phone: '5215512344433', is_deleted: true }),
  execution_steps: [
    stepExecution(
      1,
      stepDefinition(1, {
        name: 'Ask delivery date',
        step_type: 'QUESTION',
        answer_type: 'SINGLE_OPTION',
        answer_options: ['Monday', 'Tuesday'],
        answer_options_render: 'NUMBERS',
        body_file_url: 'https://files.hilos.example/menu.pdf',
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
            sent_by: user('Diego', 'Ramos'),
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
              map_screenshot_url: 'https://maps.hilos.example/1.png',
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
    canonical_phone: '+525512344433',
    phone: '5215512344433',
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
        answer_options_render: 'NUMBERS',
        has_options_from_variable: true,
        has_max_answer_attempts: true,
        max_answer_attempts: 3,
        delay_until: ms('2026-11-22T10:30:00Z'),
        body_file_url: 'https://files.hilos.example/menu.pdf',
        action_request_method: true,
        action_request_url: false,
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
          content_url: 'https://lookaside.hilos.example/media?token=signed',
          location: {
            latitude: 19.4284,
            longitude: -99.1617,
            address: 'Reforma 222',
            place_name: 'Home',
            map_screenshot_url: 'https://maps.hilos.example/1.png',
          },
          whatsapp_template: { name: 'delivery_confirmation_mx', language: 'es_MX' },
          context_message: 'm0',
          to_number: '5215512344433',
          from_number: '5215550001234',
          sent_by: { first_name: 'Diego', last_name: 'Ramos' },
          contacts: 2,
        },
      ],
    },
  ],
}

t.test('every field of the later contract is read, and no other', async (t) => {
  t.strictSame(read(given), { document: expected, drift: [] })
})

t.test('the earlier contract is read into the same document', async (t) => {
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
  const changes: readonly [string, unknown][] = [
    ['execution_steps[].status_reason', undefined],
    ['execution_steps[].last_error_detail', 'Asked again'],
    [`${message}.context_message`, 'm0'],
  ]
  const document = changes.reduce((whole, [path, value]) => withAt(whole, path, value), earlier)
  t.strictSame(read(document), { document: expected, drift: [] })
})

t.test('the documents of the sandbox have no other drift than intended', async (t) => {
  const intended: Readonly<Record<string, readonly string[]>> = {
    [documentIds.newStatus]: ['unknown_value status', 'unknown_value execution_steps[].status'],
    [documentIds.everyMessageType]: ['unknown_value execution_steps[].messages[].message.msg_type'],
  }
  for (const [requestedId, makeDocument] of createDocuments(0))
    t.strictSame(read(makeDocument(0), requestedId).drift, intended[requestedId] ?? [], requestedId)
})

type Tree = { [name: string]: Tree }

/** A copy with another value at a path; undefined removes the field. `[]` is the first element. */
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

/** The path in the result for the path of a field. */
function resultPathOf(path: string): string {
  return path.replace('messages[].message.', 'messages[].')
}

/** Compares the reading of the later contract that has a value at a path with the expected result at that path. */
function checkAt(path: string, value: unknown, result: unknown, drift: readonly string[] = []) {
  const document = withAt(expected, resultPathOf(path), result)
  return difference(read(withAt(given, path, value)), { document, drift })
}

const wordsOf = (text: string) => text.trim().split(/\s+/)
const step = 'execution_steps[].step'
const message = 'execution_steps[].messages[].message'
const infinity = JSON.parse('1e400')

const published: Readonly<Record<string, string>> = {
  status: 'READY RUNNING PAUSED COMPLETED CANCELED EXPIRED FAILED',
  'flow.trigger_type': `INBOUND_ANY_MESSAGE INBOUND_SPECIFIC_MESSAGE OUTBOUND_CAMPAIGN_API OUTBOUND_CAMPAIGN_CSV
    OUTBOUND_CAMPAIGN_SEGMENT OUTBOUND_ANY META_C2WA INTEGRATIONS_HUBSPOT INTEGRATIONS_ZAPIER FROM_FLOW CSAT OTHER`,
  'flow.channel.channel_type': 'WHATSAPP EMAIL INSTAGRAM FB_MESSENGER TELEGRAM SMS VOICE',
  'execution_steps[].status': 'WAITING_TO_START NOT_EXECUTED RUNNING COMPLETED CANCELED FAILED EXPIRED',
  [`${step}.answer_options_render`]: 'BUTTONS LIST EMOJIS NUMBERS',
  [`${step}.answer_type`]: `ANY FREE_TEXT SINGLE_OPTION NUMBER URL EMAIL FILE DOCUMENT VIDEO IMAGE PHONE DATE TIME
    DATETIME BOOL LOCATION`,
  [`${message}.status`]: 'new retry accepted sending sent receiving received delivered undelivered failed read deleted',
  [`${message}.msg_type`]: `audio voice button document text image interactive order sticker system unknown video
    unsupported location contacts template reaction ephemeral request_welcome`,
  [`${message}.source`]: 'INBOUND INBOX AUTO_RESPONSE API BROADCAST FLOW',
}

/** Fields of one kind, values that do not fit them, and the result of those and of no value. */
type Kind = readonly [fields: string, misfits: readonly unknown[], nothing: unknown]

const kinds: readonly Kind[] = [
  [
    `status_reason inbox_contact_id flow.id flow.name flow.channel.name flow_version.id flow_version.version_name
     contact.id contact.first_name contact.last_name
     status_triggered_by.first_name status_triggered_by.last_name execution_steps[].id
     execution_steps[].status_reason ${step}.id ${step}.name ${step}.step_type ${message}.id ${message}.body
     ${message}.direction ${message}.content_type ${message}.location.address ${message}.location.place_name
     ${message}.whatsapp_template.name ${message}.whatsapp_template.language ${Object.keys(published).join(' ')}`,
    [7, true, [], {}],
    null,
  ],
  [
    `created_on status_last_change_on execution_steps[].expire_on execution_steps[].created_on
     execution_steps[].status_last_change_on ${step}.delay_until ${message}.timestamp ${message}.queued_on
     ${message}.accepted_on ${message}.sent_on ${message}.delivered_on ${message}.read_on ${message}.failed_on`,
    ['', 'yesterday', '2026-11-22', 1795341600000, true, [], {}],
    null,
  ],
  [
    `is_test flow.channel.is_sandbox flow_version.is_current_version execution_steps[].has_error
     ${step}.has_options_from_variable ${step}.has_max_answer_attempts`,
    ['true', 1, [], {}],
    null,
  ],
  [
    `execution_steps[].validation_failed_attempts ${step}.max_answer_attempts ${message}.failed_attempts`,
    ['1', -1, 1.5, infinity, true, [], {}],
    null,
  ],
  [`${message}.location.latitude ${message}.location.longitude`, ['1', infinity, true, [], {}], null],
  [`${message}.provider_error_code`, [-1, infinity, true, [], {}], null],
  [
    `status_triggered_by flow flow.channel flow_version contact ${step} ${message}.location ${message}.whatsapp_template`,
    ['', 7, true, []],
    null,
  ],
  [`flow_execution ${message}.context_message`, [7, true, []], null],
  [`${step}.answer_options`, ['', 7, true, {}], null],
  ['execution_steps execution_steps[].messages', ['', 7, true, {}], []],
  [`${message}.contacts`, ['', 7, true, {}], 0],
]

/** Kinds that accept any JSON, so that misfits are no drift. */
const kindsWithoutDrift: readonly Kind[] = [
  ['execution_steps[].execution_result', [infinity, [], {}], null],
  [`${step}.action_request_method`, [''], false],
  [`${message}.content_url ${message}.location.map_screenshot_url ${step}.body_file_url`, [''], null],
]

t.test('a field that is missing, null or of the wrong type is nothing, and no other field changes', async (t) => {
  checkRows(
    t,
    [...kinds, ...kindsWithoutDrift].flatMap(([fields, misfits, nothing], index) =>
      wordsOf(fields).flatMap((field) => {
        const drift = index < kinds.length ? [`wrong_type ${field}`] : []
        const missing = [undefined, null].map((value) => ({ field, value, nothing, drift: [] }))
        return [...missing, ...misfits.map((value) => ({ field, value, nothing, drift }))]
      }),
    ),
    ({ field, value, nothing, drift }) => checkAt(field, value, nothing, drift),
    'nothing in its place',
  )
})

t.test('a flag that erases is true in doubt', async (t) => {
  const doubts = ['false', 0, {}]
  checkRows(
    t,
    ['contact.is_deleted', `${message}.is_deleted`].flatMap((path) =>
      [undefined, null, false, true, ...doubts].map((value) => ({ path, value })),
    ),
    ({ path, value }) => {
      const isDoubtful = doubts.some((doubt) => doubt === value)
      return checkAt(path, value, isDoubtful || value === true, isDoubtful ? [`wrong_type ${path}`] : [])
    },
    'the flag',
  )
})

t.test('metadata, scalar answers and published words are read unchanged, and error codes as digits', async (t) => {
  const values = {
    'contact.meta': [null, 'gold', 7, ['a'], { a: { b: null } }],
    'execution_steps[].execution_result': ['', 'Monday', 0, 7.5, true, false],
    ...Object.fromEntries(Object.entries(published).map(([path, words]) => [path, wordsOf(words)])),
  }
  checkRows(
    t,
    Object.entries<unknown[]>(values).flatMap(([path, list]) => list.map((value) => ({ path, value }))),
    ({ path, value }) => checkAt(path, value, value),
    'the value',
  )
  t.equal(checkAt(`${message}.provider_error_code`, 131047, '131047'), null)
  for (const path of Object.keys(published)) t.equal(checkAt(path, '', null), null, 'an empty text is none')
})

t.test('a number or an address that is there and is not a text is unreadable, apart from whole numbers', async (t) => {
  const points = [
    'contact.email',
    'contact.canonical_phone',
    'contact.phone',
    `${message}.from_number`,
    `${message}.to_number`,
  ]
  const values: readonly (readonly [value: unknown, result: unknown, isDrift: boolean])[] = [
    ['', null, false],
    [null, null, false],
    [undefined, null, false],
    ['x', 'x', false],
    [5215512344433, '5215512344433', true],
    ...[true, false, [], {}, 1.5, -1, infinity].map((value) => [value, unreadable, true] as const),
  ]
  const rows = points.flatMap((path) => values.map((row) => [path, ...row] as const))
  const check = ([path, value, result, isDrift]: (typeof rows)[number]) =>
    checkAt(path, value, result, isDrift ? [`wrong_type ${path}`] : [])
  checkRows(t, rows, check, 'every value')
})

t.test('a word that is not published is passed on and reported', async (t) => {
  for (const path of Object.keys(published))
    t.equal(checkAt(path, 'BRAND_NEW', 'BRAND_NEW', [`unknown_value ${path}`]), null)
})

t.test('of two names for the same thing the first that has a value counts', async (t) => {
  const pairs = [
    ['status_reason', 'reason'],
    ['execution_steps[].status_reason', 'execution_steps[].last_error_detail'],
  ] as const
  const values = [
    ['later', 'earlier', 'later'],
    ['later', null, 'later'],
    [null, 'earlier', 'earlier'],
    [7, 'earlier', 'earlier'],
    ['', 'earlier', 'earlier'],
    ['', '', null],
    [null, null, null],
  ] as const
  checkRows(
    t,
    pairs.flatMap((pair) => values.map((row) => [...pair, ...row] as const)),
    ([first, second, one, two, result]) =>
      difference(
        read(withAt(withAt(given, first, one), second, two)).document,
        withAt(expected, resultPathOf(first), result),
      ),
    'the result',
  )
})

t.test('whether a step calls a URL is read, but not which', async (t) => {
  for (const [method, url, calls] of [
    ['POST', 'https://api.courier.example', true],
    ['POST', null, true],
    [null, 'https://api.courier.example', true],
    ['', '', false],
    [null, null, false],
  ]) {
    const json = withAt(withAt(given, `${step}.action_request_method`, method), `${step}.action_request_url`, url)
    const [definition] = read(json).document.execution_steps.map(({ step }) => step)
    t.equal(definition?.action_request_method || definition?.action_request_url, calls)
  }
})

t.test('the flow and its version are those of the document, or else those of the flow execution', async (t) => {
  const trigger_type = 'CSAT'
  const outer = { id: 'outer', name: 'Outer', trigger_type, channel: null }
  const inner = { id: 'inner', name: 'Inner', channel: null }
  const none = { id: null, name: null, channel: null }
  const nested = { flow: inner, execution_type: 'OTHER' }
  checkRows(
    t,
    [
      [outer, nested, outer],
      [{ ...outer, trigger_type: null }, nested, { ...outer, trigger_type: 'OTHER' }],
      [undefined, nested, { ...inner, trigger_type: 'OTHER' }],
      [null, { flow: { ...inner, trigger_type }, execution_type: 'OTHER' }, { ...inner, trigger_type }],
      [null, { flow: inner }, { ...inner, trigger_type: null }],
      [null, { execution_type: 'OTHER' }, { ...none, trigger_type: 'OTHER' }],
      [{}, null, { ...none, trigger_type: null }],
      [null, {}, null],
      [null, null, null],
      [null, 'the-id', null],
    ],
    ([top, execution, result]) => {
      const { document, drift } = read({ contact: {}, flow: top, flow_execution: execution })
      return difference([document.flow, drift], [result, []])
    },
    'the flow',
  )
  const [outside, inside] = ['top', 'inside'].map((id) => ({ id, version_name: id, is_current_version: true }))
  for (const flow_version of [outside, null]) {
    const { document } = read({ contact: {}, flow_version, flow_execution: { flow_version: inside } })
    t.strictSame(document.flow_version, flow_version ?? inside)
  }
})

t.test('null, elements of the wrong type and empty messages are left out of lists', async (t) => {
  const { document, drift } = read({
    execution_steps: [null, { id: 's1', messages: [null, {}, { message: null }, 7, { message: { id: 'm1' } }] }, 7, {}],
  })
  const ids = document.execution_steps.map(({ id, messages }) => [id, ...messages.map((each) => each.id)])
  t.strictSame(ids, [['s1', 'm1'], [null]])
  t.strictSame(drift, ['wrong_type execution_steps[].messages[]', 'wrong_type execution_steps[]'])
})

t.test('unknown fields are reported by their path and left out', async (t) => {
  const places = wordsOf(
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

t.test('steps or a contact are enough for a document', async (t) => {
  const nullsOf = (fields: object) => Object.fromEntries(Object.keys(fields).map((name) => [name, null]))
  const empty = { ...nullsOf(expected), id, execution_steps: [] }
  const emptyContact = { ...nullsOf(expected.contact ?? {}), is_deleted: false, meta: undefined }
  checkRows(
    t,
    [
      [{ execution_steps: [] }, null, []],
      [{ contact: {} }, emptyContact, []],
      [{ contact: {}, execution_steps: [] }, emptyContact, []],
      [{ contact: {}, execution_steps: {} }, emptyContact, ['wrong_type execution_steps']],
      [{ contact: [], execution_steps: [] }, null, ['wrong_type contact']],
      [{ contact: null, execution_steps: [] }, null, []],
    ] as const,
    ([json, contact, drift]) => difference(read(json), { document: { ...empty, contact }, drift }),
    'a document',
  )
})

t.test('JSON without steps and without a contact, or with another id, is no document', async (t) => {
  const jsons = [
    ...[null, undefined, '', 'text', 0, true, [], [{ contact: {} }], {}],
    { id },
    { id, status: 'RUNNING' },
    { detail: canary },
    { contact: null },
    { contact: [] },
    { contact: canary },
    { execution_steps: null },
    { execution_steps: {} },
    { contact: [], execution_steps: {} },
  ]
  const otherIds = ['', canary, uuid(1, 1), ` ${id}`, `${id}\n`, 0, 7, false, [id], { id }]
  await checkRowsInTurn(
    t,
    [
      ...jsons.map((json) => [json, 'below the structural minimum']),
      ...otherIds.map((otherId) => [withAt(given, 'id', otherId), 'another id than the requested one']),
    ],
    async ([json, reason]) => {
      const { code, facts } = await failureOf((async () => read(json))())
      return difference([code, facts], ['upstream_invalid_response', { reason }])
    },
    'an invalid response',
  )
})

t.test('the id is the requested one if it is missing or equal in any case', async (t) => {
  for (const value of [undefined, null, id, id.toUpperCase()]) t.equal(read(withAt(given, 'id', value)).document.id, id)
})

t.test('the elements of any JSON are its steps and their messages', async (t) => {
  checkRows(
    t,
    [
      [null, 0],
      ['text', 0],
      [[], 0],
      [{}, 0],
      [{ execution_steps: null }, 0],
      [{ execution_steps: { length: 9 } }, 0],
      [{ execution_steps: [] }, 0],
      [{ execution_steps: [null, 'x', {}, []] }, 4],
      [{ execution_steps: [{ messages: [{}, null] }, { messages: 'xyz' }, { messages: [1] }] }, 6],
      [{ messages: [{}, {}] }, 0],
    ] as const,
    ([json, count]) => difference(elementsIn(json), count),
    'the count',
  )
})
