import t from 'tap'
import { byTime, inOrder, stepsInOrder } from '../../../src/presentation/contact/order.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, documentOf, messageOf, stepOf } from '../builders.ts'

interface Timed {
  readonly id: string
  readonly time: number | null
}
/** `a1 b` is an element a at 1 s and an element b without a time. */
const elements = (text: string): Timed[] =>
  text.split(' ').map((word) => ({ id: word, time: word.length > 1 ? Number(word.slice(1)) * 1000 : null }))
const idsOf = (list: readonly { readonly id: string | null }[]) => list.map(({ id }) => id).join(' ')
const timeOf = ({ time }: Timed) => time

t.test('elements are put in the order of their times, the oldest first', async (t) => {
  const cases: readonly (readonly [list: string, ordered: string])[] = [
    ['a1 b2 c3', 'a1 b2 c3'],
    ['a2 b1 c3', 'b1 a2 c3'],
    ['a b2 c d1 e0 f1', 'a e0 d1 f1 b2 c'],
    // Within a second, the order of Hilos stands.
    ['a1.9 b1.0 c1.5', 'a1.9 b1.0 c1.5'],
    ['a1.9 b2.0 c1.0', 'a1.9 c1.0 b2.0'],
    // The newest first: the list is read from its end.
    ['a3 b2 c1', 'c1 b2 a3'],
    ['a3 b1.0 c1.9 d0', 'd0 c1.9 b1.0 a3'],
    ['a3 b c1', 'c1 b a3'],
    ['a', 'a'],
    ['a b c', 'a b c'],
    ['a-2 b-1', 'a-2 b-1'],
    ['a-1 b-2', 'b-2 a-1'],
  ]
  checkRows(t, cases, ([list, ordered]) => difference(idsOf(inOrder(elements(list), timeOf)), ordered), 'every list')
  t.strictSame(inOrder([], timeOf), [])
  const list = elements('b2 a1')
  inOrder(list, timeOf)
  t.equal(idsOf(list), 'b2 a1', 'the given list keeps its order')
  t.equal(idsOf(byTime(elements('b2 a1.5 c1.0'), timeOf)), 'a1.5 c1.0 b2', 'a list that is never read from its end')
})

t.test('steps and their messages are put in order, and messages without those that a step repeats', async (t) => {
  const said = (id: string | null, time: string | null, given = {}) =>
    messageOf({ id, timestamp: time === null ? null : at(time), ...given })
  const execution_steps = [
    stepOf({ id: 'new', created_on: at('11:00:00'), messages: [said('b', '11:00:02'), said('a', '11:00:01')] }),
    stepOf({
      id: 'old',
      created_on: at('10:00:00'),
      messages: [said('x', '10:00:00'), said(null, null), said('x', null), said(null, null)],
    }),
  ]
  const before = structuredClone(execution_steps)
  const steps = stepsInOrder(documentOf({ execution_steps }))
  t.equal(idsOf(steps), 'old new')
  t.strictSame(
    steps.map(({ messages }) => messages.map(({ id }) => id)),
    [
      ['x', null, null],
      ['a', 'b'],
    ],
  )
  t.strictSame(execution_steps, before, 'the document is not changed')
})

t.test('the messages of one second have the order of the other messages', async (t) => {
  const said = (id: string, time: string) => messageOf({ id, timestamp: at(time) })
  const oneSecond = stepOf({ id: 'two', messages: [said('b', '10:00:02.7'), said('a', '10:00:02.1')] })
  const orderOf = (...messages: Parameters<typeof said>[]) =>
    idsOf(
      stepsInOrder(
        documentOf({ execution_steps: [oneSecond, stepOf({ messages: messages.map((m) => said(...m)) })] }),
      )[0]?.messages ?? [],
    )
  t.equal(orderOf(['d', '10:00:04'], ['c', '10:00:03']), 'a b', 'the newest first')
  t.equal(orderOf(['c', '10:00:03'], ['d', '10:00:04']), 'b a')
  t.equal(orderOf(), 'b a')
})

t.test('a message is deleted if Hilos says so in any way, wherever it lists the message', async (t) => {
  const isDeleted = (...copies: readonly object[]) =>
    stepsInOrder(
      documentOf({ execution_steps: copies.map((copy) => stepOf({ messages: [messageOf({ id: 'm', ...copy })] })) }),
    ).map(({ messages }) => messages[0]?.is_deleted)
  t.strictSame(isDeleted({}), [false])
  t.strictSame(isDeleted({ is_deleted: true }), [true])
  for (const status of ['deleted', 'DELETED', 'Deleted']) t.strictSame(isDeleted({ status }), [true], status)
  t.strictSame(isDeleted({}, { status: 'deleted' }), [true, true])
  t.strictSame(isDeleted({ id: null }, { id: null, is_deleted: true }), [false, true])
  t.strictSame(isDeleted({ status: 'read' }, { id: 'other', is_deleted: true }), [false, true])
})
