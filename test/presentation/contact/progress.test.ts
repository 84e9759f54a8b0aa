import t from 'tap'
import { presentProgress } from '../../../src/presentation/contact/progress.ts'
import type { HilosStepDefinition, HilosStepExecution } from '../../../src/upstream/document/hilos-document.ts'
import { at, definitionOf, stepOf } from '../builders.ts'

const nowhere = { steps: 0, completed: 0, failed: 0, currentStepId: null, waitingFor: null, expiresAt: null }
const atStep = (
  status: string,
  definition: Partial<HilosStepDefinition> | null,
  given: Partial<HilosStepExecution> = {},
) => presentProgress([stepOf({ id: 'here', status, step: definition && definitionOf(definition), ...given })], false)

t.test('progress, before the first step, is nothing yet', async (t) => {
  t.strictSame(presentProgress([], false), nowhere)
  t.strictSame(presentProgress([], true), nowhere)
})

t.test('progress, over steps of every status, counts them', async (t) => {
  const words = [
    ...['COMPLETED', 'COMPLETED', 'COMPLETED', 'FAILED', 'FAILED', 'CANCELED', 'EXPIRED', 'NOT_EXECUTED'],
    ...['completed', 'SNOOZED', 'UNKNOWN', '', null],
  ]
  const steps = words.map((status) => stepOf({ id: 'closed', status }))
  t.strictSame(presentProgress(steps, false), { ...nowhere, steps: 13, completed: 3, failed: 2 })
})

t.test(
  'the current step, by the statuses in document order, is the last running one or else the last to run',
  async (t) => {
    const table = [
      ['RUNNING', 0],
      ['WAITING_TO_START', 0],
      ['COMPLETED RUNNING WAITING_TO_START', 1],
      ['WAITING_TO_START RUNNING', 1],
      ['RUNNING WAITING_TO_START', 0],
      ['RUNNING RUNNING COMPLETED', 1],
      ['WAITING_TO_START WAITING_TO_START', 1],
      ['COMPLETED FAILED CANCELED EXPIRED NOT_EXECUTED', null],
      ['running SNOOZED UNKNOWN', null],
    ] as const
    for (const [statuses, expected] of table) {
      const steps = statuses.split(' ').map((status, index) => stepOf({ id: `${index}`, status }))
      t.equal(presentProgress(steps, false).currentStepId, expected === null ? null : `${expected}`, statuses)
    }
  },
)

t.test('the current step, when Hilos gives it no id, still says what it waits for', async (t) => {
  const progress = atStep('RUNNING', { answer_type: 'BOOL' }, { id: null, expire_on: at('10:00:00') })
  t.strictSame(progress, { ...nowhere, steps: 1, waitingFor: 'ANSWER', expiresAt: '2026-11-22T10:00:00Z' })
})

t.test('the current step, after the end of the run, is none, and nothing is waited for', async (t) => {
  const step = stepOf({
    id: 'here',
    status: 'RUNNING',
    expire_on: at('10:00:00'),
    step: definitionOf({ answer_type: 'BOOL', delay_until: at('11:00:00') }),
  })
  t.strictSame(presentProgress([step], true), { ...nowhere, steps: 1 })
})

t.test('what is waited for, by the current step, is an answer, a delay or neither', async (t) => {
  const table = [
    ['RUNNING', { answer_type: 'FREE_TEXT' }, 'ANSWER'],
    ['RUNNING', { answer_type: 'FREE_TEXT', delay_until: 1, step_type: 'DELAY' }, 'ANSWER'],
    ['RUNNING', { answer_type: '', delay_until: 1 }, 'DELAY'],
    ['RUNNING', { delay_until: 0 }, 'DELAY'],
    ['RUNNING', { step_type: 'DELAY' }, 'DELAY'],
    ['RUNNING', { step_type: 'Delay' }, 'DELAY'],
    ['RUNNING', { step_type: 'DELAYED' }, null],
    ['RUNNING', { step_type: 'MESSAGE' }, null],
    ['RUNNING', {}, null],
    ['RUNNING', null, null],
    ['WAITING_TO_START', { answer_type: 'FREE_TEXT' }, null],
    ['WAITING_TO_START', { delay_until: 1, step_type: 'DELAY' }, null],
    ['COMPLETED', { answer_type: 'FREE_TEXT' }, null],
  ] as const
  for (const [status, definition, expected] of table)
    t.equal(atStep(status, definition).waitingFor, expected, `${status} ${JSON.stringify(definition)}`)
})

t.test('the deadline, of the current step, is the nearest of its two', async (t) => {
  const [early, late] = ['2026-11-22T10:00:00Z', '2026-11-22T11:00:00Z']
  const table = [
    [null, null, null],
    [early, null, early],
    [null, late, late],
    [early, late, early],
    [late, early, early],
  ] as const
  const ms = (instant: string | null) => (instant === null ? null : Date.parse(instant))
  for (const [expires, delay, expected] of table)
    for (const status of ['RUNNING', 'WAITING_TO_START']) {
      const progress = atStep(status, { delay_until: ms(delay) }, { expire_on: ms(expires) })
      t.equal(progress.expiresAt, expected, `${status}, expires ${expires}, delayed until ${delay}`)
    }
  t.equal(atStep('RUNNING', null, { expire_on: 0 }).expiresAt, '1970-01-01T00:00:00Z')
})

t.test('the deadline, of any other step, does not count', async (t) => {
  const steps = [
    stepOf({ id: 'done', status: 'COMPLETED', expire_on: at('10:00:00') }),
    stepOf({ id: 'here', status: 'RUNNING', expire_on: at('11:00:00') }),
    stepOf({ id: 'next', status: 'WAITING_TO_START', expire_on: at('10:30:00') }),
  ]
  t.strictSame(presentProgress(steps, false), {
    ...nowhere,
    steps: 3,
    completed: 1,
    currentStepId: 'here',
    expiresAt: '2026-11-22T11:00:00Z',
  })
})
