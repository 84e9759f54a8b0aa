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

const photo = reply('a', '02', { body: null, msg_type: 'image', content_url: 'https://files.example/a.jpg' })
const place = reply('a', '02', {
  body: null,
  msg_type: 'location',
  location: {
    latitude: 19.4284,
    longitude: -99.1617,
    address: 'Av. Reforma',
    place_name: 'Reforma 222',
    map_screenshot_url: null,
  },
})

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
    ['a reaction after the reply', [question, a, reply('b', '03', { msg_type: 'reaction', body: '👍' })], replied],
    ['a note of WhatsApp', [question, a, reply('b', '03', { msg_type: 'system' })], replied],
    ['a message that it cannot show', [question, a, reply('b', '03', { msg_type: 'unsupported' })], replied],
    ['a wish for a welcome', [question, a, reply('b', '03', { msg_type: 'request_welcome' })], replied],
    ['only a reaction', [question, reply('b', '03', { msg_type: 'reaction', body: '👍' })], null],
    ['only a photo', [question, photo], { ...replied, value: null }],
    ['a photo after a text', [question, a, { ...photo, id: 'b' }], replied],
    ['only a place', [question, place], { ...replied, value: 'Reforma 222, Av. Reforma (19.4284,-99.1617)' }],
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
    // A reaction answers nothing, so a deleted one takes nothing back.
    [
      { execution_result: 'Monday', messages: [question, { ...deleted, msg_type: 'reaction' }] },
      { ...recorded, value: 'Monday' },
    ],
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
    ...[{ action_request_method: true }, { step_type: 'ACTION' }, { step_type: null }].map((given) => ({
      step: { ...definition, ...given },
      execution_result: 'sk_live_courier',
    })),
  ]
  checkRows(t, cases, (given) => difference(answerOf(given), null), 'none has an answer')
})

t.test('a question for a file is answered by a file, and where it is stays hidden', async (t) => {
  const url = 'https://files.example/a.jpg?X-Amz-Signature=5f2d7c'
  const types = ['FILE', 'DOCUMENT', 'IMAGE', 'VIDEO', 'image', 'AUDIO']
  const check = (answer_type: string) => {
    const step = { ...definition, answer_type }
    const found = [
      { messages: [question, photo], execution_result: url },
      { messages: [question, { ...photo, body: 'mi INE' }], execution_result: url },
      { messages: [question], execution_result: url },
      { messages: [question, a, { ...photo, id: 'b', timestamp: at('10:03:00') }] },
      { messages: [question, photo, b] },
      { messages: [question, { ...photo, is_deleted: true }], execution_result: url },
      { messages: [question] },
    ].map((given) => answerOf({ step, ...given }))
    const typed = { ...asked, answerType: answer_type }
    return difference(found, [
      { ...replied, ...typed, value: null },
      { ...replied, ...typed, value: 'mi INE' },
      { ...recorded, ...typed, value: null },
      { ...repliedLater, ...typed, value: null },
      { ...repliedLater, ...typed },
      null,
      null,
    ])
  }
  checkRows(t, types, check, 'every type')
})

t.test('a question for a place is answered by a place, as a text with its coordinates', async (t) => {
  const step = { ...definition, answer_type: 'LOCATION' }
  const located = (given: Partial<NonNullable<HilosMessage['location']>>) => {
    const nothing = { latitude: null, longitude: null, address: null, place_name: null, map_screenshot_url: null }
    return answerOf({ step, messages: [question, { ...place, location: { ...nothing, ...given } }] })?.value
  }
  t.equal(located({ latitude: 19.4284, longitude: -99.1617 }), '19.4284,-99.1617')
  t.equal(located({ latitude: 0, longitude: 0, place_name: 'Reforma' }), 'Reforma (0,0)')
  t.equal(located({ latitude: 1, address: 'Av. Reforma' }), 'Av. Reforma')
  t.equal(located({}), null)
  const later = { ...place, id: 'b', timestamp: at('10:03:00') }
  t.equal(answerOf({ step, messages: [question, place, later] })?.messageId, 'b')
  t.equal(answerOf({ step, messages: [question, later, a] })?.messageId, 'b')
  t.equal(answerOf({ step, messages: [question, a] })?.value, 'says a')
  t.equal(answerOf({ step, messages: [question, { ...place, is_deleted: true }], execution_result: 'x' }), null)
})

t.test('where options are shown with numbers, the answer is the option that Hilos recorded', async (t) => {
  const number = reply('a', '02', { body: '1' })
  const cases: readonly (readonly [render: string | null, given: Partial<HilosStepExecution>, value: unknown])[] = [
    ['NUMBERS', { execution_result: 'Lunes' }, 'Lunes'],
    ['EMOJIS', { execution_result: 'Lunes' }, 'Lunes'],
    ['LIST', { execution_result: 'Lunes' }, '1'],
    [null, { execution_result: 'Lunes' }, '1'],
    ['NUMBERS', { execution_result: null }, '1'],
    ['NUMBERS', { execution_result: '' }, '1'],
    ['NUMBERS', { execution_result: 1 }, '1'],
  ]
  const check = ([answer_options_render, given, value]: (typeof cases)[number]) => {
    const step = { ...definition, answer_options_render }
    return difference(answerOf({ step, messages: [question, number], ...given }), { ...replied, value })
  }
  checkRows(t, cases, check, 'every way to show the options')
  const step = { ...definition, answer_options_render: 'NUMBERS', action_request_method: true }
  t.equal(answerOf({ step, messages: [question, number], execution_result: 'Lunes' })?.value, '1')
})
