import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { ExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { redact } from '../../src/presentation/redaction/redaction.ts'
import { createScrubber } from '../../src/presentation/redaction/scrubbing.ts'
import { filledContact } from '../presentation/builders.ts'
import { holds } from './holds.ts'

const numRuns = 500
const digits = (first: string, length: number) => fc.stringMatching(new RegExp(`^[${first}]\\d{${length - 1}}$`))

interface Number {
  /** As Hilos has it. */
  readonly phone: string
  readonly code: string
  /** The digit that WhatsApp has between code and national number, where it has one. */
  readonly mark: string
  readonly national: string
}

const plans = fc.constantFrom(
  ...[
    { code: '52', mark: '1', length: 10, weight: 4 },
    { code: '54', mark: '9', length: 10, weight: 1 },
    { code: '1', mark: '', length: 10, weight: 1 },
    { code: '7', mark: '', length: 10, weight: 1 },
    { code: '44', mark: '', length: 10, weight: 1 },
    { code: '34', mark: '', length: 9, weight: 1 },
    { code: '502', mark: '', length: 8, weight: 1 },
    { code: '49', mark: '', length: 11, weight: 1 },
  ].flatMap(({ weight, ...plan }) => Array.from({ length: weight }, () => plan)),
)
const numbers: fc.Arbitrary<Number> = plans.chain(({ code, mark, length }) =>
  fc
    .tuple(digits('2-79', length), fc.constantFrom('+', '', '00', '+ (', 'tel:+'), fc.constantFrom('', mark))
    .map(([national, before, written]) => ({ phone: before + code + written + national, code, mark, national })),
)

const separator = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(' ', '-', '.', '/', '\u00a0', '\u202f', '\u2013', ') ', ' (', '\u200b', '%20'),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[\s().\-/\u2011\u200e\u2060]{1,6}$/) },
)
/** Not only spaces, behind which a single digit may be anything. */
const tight = fc.constantFrom('', '-', ' (', '.', ') ')
const zeros = fc.constantFrom(0x30, 0x30, 0x30, 0x660, 0x6f0, 0xff10)

/** The digits with something between them. */
const spread = (text: string) =>
  fc
    .tuple(zeros, fc.array(separator, { minLength: text.length - 1, maxLength: text.length - 1 }))
    .map(([zero, between]) =>
      Array.from(text, (digit, index) => String.fromCharCode(zero + Number(digit)) + (between[index] ?? '')).join(''),
    )
const joined = (...parts: readonly fc.Arbitrary<string>[]) => fc.tuple(...parts).map((texts) => texts.join(''))
const oneOf = (...texts: readonly string[]) =>
  fc.constantFrom(...texts).chain((text) => (text ? spread(text) : fc.constant('')))

/** The number as somebody may write it. */
function spellingsOf({ code, mark, national }: Number): fc.Arbitrary<string> {
  const plus = fc.constantFrom('+', '+ ', '\uff0b', '%2B', '+(', '')
  const behind = fc.constantFrom('', mark, '0', '01', '044', '1')
  const trunk = behind.chain((text) => (text ? joined(spread(text), separator) : fc.constant('')))
  const exit = oneOf('', '00', '011').chain((text) => joined(fc.constant(text), text ? separator : fc.constant('')))
  return fc.oneof(
    joined(plus, exit, spread(code), separator, trunk, spread(national)),
    joined(spread(national)),
    joined(oneOf('01', '044', '045'), separator, spread(national)),
    joined(fc.constantFrom('0', '1', '8', mark || '0'), tight, spread(national)),
  )
}

const emails = fc
  .tuple(fc.stringMatching(/^[a-zñ][a-z0-9._+'-]{0,10}$/), fc.stringMatching(/^[a-z][a-z0-9-]{0,8}\.(mx|com\.mx|org)$/))
  .map(([local, domain]) => `${local}@${domain}`)
const writtenOf = (email: string) =>
  fc.constantFrom(
    ...[email, email.toUpperCase(), email.replace('@', '%40'), email.normalize('NFD'), email.replaceAll('+', '%2B')],
  )

/** Nothing of these is in a number or an address, and none joins what stands on its two sides. */
const plain = fc.constantFrom(
  ...[
    'Hola',
    ' ¿qué tal? ',
    ', ',
    '\n',
    ' 🚚 ',
    'Piso 2 ',
    'a las 10:30 h ',
    'MX-20931: ',
    'tel:',
    'wa.me/x',
    '«',
    '»',
  ],
  ...[' مرحبا ', '[', ']', '*', '_', '"', ' {"a":', '}', ';', '\u0000', '$&', '\\', ' = '],
)

interface Writing {
  readonly text: string
  readonly scrubbed: string
}

/** A text about the contact, and what remains when its number and its address are cut out. */
function writings(number: Number, email: string): fc.Arbitrary<Writing> {
  const pieces = fc.oneof(
    plain.map((text) => ({ text, scrubbed: text })),
    spellingsOf(number).map((text) => ({ text, scrubbed: '[phone]' })),
    writtenOf(email).map((text) => ({ text, scrubbed: '[email]' })),
  )
  return fc.array(fc.tuple(plain, pieces), { minLength: 1, maxLength: 6 }).map((pairs) => {
    const all = [
      { text: 'texto~', scrubbed: 'texto~' },
      ...pairs.flatMap(([text, piece]) => [{ text, scrubbed: text }, piece]),
    ]
    return { text: all.map(({ text }) => text).join(''), scrubbed: all.map(({ scrubbed }) => scrubbed).join('') }
  })
}

interface Person {
  readonly number: Number
  readonly email: string
  readonly writings: readonly Writing[]
}
const people: fc.Arbitrary<Person> = fc
  .tuple(numbers, emails)
  .chain(([number, email]) =>
    fc
      .array(writings(number, email), { minLength: 6, maxLength: 6 })
      .map((written) => ({ number, email, writings: written })),
  )

/** A contact with these texts wherever one can be theirs, in the order of `textsOf`. */
function contactOf({ number, email, writings: written }: Person): ExecutionContact {
  const [reason = '', stepReason = '', value = '', text = '', name = '', address = ''] = written.map(
    (each) => each.text,
  )
  return {
    ...filledContact,
    reason,
    contact: { ...filledContact.contact, phone: number.phone, email },
    steps: filledContact.steps.map((step) => ({ ...step, reason: stepReason })),
    answers: filledContact.answers.map((answer) => ({ ...answer, value })),
    messages: filledContact.messages.map((message) => ({
      ...message,
      text,
      location: { latitude: 19.4284, longitude: -99.1617, name, address },
    })),
  }
}

const textsOf = ({ reason, steps, answers, messages }: ExecutionContact) =>
  [
    [reason],
    steps.map((step) => step.reason),
    answers.map(({ value }) => value),
    messages.map(({ text }) => text),
    messages.map(({ location }) => location?.name),
    messages.map(({ location }) => location?.address),
  ].map((texts) => [...new Set(texts)])

t.test(
  'texts, whatever is in them, lose the number and the address of the contact for an agent, and nothing else',
  async (t) => {
    const property = fc.property(people, (person) => {
      const texts = textsOf(redact(contactOf(person), 'agent'))
      const expected = person.writings.map(({ scrubbed }) => [scrubbed])
      if (!isDeepStrictEqual(texts, expected)) throw new Error(JSON.stringify({ texts, expected }))
    })
    holds(t, property, { numRuns })
  },
)

t.test('a contact, whatever is in it, shows a viewer no text, neither number nor address', async (t) => {
  const property = fc.property(people, (person) => {
    const seen = JSON.stringify(redact(contactOf(person), 'viewer'))
    const { number, email } = person
    return ![number.national, email, 'texto~', 'María', 'González', '19.4284'].some((text) => seen.includes(text))
  })
  holds(t, property)
})

t.test('a contact, whatever is in it, shows an agent neither number nor address nor last name', async (t) => {
  const property = fc.property(people, (person) => {
    const seen = JSON.stringify(redact(contactOf(person), 'agent'))
    const { number, email } = person
    return ![number.national, email, 'González'].some((text) => seen.includes(text))
  })
  holds(t, property)
})

t.test('a contact, for the profile full, is itself', async (t) => {
  const property = fc.property(people, (person) =>
    isDeepStrictEqual(redact(contactOf(person), 'full'), contactOf(person)),
  )
  holds(t, property)
})

t.test('a contact, when redacted for an agent, is so again the next time, and does not change', async (t) => {
  const property = fc.property(people, people, (person, other) => {
    const contact = contactOf(person)
    const first = redact(contact, 'agent')
    redact(contactOf(other), 'agent')
    return isDeepStrictEqual(redact(contact, 'agent'), first) && isDeepStrictEqual(contact, contactOf(person))
  })
  holds(t, property)
})

t.test('a number, whatever digits stand right beside it, is another number', async (t) => {
  const property = fc.property(numbers, digits('2-79', 1), digits('2-79', 3), (number, digit, more) => {
    const scrub = createScrubber({ phone: number.phone, email: null })
    const others = [number.national + digit, number.code + number.national + digit, `${more}${more}${number.national}`]
    return others.every((text) => scrub(`a ${text} b`) === `a ${text} b`)
  })
  holds(t, property, { numRuns })
})

t.test('a text, whatever it is, when scrubbed, is not changed by being scrubbed again', async (t) => {
  const property = fc.property(people, fc.string({ unit: 'binary' }), ({ number, email, writings: written }, any) => {
    const scrub = createScrubber({ phone: number.phone, email })
    return [any, ...written.map(({ text }) => text)].every((text) => scrub(scrub(text)) === scrub(text))
  })
  holds(t, property)
})
