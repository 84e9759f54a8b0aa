import t from 'tap'
import { identityOf } from '../../../src/presentation/redaction/identity.ts'
import type { HilosDocument } from '../../../src/upstream/document/hilos-document.ts'
import { unreadable } from '../../../src/upstream/document/shape.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { contactOf, definitionOf, documentOf, messageOf, stepOf } from '../builders.ts'

const ana = contactOf({ id: 'c', first_name: 'Ana' })
const identity = (given: Partial<HilosDocument>) => identityOf(documentOf({ contact: ana, ...given }))
const ofContact = (given: object) => identity({ contact: { ...ana, ...given } })
const ofMessages = (...messages: object[]) =>
  identity({ execution_steps: [stepOf({ messages: messages.map((message) => messageOf(message)) })] })
const ofAnswer = (answer_type: string, body: string, result: string | number | null = null) =>
  identity({
    execution_steps: [
      stepOf({
        step: definitionOf({ answer_type }),
        execution_result: result,
        messages: [
          messageOf({ direction: 'OUTBOUND', body: '5550001234 x@y.mx' }),
          messageOf({ direction: 'in', body }),
        ],
      }),
    ],
  })

t.test('the numbers and addresses are those that the document has of the contact, wherever they stand', async (t) => {
  const cases: readonly (readonly [found: ReturnType<typeof identityOf>, numbers: string[], addresses: string[]])[] = [
    [identity({}), [], []],
    [ofContact({ canonical_phone: '+52 55 1234 4433', phone: '5598765432' }), ['+525512344433', '5598765432'], []],
    [ofContact({ canonical_phone: '+525512344433', phone: '525512344433' }), ['+525512344433'], []],
    [ofContact({ canonical_phone: '525512344433', phone: '+525512344433' }), ['+525512344433'], []],
    [ofContact({ email: 'Ana <ANA@x.mx>; b@y.mx' }), [], ['ana@x.mx', 'b@y.mx']],
    [ofContact({ email: 'mailto:Ana@x.mx?subject=hola' }), [], ['ana@x.mx']],
    [ofContact({ phone: '2079460958 - 20794' }), ['207946095820794'], []],
    [ofContact({ phone: '7946 095 - 7946 096' }), ['79460957946096', '7946095', '7946096'], []],
    [ofContact({ phone: '5512344433 (2)' }), ['55123444332', '5512344433'], []],
    [ofContact({ phone: '+52 55 1234 4433 / 35' }), ['+52551234443335', '+525512344433'], []],
    [ofContact({ phone: 'ana@x.mx', email: '5512344433' }), ['5512344433'], ['ana@x.mx']],
    [ofMessages({ direction: 'INBOUND', from_number: '5512344433', to_number: '5550001234' }), ['5512344433'], []],
    [ofMessages({ direction: 'OUTBOUND', from_number: '5550001234', to_number: '5512344433' }), ['5512344433'], []],
    [ofMessages({ from_number: '5550001234', to_number: '5512344433' }), ['5550001234', '5512344433'], []],
    [ofMessages({ source: 'INBOUND', from_number: 'ana@x.mx' }), [], ['ana@x.mx']],
    [ofAnswer('PHONE', 'mi otro es 55 9876 5432, gracias'), ['5598765432'], []],
    [ofAnswer('EMAIL', '(es ana@x.mx.)'), [], ['ana@x.mx']],
    [ofAnswer('email', 'ana @ x.mx'), [], ['ana@x.mx']],
    [ofAnswer('EMAIL', '*ana@x.mx* o _b@y.mx_ o 📧c@z.mx✅'), [], ['ana@x.mx', 'b@y.mx', 'c@z.mx']],
    [ofAnswer('EMAIL', 'email=ana@x.mx'), [], ['email=ana@x.mx', 'ana@x.mx']],
    [ofAnswer('EMAIL', 'correo(ana@x.mx)/b@y.mx'), [], ['correo(ana@x.mx', 'x.mx)/b@y.mx', 'ana@x.mx', 'b@y.mx']],
    [ofAnswer('EMAIL', 'a@x.mx/b@y.mx@_@z.mx'), [], ['a@x.mx', 'x.mx/b@y.mx', '_@z.mx', 'b@y.mx']],
    [ofAnswer('PHONE', 'no tengo', 5598765432), ['5598765432'], []],
    [ofAnswer('EMAIL', 'no tengo', 'ana@x.mx'), [], ['ana@x.mx']],
    [
      identity({
        execution_steps: [stepOf({ step: definitionOf({ answer_type: 'EMAIL' }), messages: [messageOf()] })],
      }),
      [],
      [],
    ],
    [ofAnswer('FREE_TEXT', '55 9876 5432 ana@x.mx', 'b@y.mx'), [], []],
  ]
  const check = ([{ lastNames, isComplete, ...found }, numbers, addresses]: (typeof cases)[number]) =>
    difference([found, isComplete, lastNames], [{ numbers, addresses }, true, []])
  checkRows(t, cases, check, 'every document')
})

t.test('in doubt, not all of them are known', async (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => 5500000000 + index)
  const mails = (count: number) => many(count).map((each) => `${each}@x.mx`)
  const doubts = [
    ...[unreadable, 'unknown', '****4433', '12345', '1'.repeat(21), 'x'.repeat(1001), '1-800-FLOWERS'].flatMap(
      (value) => [
        ofContact({ canonical_phone: value, phone: '5512344433' }),
        ofContact({ phone: value }),
        ofMessages({ direction: 'in', from_number: value }),
        ofMessages({ direction: 'out', to_number: value }),
      ],
    ),
    ...[unreadable, 'ana(at)x.mx', 'n/a', `${'a'.repeat(64)}@${'b'.repeat(190)}`].map((email) => ofContact({ email })),
    // Two numbers, without what tells where the first ends.
    ...['5512344433 5598765432', '5512344433 - 5598765432', '+52 55 1234 4433 55 9876 5432'].flatMap((value) => [
      ofContact({ phone: value }),
      ofContact({ canonical_phone: '5512344433', phone: value }),
      ofAnswer('PHONE', `es ${value}`),
    ]),
    ofContact({ email: mails(6).join() }),
    ofContact({ email: mails(2000).join() }),
    ofContact({ phone: many(11).join() }),
    ofMessages(...many(11).map((number) => ({ direction: 'in', from_number: `${number}` }))),
    ofAnswer('PHONE', many(11).join()),
    ofAnswer('EMAIL', 'x'.repeat(10_001)),
    ...[{ is_deleted: true }, { id: null }].map((given) => ofContact({ phone: '5512344433', ...given })),
    identity({ contact: null }),
  ]
  checkRows(t, doubts, ({ isComplete }) => difference(isComplete, false), 'every doubt')
  const certain = [
    ...['', ' ', null].flatMap((value) => [ofContact({ phone: value }), ofContact({ email: value })]),
    ofContact({ email: `${'a'.repeat(64)}@${'b'.repeat(189)}` }),
    ofContact({ email: mails(5).join() }),
    ofContact({ phone: many(10).join() }),
    ofMessages({ direction: 'in', to_number: 'unknown' }, { direction: 'out', from_number: unreadable }),
    ofAnswer('EMAIL', 'no tengo'),
  ]
  checkRows(t, certain, ({ isComplete }) => difference(isComplete, true), 'every certain one')
})

t.test('an address that is not alone in its field is found with each possible beginning', async (t) => {
  const fields = [
    'ana@x.mx/otra@x.mx',
    'ana@x.mx|otra@x.mx',
    'ana@x.mx&otra@x.mx',
    'a=ana@x.mx otra@x.mx',
    '(ana@x.mx) otra@x.mx',
  ]
  const check = (field: string) => {
    const { addresses } = ofContact({ email: field })
    return difference([addresses.includes('ana@x.mx'), addresses.includes('otra@x.mx')], [true, true])
  }
  checkRows(t, fields, check, 'every field')
  for (const alone of ['a!b@x.mx', 'a/b@x.mx', "o'b@x.mx"]) t.strictSame(ofContact({ email: alone }).addresses, [alone])
})

t.test('more numbers and addresses than the bounds allow are not looked for', async (t) => {
  const { numbers } = ofMessages(
    ...Array.from({ length: 500 }, (_, index) => ({ direction: 'in', from_number: `${5500000000 + index}` })),
  )
  t.equal(numbers.length, 10)
  t.ok(ofContact({ email: Array.from({ length: 30 }, (_, index) => `${index}@x.mx`).join() }).addresses.length <= 5)
})

t.test('the names that are only a last name are known', async (t) => {
  const sender = { first_name: null, last_name: 'Ramos' }
  const found = identity({
    contact: { ...ana, first_name: null, last_name: 'Hernández Quiroga' },
    status_triggered_by: { first_name: null, last_name: 'Ramírez' },
    execution_steps: [stepOf({ messages: [messageOf({ sent_by: sender }), messageOf({ sent_by: sender })] })],
  })
  t.strictSame(found.lastNames, ['Hernández Quiroga', 'Ramírez', 'Ramos'])
  const named = identity({ status_triggered_by: { first_name: 'Diego', last_name: 'Ramírez' } })
  t.strictSame(named.lastNames, [])
  t.strictSame(ofContact({ first_name: null, last_name: null }).lastNames, [])
  const noNames = ['-', '.', ' ', '\u200b', '+52 55 1234 4433', 'ana@x.mx', '184069530861739@lid', '[phone]']
  const check = (first_name: string) => {
    const last_name = 'González'
    return difference(ofContact({ first_name, last_name }).lastNames, [`${first_name} ${last_name}`])
  }
  checkRows(t, noNames, check, 'every text that is no first name')
  t.strictSame(ofContact({ first_name: 'x'.repeat(501), last_name: 'González' }).lastNames, [])
})
