import t from 'tap'
import { presentAnswer } from '../../../src/presentation/contact/answer.ts'
import type { HilosMessage, HilosStepExecution } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, definitionOf, messageOf, stepOf } from '../builders.ts'

const definition = definitionOf({
  id: 'definition-1',
  name: 'Confirm your name',
  step_type: 'QUESTION',
  answer_type: 'FREE_TEXT',
})
const answerOf = (given: Partial<HilosStepExecution>) =>
  presentAnswer(stepOf({ id: 'step-1', status_last_change_on: at('10:09:00'), step: definition, ...given }))

const out = (id: string, minute: string, given: Partial<HilosMessage> = {}) =>
  messageOf({ id, direction: 'OUTBOUND', body: `says ${id}`, timestamp: at(`10:${minute}:00`), ...given })
const reply = (id: string, minute: string, given: Partial<HilosMessage> = {}) =>
  out(id, minute, { direction: 'INBOUND', ...given })
const question = out('q', '01')
const [a, b] = [reply('a', '02'), reply('b', '03')]
const deleted = reply('a', '02', { is_deleted: true })

const asked = { stepId: 'step-1', question: 'Confirm your name', answerType: 'FREE_TEXT' }
const replied = { ...asked, value: 'says a', at: '2026-11-22T10:02:00Z', messageId: 'a' }
const repliedLater = { ...asked, value: 'says b', at: '2026-11-22T10:03:00Z', messageId: 'b' }
const recorded = { ...asked, at: '2026-11-22T10:09:00Z', messageId: null }

t.test('the answer is the last text that the contact sent after the question', async (t) => {
  const cases: readonly (readonly [string, readonly HilosMessage[], object | null])[] = [
    ['one reply', [question, a], replied],
    ['a reply to a question without a time', [out('q', '01', { timestamp: null }), a], replied],
    ['several replies', [question, a, b], repliedLater],
    ['a reply to the repeated question', [question, a, out('again', '02'), b], repliedLater],
    ['no reply to a second question', [question, a, out('again', '03')], replied],
    ['replies out of order', [b, question, a], repliedLater],
    ['replies without a question', [a, reply('b', '03', { body: null })], replied],
    ['only the question', [question], null],
    ['no message', [], null],
    ['a message before the question', [reply('a', '00'), question], null],
    ['one before and one after', [reply('a', '00'), question, b], repliedLater],
    ['a deleted last reply', [question, a, reply('b', '03', { is_deleted: true })], replied],
    ['a deleted only reply', [question, deleted], null],
    ['a last reply without a text', [question, a, reply('b', '03', { body: null })], replied],
    ['a last reply with an empty text', [question, a, reply('b', '03', { body: '' })], replied],
    ['a reply of unknown direction', [question, reply('a', '02', { direction: 'sideways' })], null],
    ['a direction known by its source', [question, reply('a', '02', { direction: null, source: 'INBOUND' })], replied],
    [
      'a reply without an id and a time',
      [question, messageOf({ direction: 'in', body: ' María\n' })],
      { ...asked, value: ' María\n', at: null, messageId: null },
    ],
  ]
  checkRows(t, cases, ([, messages, expected]) => difference(answerOf({ messages }), expected), 'every case')
})

t.test('a recorded result is the answer, with its type, if there is no reply', async (t) => {
  const results = ['Monday', '0', 'false', ' ', 0, -1, 1.5, false, true].flatMap((value) =>
    [[], [question]].map(
      (messages) =>
        [
          { execution_result: value, messages },
          { ...recorded, value },
        ] as const,
    ),
  )
  const step = definitionOf({ step_type: 'MENU', answer_type: 'BOOL' })
  const silent = { stepId: null, question: null, answerType: 'BOOL', value: true, at: null, messageId: null }
  const cases: readonly (readonly [Partial<HilosStepExecution>, object | null])[] = [
    ...results,
    [{ execution_result: null }, null],
    [{ execution_result: '' }, null],
    [
      { execution_result: 0, status_last_change_on: null },
      { ...recorded, value: 0, at: null },
    ],
    [{ execution_result: 'MARÍA', messages: [question, a] }, replied],
    [{ id: null, status_last_change_on: null, step, execution_result: true }, silent],
    // The contact has deleted the answer, so it does not come back as a result.
    [{ execution_result: 'secret', messages: [question, deleted] }, null],
    [
      { execution_result: 'Monday', messages: [deleted, out('q', '03')] },
      { ...recorded, value: 'Monday' },
    ],
  ]
  checkRows(t, cases, ([given, expected]) => difference(answerOf(given), expected), 'every case')
})

t.test('a step that asks nothing or calls a URL has no answer', async (t) => {
  const dialogue = { messages: [question, a], execution_result: 'Monday' }
  // The result of a step that calls a URL can be what was called.
  const cases: readonly Partial<HilosStepExecution>[] = [
    ...[null, definitionOf(), definitionOf({ answer_type: '' })].map((step) => ({ ...dialogue, step })),
    ...[{ has_action_request: true }, { step_type: 'ACTION' }, { step_type: null }].map((given) => ({
      step: { ...definition, ...given },
      execution_result: 'sk_live_courier',
    })),
  ]
  checkRows(t, cases, (given) => difference(answerOf(given), null), 'none has an answer')
})
