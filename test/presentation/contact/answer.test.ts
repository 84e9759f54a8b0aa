import t from 'tap'
import { presentAnswer } from '../../../src/presentation/contact/answer.ts'
import type { HilosMessage, HilosStepExecution } from '../../../src/upstream/document/hilos-document.ts'
import { at, definitionOf, messageOf, stepOf } from '../builders.ts'

const definition = definitionOf({
  id: 'definition-1',
  name: 'Confirm your name',
  step_type: 'QUESTION',
  answer_type: 'FREE_TEXT',
})
const asking = (given: Partial<HilosStepExecution>) =>
  presentAnswer(stepOf({ id: 'step-1', status_last_change_on: at('10:09:00'), step: definition, ...given }))

const out = (id: string, minute: string, given: Partial<HilosMessage> = {}) =>
  messageOf({ id, direction: 'OUTBOUND', body: `says ${id}`, timestamp: at(`10:${minute}:00`), ...given })
const reply = (id: string, minute: string, given: Partial<HilosMessage> = {}) =>
  out(id, minute, { direction: 'INBOUND', ...given })

const asked = { stepId: 'step-1', question: 'Confirm your name', answerType: 'FREE_TEXT' }
const replied = (id: string, minute: string) => ({
  ...asked,
  value: `says ${id}`,
  at: `2026-11-22T10:${minute}:00Z`,
  messageId: id,
})

t.test('an answer, from the messages of a step, is the last text of the contact after the question', async (t) => {
  const question = out('q', '01')
  const table: readonly (readonly [string, readonly HilosMessage[], ReturnType<typeof replied> | null])[] = [
    ['one reply', [question, reply('a', '02')], replied('a', '02')],
    [
      'a reply to a question without a time',
      [out('q', '01', { timestamp: null }), reply('a', '02')],
      replied('a', '02'),
    ],
    ['several replies', [question, reply('a', '02'), reply('b', '03')], replied('b', '03')],
    ['a new try', [question, reply('a', '02'), out('again', '03'), reply('b', '04')], replied('b', '04')],
    ['no reply to a second question', [question, reply('a', '02'), out('again', '03')], replied('a', '02')],
    ['replies out of order', [reply('b', '03'), question, reply('a', '02')], replied('b', '03')],
    ['a reply without a question', [reply('a', '02')], replied('a', '02')],
    ['only the question', [question], null],
    ['no message', [], null],
    ['an inbound message before the question', [reply('a', '00'), question], null],
    ['one before and one after', [reply('a', '00'), question, reply('b', '02')], replied('b', '02')],
    ['a deleted last reply', [question, reply('a', '02'), reply('b', '03', { is_deleted: true })], replied('a', '02')],
    ['a deleted only reply', [question, reply('a', '02', { is_deleted: true })], null],
    ['a last reply without text', [question, reply('a', '02'), reply('b', '03', { body: null })], replied('a', '02')],
    [
      'a last reply with an empty text',
      [question, reply('a', '02'), reply('b', '03', { body: '' })],
      replied('a', '02'),
    ],
    ['a reply of unknown direction', [question, reply('a', '02', { direction: 'sideways' })], null],
    [
      'a direction known by its source',
      [question, reply('a', '02', { direction: null, source: 'INBOUND' })],
      replied('a', '02'),
    ],
  ]
  for (const [name, messages, expected] of table) t.strictSame(asking({ messages }), expected, name)
})

t.test('an answer, when the contact wrote and Hilos recorded a result, is what the contact wrote', async (t) => {
  const messages = [out('q', '01'), reply('a', '02')]
  t.strictSame(asking({ messages, execution_result: 'MARÍA' }), replied('a', '02'))
})

t.test('an answer, when the reply has neither id nor time, is there without them', async (t) => {
  const messages = [out('q', '01'), messageOf({ direction: 'in', body: ' María\n' })]
  t.strictSame(asking({ messages }), { ...asked, value: ' María\n', at: null, messageId: null })
})

t.test('an answer, when only a result is recorded, is that scalar with its type', async (t) => {
  const recorded = { ...asked, at: '2026-11-22T10:09:00Z', messageId: null }
  for (const value of ['Monday', '0', 'false', ' ', 0, -1, 1.5, false, true]) {
    t.strictSame(asking({ execution_result: value }), { ...recorded, value }, JSON.stringify(value))
    t.strictSame(asking({ execution_result: value, messages: [out('q', '01')] }), { ...recorded, value })
  }
  t.strictSame(asking({ execution_result: 0, status_last_change_on: null }), { ...recorded, value: 0, at: null })
})

t.test('an answer, when nothing is recorded, is none', async (t) => {
  for (const execution_result of [null, ''])
    t.equal(asking({ execution_result }), null, JSON.stringify(execution_result))
})

t.test('an answer, of a step that asks nothing, is none, whatever is recorded', async (t) => {
  const recorded = { messages: [out('q', '01'), reply('a', '02')], execution_result: 'Monday' }
  for (const step of [null, definitionOf(), definitionOf({ answer_type: '' })])
    t.equal(asking({ ...recorded, step }), null)
})

t.test('an answer, of a step without an id and a name, is there without them', async (t) => {
  const step = definitionOf({ step_type: 'MENU', answer_type: 'BOOL' })
  t.strictSame(presentAnswer(stepOf({ step, execution_result: true })), {
    stepId: null,
    question: null,
    answerType: 'BOOL',
    value: true,
    at: null,
    messageId: null,
  })
})

t.test('an answer, of a step that calls a URL, is never the result, which may be what was called', async (t) => {
  for (const given of [{ has_action_request: true }, { step_type: 'ACTION' }, { step_type: null }])
    t.equal(asking({ step: { ...definition, ...given }, execution_result: 'sk_live_courier' }), null)
})

t.test('an answer, when the contact deleted it, does not come back as a result', async (t) => {
  const deleted = reply('a', '02', { is_deleted: true })
  t.equal(asking({ messages: [out('q', '01'), deleted], execution_result: 'secret' }), null)
  t.match(asking({ messages: [deleted, out('q', '03')], execution_result: 'Monday' }), { value: 'Monday' })
})
