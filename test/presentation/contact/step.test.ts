import t from 'tap'
import { presentStep } from '../../../src/presentation/contact/step.ts'
import type { HilosStepDefinition } from '../../../src/upstream/document/hilos-document.ts'
import { at, definitionOf, messageOf, stepOf } from '../builders.ts'

const bare = {
  id: null,
  definitionId: null,
  name: null,
  type: null,
  status: 'UNKNOWN',
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
  question: null,
  messageIds: [],
}
const presentDefined = (definition: Partial<HilosStepDefinition>) =>
  presentStep(stepOf({ step: definitionOf(definition) }))

t.test('a step, when presented, is the named fields and nothing else', async (t) => {
  const step = stepOf({
    id: 'step-1',
    status: 'SNOOZED',
    status_reason: 'No answer yet',
    has_error: true,
    expire_on: at('10:00:03'),
    validation_failed_attempts: 2,
    created_on: at('10:00:01'),
    status_last_change_on: at('10:00:02'),
    execution_result: 'recorded',
    step: definitionOf({
      id: 'definition-1',
      name: 'Ask delivery date',
      step_type: 'QUESTION',
      answer_type: 'SINGLE_OPTION',
      answer_options: ['Monday', 'Tuesday'],
      has_options_from_variable: false,
      has_max_answer_attempts: true,
      max_answer_attempts: 3,
      delay_until: at('10:00:04'),
    }),
    messages: [messageOf({ id: 'm1', body: 'Which day?' })],
  })
  t.strictSame(presentStep(step), {
    id: 'step-1',
    definitionId: 'definition-1',
    name: 'Ask delivery date',
    type: 'QUESTION',
    status: 'UNKNOWN',
    statusRaw: 'SNOOZED',
    reason: 'No answer yet',
    reasonWithheld: false,
    hasError: true,
    startedAt: '2026-11-22T10:00:01Z',
    changedAt: '2026-11-22T10:00:02Z',
    expiresAt: '2026-11-22T10:00:03Z',
    delayUntil: '2026-11-22T10:00:04Z',
    failedAttempts: 2,
    maxAttempts: 3,
    question: { answerType: 'SINGLE_OPTION', options: ['Monday', 'Tuesday'] },
    messageIds: ['m1'],
  })
})

t.test('a step, when Hilos tells nothing of it, is null, unknown and empty', async (t) => {
  t.strictSame(presentStep(stepOf()), bare)
  t.strictSame(presentStep(stepOf({ step: definitionOf() })), bare)
})

t.test('a step, when Hilos uses a published status, has it as it is', async (t) => {
  t.strictSame(presentStep(stepOf({ status: 'WAITING_TO_START' })), { ...bare, status: 'WAITING_TO_START' })
})

t.test('the reason, of a step that calls a URL or could, is withheld', async (t) => {
  const withheld = [
    null,
    { step_type: 'ACTION' },
    { step_type: 'action_step' },
    { step_type: 'CALL_API' },
    { step_type: 'HTTP' },
    { step_type: 'WEBHOOK' },
    { step_type: 'REQUEST' },
    { step_type: null },
    { step_type: 'QUESTION', has_action_request: true },
  ]
  const told = [{ step_type: 'QUESTION' }, { step_type: 'MESSAGE' }, { step_type: 'DELAY' }, { step_type: '' }]
  const reasonOf = (definition: Partial<HilosStepDefinition> | null, status_reason: string | null) => {
    const step = presentStep(stepOf({ status_reason, step: definition && definitionOf(definition) }))
    return [step.reason, step.reasonWithheld]
  }
  for (const definition of withheld) {
    t.strictSame(reasonOf(definition, 'answered 201'), [null, true], JSON.stringify(definition))
    t.strictSame(reasonOf(definition, null), [null, false], 'there is none to withhold')
  }
  for (const definition of told) {
    t.strictSame(reasonOf(definition, 'No answer'), ['No answer', false], JSON.stringify(definition))
    t.strictSame(reasonOf(definition, null), [null, false])
  }
})

t.test('the attempts, by the flags of the definition, are limited or not', async (t) => {
  const table = [
    [true, 3, 3],
    [true, 0, 0],
    [true, null, null],
    [false, 3, null],
    [null, 3, null],
  ] as const
  for (const [has_max_answer_attempts, max_answer_attempts, expected] of table)
    t.equal(presentDefined({ has_max_answer_attempts, max_answer_attempts }).maxAttempts, expected)
})

t.test(
  'the question, by the definition, has the options as written, none where a variable fills them in',
  async (t) => {
    const table: readonly (readonly [Partial<HilosStepDefinition>, readonly string[] | null])[] = [
      [{ answer_type: null, answer_options: ['Monday'] }, null],
      [{ answer_type: '', answer_options: ['Monday'] }, null],
      [{ answer_type: 'ANY' }, []],
      [{ answer_type: 'ANY', answer_options: [] }, []],
      [{ answer_type: 'ANY', answer_options: ['Monday', '', ' Tuesday '] }, ['Monday', '', ' Tuesday ']],
      [{ answer_type: 'ANY', answer_options: ['{{day}}'], has_options_from_variable: true }, []],
      [{ answer_type: 'ANY', answer_options: ['Monday'], has_options_from_variable: false }, ['Monday']],
    ]
    for (const [definition, options] of table)
      t.strictSame(presentDefined(definition).question, options && { answerType: 'ANY', options })
  },
)

t.test('the options of a question, when presented, are a list of their own', async (t) => {
  const answer_options = ['Monday']
  t.not(presentDefined({ answer_type: 'ANY', answer_options }).question?.options, answer_options)
})

t.test('the messages of a step, in any order, are named oldest first, those without an id left out', async (t) => {
  const messages = [
    messageOf({ id: 'late', timestamp: 2 }),
    messageOf({ timestamp: 0 }),
    messageOf({ id: 'timeless' }),
    messageOf({ id: 'early', timestamp: 1 }),
  ]
  t.strictSame(presentStep(stepOf({ messages })).messageIds, ['timeless', 'early', 'late'])
})
