import type { Profile } from '../../access/profile.ts'
import type { Answer } from '../contact/answer.ts'
import type { ExecutionContact } from '../contact/execution-contact.ts'
import type { Message } from '../contact/message.ts'
import type { Step } from '../contact/step.ts'
import { digitsOf } from './phone-spellings.ts'
import { createScrubber, placeholders, type Scrubber } from './scrubbing.ts'

/**
 * Returns the contact as callers with this profile may see it.
 * @param contact unredacted; it is not changed
 */
export function redact(contact: ExecutionContact, profile: Profile): ExecutionContact {
  return profile === 'full' ? contact : redactBy(rulesFor[profile](contact), contact)
}

const rulesFor = { agent: agentRules, viewer: viewerRules }

type Rule<T> = (value: T) => T | null

/** How the personal data of a contact is redacted. Values that are null stay null. */
interface Rules {
  readonly name: Rule<string>
  readonly phone: Rule<string>
  readonly text: Rule<string>
  readonly value: Rule<Answer['value']>
  readonly location: Rule<NonNullable<Message['location']>>
  readonly sharedContacts: Rule<Message['sharedContacts']>
  /** For texts by the authors of the flow and by providers, which may repeat the contact's number or address. */
  readonly thirdParty: Scrubber
}

const withheld = () => null
const withoutTexts = { text: withheld, value: withheld, location: withheld }

function viewerRules({ contact }: ExecutionContact): Rules {
  return {
    ...withoutTexts,
    name: withheld,
    phone: withheld,
    sharedContacts: withheld,
    thirdParty: createScrubber(contact),
  }
}

function agentRules({ contact }: ExecutionContact): Rules {
  const scrub = createScrubber(contact)
  // Without the number and the address of the contact, texts cannot be scrubbed.
  const isUnknown = contact.isDeleted || contact.ref === null
  return {
    name: (name) => shortened(scrub(name)),
    phone: masked,
    sharedContacts: (count) => count,
    thirdParty: scrub,
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
    question: step.question && { ...step.question, options: step.question.options.map(rules.thirdParty) },
    messageIds: step.messageIds.flatMap((id) => unlessFromWhatsApp(id) ?? []),
  }
}

function redactMessage(rules: Rules, message: Message): Message {
  const { error, ...delivery } = message.delivery
  return {
    ...message,
    id: unlessNull(message.id, unlessFromWhatsApp),
    text: unlessNull(message.text, rules.text),
    delivery: { ...delivery, error: error && { ...error, code: rules.thirdParty(error.code) } },
    location: unlessNull(message.location, rules.location),
    replyTo: unlessNull(message.replyTo, unlessFromWhatsApp),
    sharedContacts: unlessNull(message.sharedContacts, rules.sharedContacts),
  }
}

function unlessNull<T>(value: T | null, rule: Rule<T>): T | null {
  return value === null ? null : rule(value)
}

/** The message ids of WhatsApp contain the phone number of the contact, in base 64. */
function unlessFromWhatsApp(id: string): string | null {
  return /^wamid\./i.test(id) ? null : id
}

/** A visible character that is neither punctuation nor a bracket of an address. */
const readable = /[^\p{P}\p{C}<>]/u

/**
 * First name and initial of the last name. The contact has only the joined name, so these are its first word and the
 * initial of its last word.
 * @param name scrubbed, because a name on WhatsApp often contains the phone number or the e-mail address
 */
function shortened(name: string): string {
  const words = name.replace(placeholders, ' ').split(/\s+/)
  const [first = name, ...others] = words.filter((word) => readable.test(word))
  const [initial] = readable.exec(others.at(-1) ?? '') ?? []
  return initial === undefined ? first : `${first} ${initial}.`
}

/** The last four digits if the number has eight or more, otherwise none. */
function masked(phone: string): string {
  const digits = digitsOf(phone)
  return `****${digits.length < 8 ? '' : digits.slice(-4)}`
}
