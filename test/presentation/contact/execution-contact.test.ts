import t from 'tap'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { createDocuments, documentIds } from '../../../sandbox/documents.ts'
import { Secret } from '../../../src/common/secret.ts'
import { AnswerSchema, presentAnswer } from '../../../src/presentation/contact/answer.ts'
import { presentContact } from '../../../src/presentation/contact/contact.ts'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import {
  type ExecutionContact,
  presentExecutionContact,
  TranscriptSchema,
} from '../../../src/presentation/contact/execution-contact.ts'
import { presentFlow } from '../../../src/presentation/contact/flow.ts'
import { MessageSchema, presentMessage } from '../../../src/presentation/contact/message.ts'
import { presentProgress } from '../../../src/presentation/contact/progress.ts'
import { createContactRef } from '../../../src/presentation/contact/pseudonyms.ts'
import { presentStep, StepSchema } from '../../../src/presentation/contact/step.ts'
import type { HilosDocument, HilosMessage, HilosStepExecution } from '../../../src/upstream/document/hilos-document.ts'
import { readDocument } from '../../../src/upstream/document/read-document.ts'
import { resolveAll } from '../../harness/resolved-schema.ts'
import { checkRows, difference } from '../../harness/table.ts'
import {
  at,
  contactOf,
  definitionOf,
  documentOf,
  filledContact,
  messageOf,
  nullsFor,
  plant,
  stepOf,
} from '../builders.ts'

const options = { refOf: (id: string) => `ref of ${id}`, metaKeys: ['tier'] }
const present = (given: Partial<HilosDocument>) => presentExecutionContact(documentOf(given), options)

const question = messageOf({
  id: 'm1',
  body: 'Which day?',
  direction: 'OUTBOUND',
  source: 'FLOW',
  timestamp: at('10:02:01'),
})
const reply = messageOf({ id: 'm2', body: 'Monday', source: 'INBOUND', timestamp: at('10:02:02') })
const asking = definitionOf({ name: 'Day', step_type: 'QUESTION', answer_type: 'ANY' })
const step = stepOf({ id: 'step-1', status: 'COMPLETED', step: asking, messages: [question, reply] })
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
  execution_steps: [step],
})
/** The tests of the parts say what each of them is. */
const presentedFull = {
  id: 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
  view: 'transcript',
  status: 'CANCELED',
  statusRaw: null,
  terminal: true,
  reason: 'Canceled from the inbox',
  reasonWithheld: false,
  isTest: true,
  startedAt: '2026-11-22T10:00:01Z',
  statusChangedAt: '2026-11-22T10:00:02Z',
  endedAt: '2026-11-22T10:00:02Z',
  lastActivityAt: '2026-11-22T10:02:02Z',
  changedBy: 'Diego Ramos',
  executionId: 'execution-1',
  inboxContactId: 'inbox-1',
  flow: presentFlow(full),
  contact: presentContact(full.contact, options),
  progress: presentProgress([step], true),
  steps: [presentStep(step, false)],
  answers: [presentAnswer(step)],
  messages: [presentMessage(question, 'step-1'), presentMessage(reply, 'step-1')],
}
const presentedBare = {
  ...nullsFor(presentedFull),
  id: 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
  view: 'transcript',
  status: 'UNKNOWN',
  reasonWithheld: false,
  terminal: false,
  isTest: false,
  flow: presentFlow(documentOf()),
  contact: presentContact(null, options),
  progress: presentProgress([], false),
  steps: [],
  answers: [],
  messages: [],
}

t.test('a contact has the named fields of the document and no others', async (t) => {
  t.strictSame(presentExecutionContact(full, options), presentedFull)
  t.strictSame(presentExecutionContact(plant(full), options), presentedFull, 'an unknown property is left out')
  t.strictSame(present({}), presentedBare)
  t.strictSame(present({ status: 'ARCHIVED' }), { ...presentedBare, statusRaw: 'ARCHIVED' })
})

t.test('the delivery confirmation of the sandbox is presented as the documented example', async (t) => {
  const made = createDocuments(0).get(documentIds.deliveryConfirmation)?.(0)
  const document = readDocument(made, documentIds.deliveryConfirmation, () => {})
  const refOf = createContactRef(new Secret('sandbox contact ref key').derived('contact.ref'))
  t.strictSame(presentExecutionContact(document, { refOf, metaKeys: [] }), exampleContact)
})

t.test('every contact fits the published schema', async (t) => {
  const mistakesOf = (contact: ExecutionContact) => {
    const parts: [TSchema, readonly unknown[]][] = [
      [TranscriptSchema, [contact]],
      [StepSchema, contact.steps],
      [AnswerSchema, contact.answers],
      [MessageSchema, contact.messages],
    ]
    return parts.flatMap(([schema, values]) => values.flatMap((value) => Value.Errors(resolveAll(schema), value)))
  }
  const bareStep = stepOf({ messages: [messageOf()], step: asking, execution_result: 0 })
  const presented = [presentExecutionContact(full, options), present({}), present({ execution_steps: [bareStep] })]
  for (const contact of [exampleContact, filledContact, ...presented]) t.strictSame(mistakesOf(contact), [])
  t.not(mistakesOf({ ...exampleContact, id: 'not a uuid' }).length, 0, 'a mistake would be seen')
})

t.test('a run that is over ended with the last change of its status, and has no current step', async (t) => {
  const ended = ['COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'].map((status) => [status, true] as const)
  const others = ['READY', 'RUNNING', 'PAUSED', 'ARCHIVED', null].map((status) => [status, false] as const)
  const execution_steps = [stepOf({ id: 'step-1', status: 'RUNNING' })]
  const check = ([status, isOver]: readonly [string | null, boolean]) => {
    const { terminal, endedAt, progress } = present({ status, status_last_change_on: at('10:00:00'), execution_steps })
    const unrecorded = present({ status, created_on: 0 }).endedAt
    const expected = isOver ? [true, '2026-11-22T10:00:00Z', null, null] : [false, null, null, 'step-1']
    return difference([terminal, endedAt, unrecorded, progress.currentStepId], expected)
  }
  checkRows(t, [...ended, ...others], check, 'every status')
})

t.test('the person who changed the status is given by name', async (t) => {
  t.equal(present({ status_triggered_by: { first_name: null, last_name: null } }).changedBy, null)
  t.equal(present({ status_triggered_by: { first_name: 'Diego', last_name: null } }).changedBy, 'Diego')
})

t.test('the last activity is the latest recorded time, without deadlines and delays', async (t) => {
  const [early, late] = [at('10:00:00'), at('11:00:00')]
  const steps = (message: Partial<HilosMessage>, step: Partial<HilosStepExecution> = {}) => ({
    execution_steps: [stepOf(), stepOf({ created_on: early, messages: [messageOf(), messageOf(message)], ...step })],
  })
  const cases: readonly (readonly [Partial<HilosDocument>, string])[] = [
    ...[
      { created_on: late },
      { status_last_change_on: late },
      steps({}, { created_on: late }),
      steps({}, { status_last_change_on: late }),
      steps({ timestamp: late }),
      steps({ queued_on: late }),
      steps({ accepted_on: late }),
      steps({ sent_on: late }),
      steps({ delivered_on: late }),
      steps({ read_on: late }),
      steps({ failed_on: late }),
    ].map((given) => [given, '2026-11-22T11:00:00Z'] as const),
    [steps({}, { expire_on: late, step: definitionOf({ delay_until: late }) }), '2026-11-22T10:00:00Z'],
  ]
  const check = ([given, expected]: (typeof cases)[number]) =>
    difference(present({ created_on: early, status_last_change_on: early, ...given }).lastActivityAt, expected)
  checkRows(t, cases, check, 'every time')
})

t.test('steps without times and their answers stay in the order of the document', async (t) => {
  const asked = (id: string, execution_result: string | null) => stepOf({ id, execution_result, step: asking })
  const execution_steps = [
    asked('c', '3'),
    stepOf({ id: 'b', execution_result: 'x' }),
    asked('d', null),
    asked('a', '1'),
  ]
  const { steps, answers } = present({ execution_steps })
  t.equal(steps.map(({ id }) => id).join(), 'c,b,d,a')
  t.equal(answers.map(({ stepId, value }) => `${stepId}: ${value}`).join(), 'c: 3,a: 1')
})

t.test('the messages of all steps are sorted by time, each with its step', async (t) => {
  const sent = (id: string, second: number | null) => messageOf({ id, timestamp: second && second * 1000 })
  const execution_steps = [
    stepOf({ id: 'one', messages: [sent('m3', 3), sent('timeless', null), sent('m1', 1)] }),
    stepOf({ messages: [sent('m2', 2)] }),
    stepOf({ id: 'two', messages: [sent('m0', 0), sent('m1', 1)] }),
  ]
  const seen = present({ execution_steps }).messages.map(({ id, stepId }) => `${id} of ${stepId}`)
  t.equal(seen.join(), 'm0 of two,m1 of one,timeless of one,m2 of null,m3 of one')
})

t.test(
  'the reason of a run is withheld if it is that of a step that calls a URL, or repeats a part of it',
  async (t) => {
    const [calling, asked] = [definitionOf({ step_type: 'ACTION' }), definitionOf({ step_type: 'QUESTION' })]
    const reason = '401 for url: https://api.example/v2?signature=f00dfeed'
    const cases: readonly (readonly [status: string, Partial<HilosStepExecution>, withheld: boolean])[] = [
      ['FAILED', { step: calling, status: 'FAILED' }, true],
      ['FAILED', { step: calling, status: 'COMPLETED', has_error: true }, true],
      ['FAILED', { step: null, status: 'FAILED' }, true],
      ['FAILED', { step: calling, status: 'COMPLETED' }, false],
      ['PAUSED', { step: calling, status: 'FAILED', has_error: true }, true],
      ['PAUSED', { step: calling, status: 'FAILED', has_error: true, status_reason: 'x' }, false],
      ['FAILED', { step: asked, status: 'FAILED', status_reason: reason, has_error: true }, false],
      ['PAUSED', { step: calling, status_reason: reason }, true],
      ['PAUSED', { step: calling, status_reason: 'call (https://api.example/v2?signature=f00dfeed) failed' }, true],
      ['PAUSED', { step: calling, status_reason: 'HTTPS://API.EXAMPLE/v2?signature=f00dfeed' }, true],
      ['PAUSED', { step: calling, status_reason: 'see https://api.example/v2?signature=f00dfeed.' }, true],
      ['PAUSED', { step: calling, status_reason: 'Signature: f00dfeed' }, true],
      ['PAUSED', { step: calling, status_reason: 'https%3A%2F%2Fapi.example%2Fv2' }, true],
      ['PAUSED', { step: calling, status_reason: '401 for url: x, see example.api/v3' }, false],
      ['PAUSED', { step: calling, status_reason: '201 Created' }, false],
      ['PAUSED', { step: calling, status_reason: 'x '.repeat(5000) }, false],
      ['PAUSED', { step: calling, status_reason: 'x '.repeat(5001) }, true],
    ]
    const check = ([status, given, withheld]: (typeof cases)[number]) => {
      const execution_steps = [stepOf({ step: asked }), stepOf(given)]
      const [run, silent] = [reason, null].map((status_reason) => present({ status, status_reason, execution_steps }))
      const found = [run?.reason, run?.reasonWithheld, silent?.reason, silent?.reasonWithheld]
      return difference(found, [withheld ? null : reason, withheld, null, false])
    }
    checkRows(t, cases, check, 'every step')
  },
)

t.test('the reason of a step is withheld if it repeats that of a step that calls a URL', async (t) => {
  const calling = definitionOf({ step_type: 'ACTION' })
  const asked = (status_reason: string) => stepOf({ step: definitionOf({ step_type: 'QUESTION' }), status_reason })
  const reasonsOf = (status_reason: string, others: readonly string[]) =>
    present({ execution_steps: [...others.map(asked), stepOf({ step: calling, status_reason })] }).steps.map(
      ({ reason, reasonWithheld }) => (reasonWithheld ? 'withheld' : reason),
    )
  t.strictSame(reasonsOf('POST https://hooks.example/T0/f00dfeed 500', ['after /T0/f00dfeed', 'No answer']), [
    'withheld',
    'No answer',
    'withheld',
  ])
  const long = Array<string>(30).fill('x '.repeat(5000))
  t.equal(reasonsOf('y', long).filter((reason) => reason === 'withheld').length, 12, 'after 200,000 characters')
})

t.test('an erased contact has no id in the inbox', async (t) => {
  const inboxOf = (is_deleted: boolean) =>
    present({ inbox_contact_id: 'i', contact: contactOf({ is_deleted }) }).inboxContactId
  t.strictSame([inboxOf(false), inboxOf(true)], ['i', null])
})
