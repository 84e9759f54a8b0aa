import fc from 'fast-check'
import t from 'tap'
import { uuid } from '../../sandbox/parts.ts'
import type { View } from '../../src/presentation/views/view.ts'
import { digitsIn, folded, textsIn } from '../harness/folded.ts'
import { answerTo } from '../presentation/pipeline.ts'
import { holds } from './holds.ts'
import { coreOf, type PhoneNumber, phoneNumbers, spellingsOf } from './numbers-of-the-world.ts'

const id = uuid(0xf0, 1)

const addresses = fc
  .tuple(
    fc.stringMatching(/^[a-zñ][a-z0-9._+'-]{0,10}[a-z0-9]$/),
    fc.stringMatching(/^[a-z][a-z0-9-]{0,8}\.(mx|com\.mx|org)$/),
  )
  .map(([local, domain]) => `${local}@${domain}`)
const writtenOf = (address: string) =>
  fc.constantFrom(
    ...[
      address,
      address.toUpperCase(),
      address.replace('@', '%40'),
      address.normalize('NFD'),
      encodeURIComponent(address),
    ],
    ...[
      address.replace('@', ' @'),
      address.replace('@', '@ '),
      address.replace('@', '&#64;'),
      address.replace('@', '＠'),
    ],
    ...[
      Array.from(address).join('\u00ad'),
      encodeURIComponent(encodeURIComponent(address)),
      address.replace('@', '\\u0040'),
    ],
    ...[`mailto:${address}?subject=x`, `<${address}>`, `"${address}"`, `Ana <${address}>, x`],
  )

/** Texts that do not join what stands on their two sides. */
const plain = fc.constantFrom(
  ...[
    'Hola ',
    ' ¿qué tal? ',
    ', ',
    '\n',
    ' 🚚 ',
    ' a las diez ',
    'MX-',
    ' tel:',
    '«',
    '»',
    ' مرحبا ',
    '[',
    '*',
    '_',
    '"',
  ],
  ...[' {"a":"', '"}', '; ', '$& ', ' = ', ' 漢字 '],
)

interface Person {
  readonly number: PhoneNumber
  readonly address: string
  readonly writings: readonly string[]
}
const people: fc.Arbitrary<Person> = fc.tuple(phoneNumbers, addresses).chain(([number, address]) => {
  const piece = fc.oneof({ weight: 3, arbitrary: spellingsOf(number) }, { weight: 1, arbitrary: writtenOf(address) })
  const writing = fc
    .array(fc.tuple(plain, piece, plain), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.flat().join(''))
  return fc.record({
    number: fc.constant(number),
    address: fc.constant(address),
    writings: fc.array(writing, { minLength: 24, maxLength: 24 }),
  })
})

/** Where Hilos may have the number and the address. */
const sources = ['canonical_phone', 'phone', 'from_number', 'to_number', 'answer', 'result'] as const
type Source = (typeof sources)[number]

/** A document that has the number and the address in one place each, and a text about them in every place for text. */
function documentOf({ number, address, writings }: Person, source: Source): object {
  const texts = [...writings]
  const next = () => texts.shift() ?? texts[0] ?? writings[0]
  const asks = source === 'answer' || source === 'result'
  const message = (given: object) => ({
    message: {
      id: next(),
      body: next(),
      msg_type: 'text',
      timestamp: '2026-11-22T10:00:00Z',
      context_message: next(),
      status: 'failed',
      provider_error_code: next(),
      sent_by: { first_name: next(), last_name: 'x' },
      location: { latitude: 1, longitude: 2, place_name: next(), address: next() },
      whatsapp_template: { name: next(), language: next() },
      ...given,
    },
  })
  const inbound = source === 'from_number' ? { from_number: number.phone } : {}
  const outbound = source === 'to_number' ? { to_number: number.phone } : {}
  const asked = (answer_type: string, answer: string) => ({
    id: uuid(0x5e, 1),
    step: { id: uuid(0xd0, 1), step_type: 'QUESTION', answer_type },
    execution_result: source === 'result' ? answer : null,
    messages: source === 'answer' ? [{ message: { id: 'a', direction: 'INBOUND', body: answer } }] : [],
  })
  return {
    id,
    status: next(),
    status_reason: next(),
    status_triggered_by: { first_name: 'Diego', last_name: next() },
    inbox_contact_id: next(),
    contact: {
      id: 'c1',
      first_name: 'Ana',
      last_name: next(),
      email: asks ? null : address,
      canonical_phone: source === 'canonical_phone' ? number.phone : null,
      phone: source === 'phone' ? number.phone : null,
    },
    flow: { id: next(), name: next(), trigger_type: next(), channel: { name: next(), channel_type: next() } },
    flow_version: { id: next(), version_name: next() },
    execution_steps: [
      ...(asks ? [asked('EMAIL', address), asked('PHONE', number.phone)] : []),
      {
        id: next(),
        status: next(),
        status_reason: next(),
        execution_result: next(),
        step: {
          id: next(),
          name: next(),
          step_type: 'QUESTION',
          answer_type: next(),
          answer_options: [next(), next()],
        },
        messages: [message({ direction: 'INBOUND', ...inbound }), message({ direction: 'OUTBOUND', ...outbound })],
      },
    ],
  }
}

t.test('no text of an answer for agents and viewers holds the number or the address of the contact', async (t) => {
  const property = fc.property(people, fc.constantFrom(...sources), (person, source) => {
    const document = documentOf(person, source)
    const core = coreOf(person.number)
    const address = folded(person.address)
    for (const profile of ['agent', 'viewer'] as const)
      for (const [path, text] of textsIn(answerTo(document, id, 'transcript', profile))) {
        const squeezed = folded(text).replace(/\s/g, '')
        if (digitsIn(text).includes(core) || squeezed.includes(address))
          throw new Error(
            `${profile} sees at ${path}: ${JSON.stringify([text, person.number.phone, person.address, source])}`,
          )
      }
  })
  holds(t, property, { numRuns: 400 })
})

t.test('what does not identify the contact stays as it is for agents', async (t) => {
  const others = fc.constantFrom(
    ...['Pedido MX-20931', '2026-11-22 10:00:01', '$5,512.34', 'Calle 5 # 12-34', 'otra@correo-ejemplo.mx', 'Piso 2'],
    ...[
      'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
      '+34 600 111 222',
      '55 9999 8888',
      '131047',
      '12:34:56',
      '100%',
      '5 + 5 = 10',
    ],
  )
  const texts = fc.array(fc.tuple(plain, others), { minLength: 1, maxLength: 5 }).map((parts) => parts.flat().join(''))
  const contact = { id: 'c1', canonical_phone: '+525512344433', email: 'maria@correo-ejemplo.mx' }
  const property = fc.property(texts, (text) => {
    const { reason, flow } = answerTo(
      { id, status_reason: text, contact, flow: { name: text } },
      id,
      'summary',
      'agent',
    )
    if (reason !== text || flow.name !== text) throw new Error(JSON.stringify([text, reason, flow.name]))
  })
  holds(t, property)
})

t.test('a number with more digits before or behind it is another number', async (t) => {
  const digits = (first: string, length: number) => fc.stringMatching(new RegExp(`^[${first}]\\d{${length - 1}}$`))
  const property = fc.property(
    phoneNumbers,
    digits('2-79', 1),
    digits('2-79', 3),
    ({ country, national }, digit, more) => {
      // With the code of the country before it, it may be the number with a prefix that selects a carrier: doubt hides.
      fc.pre(![`${more}99`, more + more].some((before) => before.startsWith(country.code)))
      const contact = { id: 'c1', canonical_phone: `+${country.code}${national}` }
      // A longer string of digits than a phone number has is an id that contains the number.
      const others = [
        national + digit,
        country.code + national + digit,
        `${more}99${national}`,
        `${more}${more}${national}`,
      ]
      for (const other of others) {
        const { reason } = answerTo({ id, status_reason: `a ${other} b`, contact }, id, 'summary', 'agent')
        if (reason !== `a ${other} b`) throw new Error(JSON.stringify([country.code, national, other, reason]))
      }
    },
  )
  holds(t, property)
})

t.test(
  'an answer is the same each time, and its redacted texts do not change when they are redacted again',
  async (t) => {
    const property = fc.property(people, fc.constantFrom(...sources), (person, source) => {
      const views: readonly View[] = ['summary', 'transcript']
      for (const view of views) {
        const [once, again] = [1, 2].map(() => answerTo(documentOf(person, source), id, view, 'agent'))
        if (JSON.stringify(once) !== JSON.stringify(again)) return false
      }
      const { reason } = answerTo(documentOf(person, source), id, 'summary', 'agent')
      const document = { ...documentOf(person, source), status_reason: reason }
      return answerTo(document, id, 'summary', 'agent').reason === reason
    })
    holds(t, property)
  },
)
