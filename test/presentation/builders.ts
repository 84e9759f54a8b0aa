import { exampleContact } from '../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import type {
  HilosContact,
  HilosDocument,
  HilosMessage,
  HilosStepDefinition,
  HilosStepExecution,
} from '../../src/upstream/document/hilos-document.ts'

/** What Hilos said nothing about, but for what is given. */

export const documentOf = (given: Partial<HilosDocument> = {}): HilosDocument => ({
  id: 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1',
  status: null,
  status_reason: null,
  created_on: null,
  status_last_change_on: null,
  status_triggered_by: null,
  is_test: null,
  inbox_contact_id: null,
  flow_execution: null,
  flow: null,
  flow_version: null,
  contact: null,
  execution_steps: [],
  ...given,
})

export const contactOf = (given: Partial<HilosContact> = {}): HilosContact => ({
  id: null,
  first_name: null,
  last_name: null,
  email: null,
  phone: null,
  is_deleted: false,
  meta: null,
  ...given,
})

export const stepOf = (given: Partial<HilosStepExecution> = {}): HilosStepExecution => ({
  id: null,
  status: null,
  status_reason: null,
  has_error: null,
  expire_on: null,
  validation_failed_attempts: null,
  created_on: null,
  status_last_change_on: null,
  execution_result: null,
  step: null,
  messages: [],
  ...given,
})

export const definitionOf = (given: Partial<HilosStepDefinition> = {}): HilosStepDefinition => ({
  id: null,
  name: null,
  step_type: null,
  answer_type: null,
  answer_options: null,
  has_options_from_variable: null,
  has_max_answer_attempts: null,
  max_answer_attempts: null,
  delay_until: null,
  has_action_request: false,
  ...given,
})

export const messageOf = (given: Partial<HilosMessage> = {}): HilosMessage => ({
  id: null,
  body: null,
  direction: null,
  timestamp: null,
  status: null,
  queued_on: null,
  accepted_on: null,
  sent_on: null,
  delivered_on: null,
  read_on: null,
  failed_on: null,
  failed_attempts: null,
  provider_error_code: null,
  msg_type: null,
  source: null,
  is_deleted: false,
  content_type: null,
  has_content_url: false,
  location: null,
  whatsapp_template: null,
  context_message: null,
  shared_contacts: 0,
  ...given,
})

/** Milliseconds since 1970 UTC of a time on the day of the examples. */
export const at = (time: string): number => Date.parse(`2026-11-22T${time}Z`)

/** A presentation that has a value wherever there can be one. */
export const filledContact: ExecutionContact = {
  ...exampleContact,
  status: 'UNKNOWN',
  statusRaw: 'ARCHIVED',
  reason: 'Archived from the inbox',
  endedAt: '2026-11-22T10:04:42Z',
  changedBy: 'Diego Ramos',
  contact: { ...exampleContact.contact, meta: { tier: 'gold', orders: 3, vip: true, agent: null } },
  steps: exampleContact.steps.map((step) => ({
    ...step,
    status: 'UNKNOWN',
    statusRaw: 'SNOOZED',
    reason: 'No answer',
    expiresAt: '2026-11-23T10:04:40Z',
    delayUntil: '2026-11-23T10:04:41Z',
    maxAttempts: 3,
    question: { answerType: 'SINGLE_OPTION', options: ['Monday', 'Tuesday'] },
  })),
  messages: exampleContact.messages.map((message) => ({
    ...message,
    delivery: {
      status: 'failed',
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

/** A copy with one more property in every object, but for `meta`, whose keys the presenter chooses. */
export function plant<T>(value: T): T {
  if (Array.isArray(value)) return value.map(plant) as T
  if (typeof value !== 'object' || value === null) return value
  const copied = Object.entries(value).map(([key, inner]) => [key, key === 'meta' ? inner : plant(inner)])
  return Object.fromEntries([...copied, ['planted', 'sk_live_planted']])
}
