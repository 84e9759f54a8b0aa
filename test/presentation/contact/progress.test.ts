import t from 'tap'
import { deadlinesOf, presentProgress } from '../../../src/presentation/contact/progress.ts'
import type { HilosStepDefinition, HilosStepExecution } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, definitionOf, stepOf } from '../builders.ts'

const none = {
  steps: 0,
  notBegun: 0,
  completed: 0,
  failed: 0,
  currentStepId: null,
  currentStep: null,
  waitingFor: null,
  expiresAt: null,
}
const unnamedStep = { id: null, name: null, type: null }
const atStep = (
  status: string,
  definition: Partial<HilosStepDefinition> | null,
  given: Partial<HilosStepExecution> = {},
) => presentProgress([stepOf({ id: 'here', status, step: definition && definitionOf(definition), ...given })], false)

t.test('the steps are counted by status', async (t) => {
  t.strictSame(presentProgress([], false), none)
  t.strictSame(presentProgress([], true), none)
  const words = 'COMPLETED COMPLETED COMPLETED FAILED FAILED CANCELED EXPIRED completed SNOOZED UNKNOWN NOT_EXECUTED'
  const steps = [...words.split(' '), '', null].map((status) => stepOf({ id: 'closed', status }))
  t.strictSame(presentProgress(steps, false), { ...none, steps: 12, notBegun: 1, completed: 3, failed: 2 })
})

t.test('the current step is the last that runs, or else the last that waits to start', async (t) => {
  const cases = [
    ['RUNNING', '0'],
    ['WAITING_TO_START', '0'],
    ['COMPLETED RUNNING WAITING_TO_START', '1'],
    ['WAITING_TO_START RUNNING', '1'],
    ['RUNNING WAITING_TO_START', '0'],
    ['RUNNING RUNNING COMPLETED', '1'],
    ['WAITING_TO_START WAITING_TO_START', '1'],
    ['COMPLETED FAILED CANCELED EXPIRED NOT_EXECUTED', null],
    ['running SNOOZED UNKNOWN', null],
  ] as const
  const check = ([statuses, expected]: (typeof cases)[number]) => {
    const steps = statuses.split(' ').map((status, index) => stepOf({ id: `${index}`, status }))
    return difference(presentProgress(steps, false).currentStepId, expected)
  }
  checkRows(t, cases, check, 'every document')
  const unnamed = atStep('RUNNING', { answer_type: 'BOOL' }, { id: null, expire_on: at('10:00:00') })
  t.strictSame(unnamed, {
    ...none,
    steps: 1,
    currentStep: unnamedStep,
    waitingFor: 'ANSWER',
    expiresAt: '2026-11-22T10:00:00Z',
  })
})

t.test('a run that is over has no current step', async (t) => {
  const step = definitionOf({ answer_type: 'BOOL', delay_until: at('11:00:00') })
  const running = stepOf({ id: 'here', status: 'RUNNING', expire_on: at('10:00:00'), step })
  t.strictSame(presentProgress([running], true), { ...none, steps: 1 })
})

t.test('the current step waits for an answer, for a delay or for neither', async (t) => {
  const answer = { answer_type: 'FREE_TEXT' }
  const delay = { delay_until: 1, step_type: 'DELAY' }
  const waits: readonly (readonly [string, string | null, ...(Partial<HilosStepDefinition> | null)[]])[] = [
    ['RUNNING', 'ANSWER', answer, { ...answer, ...delay }],
    ['RUNNING', 'DELAY', { answer_type: '', delay_until: 1 }, { delay_until: 0 }],
    ['RUNNING', 'DELAY', { step_type: 'DELAY' }, { step_type: 'Delay' }],
    ['RUNNING', null, { step_type: 'DELAYED' }, { step_type: 'MESSAGE' }, {}, null],
    ['WAITING_TO_START', null, answer, delay],
    ['COMPLETED', null, answer],
  ]
  const check = ([status, expected, ...definitions]: (typeof waits)[number]) => {
    const found = definitions.map((definition) => atStep(status, definition).waitingFor)
    return difference(found, Array(definitions.length).fill(expected))
  }
  checkRows(t, waits, check, 'every step')
})

t.test('the deadline is that of what the step waits for', async (t) => {
  const [early, late] = [at('10:00:00'), at('11:00:00')]
  const cases = [
    [null, null, null],
    [early, null, '2026-11-22T10:00:00Z'],
    [null, late, '2026-11-22T11:00:00Z'],
    [early, late, '2026-11-22T11:00:00Z'],
    [late, early, '2026-11-22T10:00:00Z'],
    [0, null, '1970-01-01T00:00:00Z'],
  ] as const
  const check = ([expire_on, delay_until, expected]: (typeof cases)[number]) => {
    const found = ['RUNNING', 'WAITING_TO_START'].map(
      (status) => atStep(status, { delay_until }, { expire_on }).expiresAt,
    )
    return difference(found, [expected, expected])
  }
  checkRows(t, cases, check, 'every pair')
  t.equal(atStep('RUNNING', null, { expire_on: 0 }).expiresAt, '1970-01-01T00:00:00Z', 'without a definition')
  const asking = atStep('RUNNING', { answer_type: 'BOOL', delay_until: early }, { expire_on: late })
  t.strictSame([asking.waitingFor, asking.expiresAt], ['ANSWER', '2026-11-22T11:00:00Z'])
})

t.test('the deadline of another step does not count', async (t) => {
  const steps = [
    stepOf({ id: 'done', status: 'COMPLETED', expire_on: at('10:00:00') }),
    stepOf({ id: 'here', status: 'RUNNING', expire_on: at('11:00:00') }),
    stepOf({ id: 'next', status: 'WAITING_TO_START', expire_on: at('10:30:00') }),
  ]
  const expected = {
    ...none,
    steps: 2,
    notBegun: 1,
    completed: 1,
    currentStepId: 'here',
    currentStep: { ...unnamedStep, id: 'here' },
    expiresAt: '2026-11-22T11:00:00Z',
  }
  t.strictSame(presentProgress(steps, false), expected)
})

t.test('a deadline that had passed when the step began is left over', async (t) => {
  const [before, begun, after] = [at('09:59:59'), at('10:00:00'), at('10:00:01')]
  const deadlines = (created_on: number | null, ms: number) => {
    const { expiresAt, delayUntil } = deadlinesOf(
      stepOf({ created_on, expire_on: ms, step: definitionOf({ delay_until: ms }) }),
    )
    return [expiresAt, delayUntil]
  }
  t.strictSame(deadlines(begun, before), [null, null])
  t.strictSame(deadlines(begun, begun), [null, null])
  t.strictSame(deadlines(begun, after), [after, after])
  t.strictSame(deadlines(null, before), [before, before])
  const waiting = atStep('RUNNING', { delay_until: before }, { created_on: begun, expire_on: after })
  t.strictSame([waiting.waitingFor, waiting.expiresAt], [null, '2026-11-22T10:00:01Z'])
})

t.test('the current step is given with its name and its type', async (t) => {
  const { currentStep } = atStep('RUNNING', { name: 'Ask delivery date', step_type: 'QUESTION' })
  t.strictSame(currentStep, { id: 'here', name: 'Ask delivery date', type: 'QUESTION' })
})
