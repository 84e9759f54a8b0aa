import t from 'tap'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { createDocuments, documentIds } from '../../../sandbox/documents.ts'
import { AnswerSchema } from '../../../src/presentation/contact/answer.ts'
import { createContactRef } from '../../../src/presentation/contact/contact.ts'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import {
  type ExecutionContact,
  presentExecutionContact,
  SummarySchema,
} from '../../../src/presentation/contact/execution-contact.ts'
import { MessageSchema } from '../../../src/presentation/contact/message.ts'
import { StepSchema } from '../../../src/presentation/contact/step.ts'
import type { HilosDocument, HilosMessage, HilosStepExecution } from '../../../src/upstream/document/hilos-document.ts'
import { readDocument } from '../../../src/upstream/document/read-document.ts'
import { at, contactOf, definitionOf, documentOf, filledContact, messageOf, plant, stepOf } from '../builders.ts'

const options = { refOf: (id: string) => `ref of ${id}`, metaKeys: ['tier'] }
const present = (given: Partial<HilosDocument>) => presentExecutionContact(documentOf(given), options)

const question = messageOf({
  id: 'm1',
  body: 'Which day?',
  direction: 'OUTBOUND',
  source: 'FLOW',
  timestamp: at('10:02:01'),
})
const reply = messageOf({
  id: 'm2',
  body: 'Monday',
  direction: 'INBOUND',
  source: 'INBOUND',
  timestamp: at('10:02:02'),
})
const full = documentOf({
  status: 'CANCELED',
  status_reason: 'Canceled from the inbox',
  created_on: at('10:00:01'),
  status_last_change_on: at('10:00:02'),
  status_triggered_by: { first_name: 'Diego', last_name: 'Ramos' },
  is_test: true,
  inbox_contact_id: 'inbox-1',
  flow_execution: 'execution-1',
  flow: {
    id: 'flow-1',
    name: 'Delivery',
    trigger_type: 'CSAT',
    channel: { channel_type: 'SMS', name: 'Support', is_sandbox: true },
  },
  flow_version: { id: 'version-1', version_name: 'v3', is_current_version: false },
  contact: contactOf({ id: 'contact-1', first_name: 'María', meta: { tier: 'gold' } }),
  execution_steps: [
    stepOf({
      id: 'step-1',
      status: 'COMPLETED',
      step: definitionOf({ name: 'Day', step_type: 'QUESTION', answer_type: 'ANY' }),
      messages: [question, reply],
    }),
  ],
})
const noDelivery = { sentAt: null, deliveredAt: null, readAt: null, failedAt: null, attempts: 0, error: null }
const plainMessage = {
  stepId: 'step-1',
  type: 'unknown',
  isDeleted: false,
  delivery: { status: 'unknown', ...noDelivery },
  media: null,
  location: null,
  template: null,
  replyTo: null,
  sharedContacts: 0,
}
const presentedFull = {
  id: 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
  status: 'CANCELED',
  statusRaw: null,
  terminal: true,
  reason: 'Canceled from the inbox',
  isTest: true,
  startedAt: '2026-11-22T10:00:01Z',
  statusChangedAt: '2026-11-22T10:00:02Z',
  endedAt: '2026-11-22T10:00:02Z',
  lastActivityAt: '2026-11-22T10:02:02Z',
  changedBy: 'Diego Ramos',
  executionId: 'execution-1',
  inboxContactId: 'inbox-1',
  flow: {
    id: 'flow-1',
    name: 'Delivery',
    trigger: 'CSAT',
    version: { id: 'version-1', name: 'v3', isCurrent: false },
    channel: { type: 'SMS', name: 'Support', isSandbox: true },
  },
  contact: {
    ref: 'ref of contact-1',
    id: 'contact-1',
    name: 'María',
    phone: null,
    email: null,
    isDeleted: false,
    masked: false,
    meta: { tier: 'gold' },
  },
  progress: { steps: 1, completed: 1, failed: 0, currentStepId: null, waitingFor: null, expiresAt: null },
  steps: [
    {
      id: 'step-1',
      definitionId: null,
      name: 'Day',
      type: 'QUESTION',
      status: 'COMPLETED',
      statusRaw: null,
      reason: null,
      reasonWithheld: false,
      hasError: false,
      startedAt: null,
      changedAt: null,
      expiresAt: null,
      delayUntil: null,
      failedAttempts: 0,
      maxAttempts: null,
      question: { answerType: 'ANY', options: [] },
      messageIds: ['m1', 'm2'],
    },
  ],
  answers: [
    {
      stepId: 'step-1',
      question: 'Day',
      answerType: 'ANY',
      value: 'Monday',
      at: '2026-11-22T10:02:02Z',
      messageId: 'm2',
    },
  ],
  messages: [
    {
      ...plainMessage,
      id: 'm1',
      direction: 'out',
      author: 'flow',
      text: 'Which day?',
      at: '2026-11-22T10:02:01Z',
    },
    { ...plainMessage, id: 'm2', direction: 'in', author: 'contact', text: 'Monday', at: '2026-11-22T10:02:02Z' },
  ],
}
const presentedBare = {
  id: 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
  status: 'UNKNOWN',
  statusRaw: null,
  terminal: false,
  reason: null,
  isTest: false,
  startedAt: null,
  statusChangedAt: null,
  endedAt: null,
  lastActivityAt: null,
  changedBy: null,
  executionId: null,
  inboxContactId: null,
  flow: {
    id: null,
    name: null,
    trigger: null,
    version: { id: null, name: null, isCurrent: null },
    channel: { type: null, name: null, isSandbox: null },
  },
  contact: {
    ref: null,
    id: null,
    name: null,
    phone: null,
    email: null,
    isDeleted: false,
    masked: false,
    meta: {},
  },
  progress: { steps: 0, completed: 0, failed: 0, currentStepId: null, waitingFor: null, expiresAt: null },
  steps: [],
  answers: [],
  messages: [],
}

t.test('a document, when presented, is the named fields and nothing else', async (t) => {
  t.strictSame(presentExecutionContact(full, options), presentedFull)
})

t.test('a document, when Hilos tells nothing but the id, is null and empty', async (t) => {
  t.strictSame(present({}), presentedBare)
})

t.test('a document, with a property of ours unknown in every object, lets none of them out', async (t) => {
  t.strictSame(presentExecutionContact(plant(full), options), presentedFull)
})

t.test('the delivery confirmation of the sandbox, when presented, is the documented example', async (t) => {
  const made = createDocuments(0).get(documentIds.deliveryConfirmation)?.(0)
  const document = readDocument(made, documentIds.deliveryConfirmation, () => {})
  const refOf = createContactRef('sandbox contact ref key')
  const presented = presentExecutionContact(document, { refOf, metaKeys: [] })
  t.strictSame(presented, exampleContact)
})

t.test('whatever is presented, when held against the published schema, fits', async (t) => {
  const mistakesOf = (contact: ExecutionContact) => {
    const parts: [TSchema, readonly unknown[]][] = [
      [SummarySchema, [contact]],
      [StepSchema, contact.steps],
      [AnswerSchema, contact.answers],
      [MessageSchema, contact.messages],
    ]
    return parts.flatMap(([schema, values]) => values.flatMap((value) => Value.Errors(schema, value)))
  }
  const someStep = stepOf({
    messages: [messageOf()],
    step: definitionOf({ step_type: 'QUESTION', answer_type: 'ANY' }),
    execution_result: 0,
  })
  const presented = [presentExecutionContact(full, options), present({}), present({ execution_steps: [someStep] })]
  for (const contact of [exampleContact, filledContact, ...presented]) t.strictSame(mistakesOf(contact), [])
  t.not(mistakesOf({ ...exampleContact, id: 'not a uuid' }).length, 0, 'a mistake would be seen')
})

t.test('the end, by the status, is the last change of a run that is over and null otherwise', async (t) => {
  const table = [
    ['READY', false],
    ['RUNNING', false],
    ['PAUSED', false],
    ['ARCHIVED', false],
    [null, false],
    ['COMPLETED', true],
    ['CANCELED', true],
    ['EXPIRED', true],
    ['FAILED', true],
  ] as const
  for (const [status, terminal] of table) {
    const contact = present({ status, status_last_change_on: at('10:00:00') })
    t.equal(contact.terminal, terminal, `status ${status}`)
    t.equal(contact.endedAt, terminal ? '2026-11-22T10:00:00Z' : null, `status ${status}`)
    t.equal(present({ status, created_on: 0 }).endedAt, null, 'no time is made up')
  }
})

t.test('an unknown status, when presented, has Hilos’s word beside it', async (t) => {
  const contact = present({ status: 'ARCHIVED' })
  t.strictSame(contact, { ...presentedBare, statusRaw: 'ARCHIVED' })
})

t.test('the current step, of a run that is over, is none, though Hilos left a step running', async (t) => {
  const execution_steps = [stepOf({ id: 'step-1', status: 'RUNNING' })]
  t.equal(present({ status: 'RUNNING', execution_steps }).progress.currentStepId, 'step-1')
  t.equal(present({ status: 'FAILED', execution_steps }).progress.currentStepId, null)
})

t.test('who changed the status, as far as Hilos says, is a name and nothing else', async (t) => {
  const table = [
    [null, null],
    [{ first_name: null, last_name: null }, null],
    [{ first_name: '', last_name: '' }, null],
    [{ first_name: 'Diego', last_name: null }, 'Diego'],
    [{ first_name: null, last_name: 'Ramos' }, 'Ramos'],
  ] as const
  for (const [status_triggered_by, expected] of table) t.equal(present({ status_triggered_by }).changedBy, expected)
})

t.test('the last activity, wherever it is recorded, is the latest time', async (t) => {
  const [early, late] = [at('10:00:00'), at('11:00:00')]
  const steps = (message: Partial<HilosMessage>, step: Partial<HilosStepExecution> = {}) => ({
    execution_steps: [stepOf(), stepOf({ created_on: early, messages: [messageOf(), messageOf(message)], ...step })],
  })
  const table: readonly Partial<HilosDocument>[] = [
    { created_on: late },
    { status_last_change_on: late },
    steps({}, { created_on: late }),
    steps({}, { status_last_change_on: late }),
    steps({ timestamp: late }),
    steps({ sent_on: late }),
    steps({ delivered_on: late }),
    steps({ read_on: late }),
    steps({ failed_on: late }),
  ]
  for (const given of table) {
    const { lastActivityAt } = present({ created_on: early, status_last_change_on: early, ...given })
    t.equal(lastActivityAt, '2026-11-22T11:00:00Z', JSON.stringify(given))
  }
})

t.test('the last activity, when deadlines and delays lie ahead, does not count them', async (t) => {
  const step = stepOf({
    created_on: at('10:00:00'),
    expire_on: at('12:00:00'),
    step: definitionOf({ delay_until: at('12:00:00') }),
  })
  t.equal(present({ execution_steps: [step] }).lastActivityAt, '2026-11-22T10:00:00Z')
})

t.test('steps and answers, in the order of the document, stay there, those without an answer left out', async (t) => {
  const asked = (id: string, execution_result: string | null) =>
    stepOf({ id, execution_result, step: definitionOf({ step_type: 'QUESTION', answer_type: 'ANY' }) })
  const execution_steps = [
    asked('c', '3'),
    stepOf({ id: 'b', execution_result: 'x' }),
    asked('d', null),
    asked('a', '1'),
  ]
  const { steps, answers } = present({ execution_steps })
  t.strictSame(
    steps.map(({ id }) => id),
    ['c', 'b', 'd', 'a'],
  )
  t.strictSame(
    answers.map(({ stepId, value }) => [stepId, value]),
    [
      ['c', '3'],
      ['a', '1'],
    ],
  )
})

t.test('messages, over all steps, are sorted by time and know their step', async (t) => {
  const sent = (id: string, timestamp: number | null) => messageOf({ id, timestamp })
  const execution_steps = [
    stepOf({ id: 'one', messages: [sent('m3', 3), sent('timeless', null), sent('m1', 1)] }),
    stepOf({ messages: [sent('m2', 2)] }),
    stepOf({ id: 'two', messages: [sent('m0', 0), sent('m1', 1)] }),
  ]
  const seen = present({ execution_steps }).messages.map(({ id, stepId }) => [id, stepId])
  t.strictSame(seen, [
    ['m0', 'two'],
    ['m1', 'one'],
    ['m1', 'two'],
    ['m2', null],
    ['m3', 'one'],
    ['timeless', 'one'],
  ])
})
