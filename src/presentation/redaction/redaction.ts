import type { Profile } from '../../access/profile.ts'
import type { Answer } from '../contact/answer.ts'
import type { ExecutionContact } from '../contact/execution-contact.ts'
import type { Message } from '../contact/message.ts'
import type { Step } from '../contact/step.ts'
import { digitsOf } from './phone-spellings.ts'
import { createScrubber, placeholders, type Scrubber } from './scrubbing.ts'

/**
 * What somebody of this profile may see of a contact.
 * @param contact unredacted; it is not changed
 */
export function redact(contact: ExecutionContact, profile: Profile): ExecutionContact {
  switch (profile) {
    case 'full':
      return contact
    case 'agent':
      return redactBy(agentRules(contact), contact)
    case 'viewer':
      return redactBy(viewerRules(contact), contact)
  }
}

type Rule<T> = (value: T) => T | null

/** What becomes of the parts that tell of a person. Null stays null. */
interface Rules {
  readonly name: Rule<string>
  readonly phone: Rule<string>
  readonly text: Rule<string>
  readonly value: Rule<Answer['value']>
  readonly location: Rule<NonNullable<Message['location']>>
  readonly sharedContacts: Rule<Message['sharedContacts']>
  /** For words of the flow's authors and of providers, which may repeat what identifies the contact. */
  readonly foreign: Scrubber
}

const withheld = () => null
const withoutTexts = { text: withheld, value: withheld, location: withheld }

function viewerRules({ contact }: ExecutionContact): Rules {
  return {
    ...withoutTexts,
    name: withheld,
    phone: withheld,
    sharedContacts: withheld,
    foreign: createScrubber(contact),
  }
}

function agentRules({ contact }: ExecutionContact): Rules {
  const scrub = createScrubber(contact)
  // Of whom Hilos says nothing any more, there is no telling what to look for in texts.
  const isUnknown = contact.isDeleted || contact.ref === null
  return {
    name: (name) => shortened(scrub(name)),
    phone: masked,
    sharedContacts: (count) => count,
    foreign: scrub,
    ...(isUnknown ? withoutTexts : scrubbedTexts(scrub)),
  }
}

function scrubbedTexts(scrub: Scrubber): Pick<Rules, keyof typeof withoutTexts> {
  return {
    text: scrub,
    value: (value) => {
      const scrubbed = scrub(String(value))
      return scrubbed === String(value) ? value : scrubbed
    },
    location: ({ name, address, ...coordinates }) => ({
      ...coordinates,
      name: unlessNull(name, scrub),
      address: unlessNull(address, scrub),
    }),
  }
}

function redactBy(rules: Rules, { contact, ...run }: ExecutionContact): ExecutionContact {
  return {
    ...run,
    reason: unlessNull(run.reason, rules.text),
    changedBy: unlessNull(run.changedBy, rules.name),
    contact: {
      ...contact,
      id: null,
      name: unlessNull(contact.name, rules.name),
      phone: unlessNull(contact.phone, rules.phone),
      email: null,
      masked: true,
      meta: {},
    },
    steps: run.steps.map((step) => redactStep(rules, step)),
    answers: run.answers.map((answer) => ({
      ...answer,
      value: unlessNull(answer.value, rules.value),
      messageId: unlessNull(answer.messageId, unlessFromWhatsApp),
    })),
    messages: run.messages.map((message) => redactMessage(rules, message)),
  }
}

function redactStep(rules: Rules, step: Step): Step {
  return {
    ...step,
    reason: unlessNull(step.reason, rules.text),
    question: step.question && { ...step.question, options: step.question.options.map(rules.foreign) },
    messageIds: step.messageIds.flatMap((id) => unlessFromWhatsApp(id) ?? []),
  }
}

function redactMessage(rules: Rules, message: Message): Message {
  const { error, ...delivery } = message.delivery
  return {
    ...message,
    id: unlessNull(message.id, unlessFromWhatsApp),
    text: unlessNull(message.text, rules.text),
    delivery: { ...delivery, error: error && { ...error, code: rules.foreign(error.code) } },
    location: unlessNull(message.location, rules.location),
    replyTo: unlessNull(message.replyTo, unlessFromWhatsApp),
    sharedContacts: unlessNull(message.sharedContacts, rules.sharedContacts),
  }
}

function unlessNull<T>(value: T | null, rule: Rule<T>): T | null {
  return value === null ? null : rule(value)
}

/** WhatsApp's own ids of messages have the number of the contact in them, in base 64. */
function unlessFromWhatsApp(id: string): string | null {
  return /^wamid\./i.test(id) ? null : id
}

/** Neither punctuation nor the brackets of an address nor invisible. */
const readable = /[^\p{P}\p{C}<>]/u

/**
 * First name and initial, as far as the joined name tells them apart: the first word and the initial of the last.
 * @param name scrubbed: on WhatsApp, a name is often the number or the address, also beside or behind a real one
 */
function shortened(name: string): string {
  const words = name.replace(placeholders, ' ').split(/\s+/)
  const [first = name, ...others] = words.filter((word) => readable.test(word))
  const [initial] = readable.exec(others.at(-1) ?? '') ?? []
  return initial === undefined ? first : `${first} ${initial}.`
}

/** The last four digits, of eight or more. */
function masked(phone: string): string {
  const digits = digitsOf(phone)
  return `****${digits.length < 8 ? '' : digits.slice(-4)}`
}
