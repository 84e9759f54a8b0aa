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
  /** The digit that WhatsApp has between code and national number; empty for most countries. */
  readonly mark: string
  readonly national: string
}

const plan = (code: string, length: number, mark = '') => ({ code, length, mark })
const plans = fc.constantFrom(
  ...new Array<ReturnType<typeof plan>>(4).fill(plan('52', 10, '1')),
  ...[plan('54', 10, '9'), plan('1', 10), plan('7', 10), plan('44', 10)],
  ...[plan('34', 9), plan('502', 8), plan('49', 11)],
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
/** Never only spaces, because a single digit before a space need not belong to the number. */
const tight = fc.constantFrom('', '-', ' (', '.', ') ')
const zeros = fc.constantFrom(0x30, 0x30, 0x30, 0x660, 0x6f0, 0xff10)

/** The digits with separators between them. */
const spread = (text: string) =>
  fc
    .tuple(zeros, fc.array(separator, { minLength: text.length - 1, maxLength: text.length - 1 }))
    .map(([zero, between]) =>
      Array.from(text, (digit, index) => String.fromCharCode(zero + Number(digit)) + (between[index] ?? '')).join(''),
    )
const joined = (...parts: readonly fc.Arbitrary<string>[]) => fc.tuple(...parts).map((texts) => texts.join(''))
const oneOf = (...texts: readonly string[]) =>
  fc.constantFrom(...texts).chain((text) => (text ? spread(text) : fc.constant('')))

/** The number in one of the ways in which people write it. */
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

/** Texts that are not part of a number or an address, and do not join what stands on their two sides. */
const plain = fc.constantFrom(
  ...['Hola', ' ¿qué tal? ', ', ', '\n', ' 🚚 ', 'Piso 2 ', 'a las 10:30 h ', 'MX-20931: ', 'tel:', 'wa.me/x'],
  ...['«', '»', ' مرحبا ', '[', ']', '*', '_', '"', ' {"a":', '}', ';', '\u0000', '$&', '\\', ' = '],
)

interface Writing {
  readonly text: string
  readonly scrubbed: string
}

/** A text about the contact, and the same text with its number and its address cut out. */
function writings(number: Number, email: string): fc.Arbitrary<Writing> {
  const pieces = fc.oneof(
    plain.map((text) => [text, text]),
    spellingsOf(number).map((text) => [text, '[phone]']),
    writtenOf(email).map((text) => [text, '[email]']),
  )
  return fc.array(fc.tuple(plain, pieces), { minLength: 1, maxLength: 6 }).map((pairs) => ({
    text: `texto~${pairs.map(([before, [text]]) => `${before}${text}`).join('')}`,
    scrubbed: `texto~${pairs.map(([before, [, scrubbed]]) => `${before}${scrubbed}`).join('')}`,
  }))
}

interface Person {
  readonly number: Number
  readonly email: string
  readonly writings: readonly Writing[]
}
const people: fc.Arbitrary<Person> = fc.tuple(numbers, emails).chain(([number, email]) =>
  fc.record({
    number: fc.constant(number),
    email: fc.constant(email),
    writings: fc.array(writings(number, email), { minLength: 6, maxLength: 6 }),
  }),
)

/** A contact with these texts in all places for text, in the order of `textsOf`. */
function contactOf({ number, email, writings: written }: Person): ExecutionContact {
  const [reason = '', stepReason = '', value = '', text = '', name = '', address = ''] = written.map(
    (each) => each.text,
  )
  const location = { latitude: 19.4284, longitude: -99.1617, name, address }
  return {
    ...filledContact,
    reason,
    contact: { ...filledContact.contact, phone: number.phone, email },
    steps: filledContact.steps.map((step) => ({ ...step, reason: stepReason })),
    answers: filledContact.answers.map((answer) => ({ ...answer, value })),
    messages: filledContact.messages.map((message) => ({ ...message, text, location })),
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

t.test("an agent sees texts without the contact's number and address, and otherwise unchanged", async (t) => {
  const property = fc.property(people, (person) => {
    const texts = textsOf(redact(contactOf(person), 'agent'))
    const expected = person.writings.map(({ scrubbed }) => [scrubbed])
    if (!isDeepStrictEqual(texts, expected)) throw new Error(JSON.stringify({ texts, expected }))
  })
  holds(t, property, { numRuns })
})

t.test('number, address and last name are hidden below full, and all texts from a viewer', async (t) => {
  const property = fc.property(people, (person) => {
    const { number, email } = person
    const contact = contactOf(person)
    const hidden = { agent: [number.national, email, 'González'], viewer: ['texto~', 'María', '19.4284'] }
    const [agent, viewer] = (['agent', 'viewer'] as const).map((profile) => JSON.stringify(redact(contact, profile)))
    const isHidden = !hidden.agent.some((text) => agent?.includes(text) || viewer?.includes(text))
    if (!isHidden || hidden.viewer.some((text) => viewer?.includes(text))) return false
    return isDeepStrictEqual(redact(contact, 'full'), contactOf(person))
  })
  holds(t, property)
})

t.test('a redaction gives the same result each time, and does not change the contact', async (t) => {
  const property = fc.property(people, people, (person, other) => {
    const contact = contactOf(person)
    const first = redact(contact, 'agent')
    redact(contactOf(other), 'agent')
    return isDeepStrictEqual(redact(contact, 'agent'), first) && isDeepStrictEqual(contact, contactOf(person))
  })
  holds(t, property)
})

t.test('a number with more digits before or after it is another number', async (t) => {
  const property = fc.property(numbers, digits('2-79', 1), digits('2-79', 3), (number, digit, more) => {
    const scrub = createScrubber({ phone: number.phone, email: null })
    const others = [number.national + digit, number.code + number.national + digit, `${more}${more}${number.national}`]
    return others.every((text) => scrub(`a ${text} b`) === `a ${text} b`)
  })
  holds(t, property, { numRuns })
})

t.test('a scrubbed text is not changed by another scrubbing', async (t) => {
  const property = fc.property(people, fc.string({ unit: 'binary' }), ({ number, email, writings: written }, any) => {
    const scrub = createScrubber({ phone: number.phone, email })
    return [any, ...written.map(({ text }) => text)].every((text) => scrub(scrub(text)) === scrub(text))
  })
  holds(t, property)
})
