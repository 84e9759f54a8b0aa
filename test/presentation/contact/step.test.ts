import t from 'tap'
import { withheldReasonsOf } from '../../../src/presentation/contact/reason.ts'
import { presentStep } from '../../../src/presentation/contact/step.ts'
import type { HilosStepDefinition } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, definitionOf, documentOf, messageOf, nullsFor, stepOf } from '../builders.ts'

const presentDefined = (definition: Partial<HilosStepDefinition>) =>
  presentStep(stepOf({ step: definitionOf(definition) }), false)

t.test('a step has the named fields and no others', async (t) => {
  const full = stepOf({
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
  const presented = {
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
    endedAt: null,
    durationMs: null,
    expiresAt: '2026-11-22T10:00:03Z',
    delayUntil: '2026-11-22T10:00:04Z',
    failedAttempts: 2,
    maxAttempts: 3,
    question: { answerType: 'SINGLE_OPTION', options: ['Monday', 'Tuesday'] },
    messageIds: ['m1'],
  }
  t.strictSame(presentStep(full, false), presented)
  const others = { status: 'UNKNOWN', reasonWithheld: false, hasError: false, failedAttempts: 0, messageIds: [] }
  const bare = { ...nullsFor(presented), ...others }
  t.strictSame(presentStep(stepOf(), false), bare)
  t.strictSame(presentDefined({}), bare)
  t.strictSame(presentStep(stepOf({ status: 'WAITING_TO_START' }), false), { ...bare, status: 'WAITING_TO_START' })
})

t.test('the reason is withheld if the step calls a URL or may call one', async (t) => {
  const withType = (withheld: boolean) => (step_type: string | null) => [{ step_type }, withheld] as const
  const cases: readonly (readonly [definition: Partial<HilosStepDefinition> | null, withheld: boolean])[] = [
    [null, true],
    ...['ACTION', 'action_step', 'CALL_API', 'HTTP', 'WEBHOOK', 'REQUEST', null].map(withType(true)),
    [{ step_type: 'QUESTION', action_request_url: true }, true],
    ...['QUESTION', 'MESSAGE', 'DELAY', ''].map(withType(false)),
  ]
  const check = ([definition, withheld]: (typeof cases)[number]) => {
    const step = definition && definitionOf(definition)
    const [given, none] = ['answered 201', null].map((status_reason) => {
      const execution = stepOf({ status_reason, step })
      return presentStep(execution, withheldReasonsOf(documentOf({ execution_steps: [execution] })).ofStep(execution))
    })
    const shown = [given?.reason, given?.reasonWithheld, none?.reason, none?.reasonWithheld]
    return difference(shown, [withheld ? null : 'answered 201', withheld, null, false])
  }
  checkRows(t, cases, check, 'every definition')
})

t.test('the attempts are limited only if the definition says so', async (t) => {
  const cases = [
    [true, 3, 3],
    [true, 0, 0],
    [true, null, null],
    [false, 3, null],
    [null, 3, null],
  ] as const
  const check = ([has_max_answer_attempts, max_answer_attempts, expected]: (typeof cases)[number]) =>
    difference(presentDefined({ has_max_answer_attempts, max_answer_attempts }).maxAttempts, expected)
  checkRows(t, cases, check, 'every limit')
})

t.test('a question has its options as written, and none that a variable fills in', async (t) => {
  const cases: readonly (readonly [Partial<HilosStepDefinition>, readonly string[] | null])[] = [
    [{ answer_type: null, answer_options: ['Monday'] }, null],
    [{ answer_type: '', answer_options: ['Monday'] }, null],
    [{ answer_type: 'ANY' }, []],
    [{ answer_type: 'ANY', answer_options: [] }, []],
    [{ answer_type: 'ANY', answer_options: ['Monday', '', ' Tuesday '] }, ['Monday', '', ' Tuesday ']],
    [{ answer_type: 'ANY', answer_options: ['{{day}}'], has_options_from_variable: true }, []],
    [{ answer_type: 'ANY', answer_options: ['Monday'], has_options_from_variable: false }, ['Monday']],
  ]
  const check = ([definition, options]: (typeof cases)[number]) =>
    difference(presentDefined(definition).question, options && { answerType: 'ANY', options })
  checkRows(t, cases, check, 'every definition')
  const answer_options = ['Monday']
  t.not(presentDefined({ answer_type: 'ANY', answer_options }).question?.options, answer_options, 'a list of its own')
})

t.test('the messages of a step are named, without those that have no id', async (t) => {
  const messages = [
    messageOf({ id: 'late', timestamp: 2 }),
    messageOf({ timestamp: 0 }),
    messageOf({ id: 'timeless' }),
    messageOf({ id: 'early', timestamp: 1 }),
  ]
  t.strictSame(presentStep(stepOf({ messages }), false).messageIds, ['late', 'timeless', 'early'])
})

t.test('a step that has ended has an end and a duration', async (t) => {
  const ended = ['COMPLETED', 'CANCELED', 'FAILED', 'EXPIRED'].map((status) => [status, '2026-11-22T10:00:02Z', 1500])
  const others = ['RUNNING', 'WAITING_TO_START', 'NOT_EXECUTED', 'SNOOZED', null].map((status) => [status, null, null])
  const check = ([status, ...expected]: readonly unknown[]) => {
    const { endedAt, durationMs } = presentStep(
      stepOf({ status: status as string, created_on: at('10:00:00.500'), status_last_change_on: at('10:00:02') }),
      false,
    )
    return difference([endedAt, durationMs], expected)
  }
  checkRows(t, [...ended, ...others], check, 'every status')
  const durationOf = (created_on: number | null, status_last_change_on: number | null) =>
    presentStep(stepOf({ status: 'FAILED', created_on, status_last_change_on }), false).durationMs
  t.strictSame([durationOf(5, 5), durationOf(6, 5), durationOf(null, 5), durationOf(5, null)], [0, null, null, null])
})

t.test('a deadline from before the step is not told', async (t) => {
  const past = at('09:00:00')
  const step = definitionOf({ delay_until: past })
  const { expiresAt, delayUntil } = presentStep(stepOf({ created_on: at('10:00:00'), expire_on: past, step }), false)
  t.strictSame([expiresAt, delayUntil], [null, null])
})
