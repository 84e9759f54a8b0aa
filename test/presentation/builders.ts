import { exampleContact } from '../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import type {
  HilosContact,
  HilosDocument,
  HilosMessage,
  HilosStepDefinition,
  HilosStepExecution,
} from '../../src/upstream/document/hilos-document.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const bareStep = { step: {}, messages: [{ message: {} }] }
const bare = readDocument({ id, contact: {}, execution_steps: [bareStep] }, id, () => {})
const [step] = bare.execution_steps as [HilosStepExecution]

// Each builder returns what the reader makes of an empty object, with the given properties instead.

export const documentOf = (given: Partial<HilosDocument> = {}): HilosDocument => {
  return { ...bare, contact: null, execution_steps: [], ...given }
}

export const contactOf = (given: Partial<HilosContact> = {}): HilosContact => {
  return { ...(bare.contact as HilosContact), ...given }
}

export const stepOf = (given: Partial<HilosStepExecution> = {}): HilosStepExecution => {
  return { ...step, step: null, messages: [], ...given }
}

export const definitionOf = (given: Partial<HilosStepDefinition> = {}): HilosStepDefinition => {
  return { ...(step.step as HilosStepDefinition), ...given }
}

export const messageOf = (given: Partial<HilosMessage> = {}): HilosMessage => {
  return { ...(step.messages[0] as HilosMessage), ...given }
}

/** An object with the same properties, all of them null. */
export const nullsFor = (object: object): Record<string, unknown> =>
  Object.fromEntries(Object.keys(object).map((key) => [key, null]))

/** Milliseconds since 1970 UTC of a time on the day of the examples. */
export const at = (time: string): number => Date.parse(`2026-11-22T${time}Z`)

/** A contact with a value in every field that can have one. */
export const filledContact: ExecutionContact = {
  ...exampleContact,
  status: 'UNKNOWN',
  statusRaw: 'ARCHIVED',
  reason: 'Archived from the inbox',
  endedAt: '2026-11-22T10:04:42Z',
  changedBy: 'Diego Ramos',
  reasonWithheld: false,
  contact: { ...exampleContact.contact, meta: { tier: 'gold', orders: 3, vip: true, agent: null } },
  steps: exampleContact.steps.map((step) => ({
    ...step,
    status: 'UNKNOWN',
    statusRaw: 'SNOOZED',
    reason: 'No answer',
    endedAt: '2026-11-22T10:04:40Z',
    durationMs: 1000,
    expiresAt: '2026-11-23T10:04:40Z',
    delayUntil: '2026-11-23T10:04:41Z',
    maxAttempts: 3,
    question: { answerType: 'SINGLE_OPTION', options: ['Monday', 'Tuesday'] },
  })),
  messages: exampleContact.messages.map((message) => ({
    ...message,
    sentBy: 'Diego Ramos',
    delivery: {
      status: 'failed',
      queuedAt: '2026-11-22T10:00:00Z',
      acceptedAt: '2026-11-22T10:00:01Z',
      sentAt: '2026-11-22T10:00:02Z',
      deliveredAt: '2026-11-22T10:00:03Z',
      readAt: '2026-11-22T10:00:04Z',
      failedAt: '2026-11-22T10:00:05Z',
      attempts: 2,
      error: { code: '131047', category: 'window_closed' },
    },
    media: { type: 'image', mimeType: 'image/jpeg' },
    location: { latitude: 19.4284, longitude: -99.1617, name: 'Reforma 222', address: 'Av. Reforma 222' },
    template: { name: 'delivery_confirmation_mx', language: 'es_MX' },
    replyTo: 'm0',
    sharedContacts: 2,
  })),
}

/** Copies a value and adds a property to every object in it except `meta`: the presenter chooses the keys of `meta`. */
export function plant<T>(value: T): T {
  if (Array.isArray(value)) return value.map(plant) as T
  if (typeof value !== 'object' || value === null) return value
  const copied = Object.entries(value).map(([key, inner]) => [key, key === 'meta' ? inner : plant(inner)])
  return Object.fromEntries([...copied, ['planted', 'sk_live_planted']])
}
