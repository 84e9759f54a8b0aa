import { type Static, Type } from 'typebox'
import { count, nullable, nullableInstant, oneOf, scrubbedWords, text } from '../../common/schema.ts'
import type { HilosMessage } from '../../upstream/document/hilos-document.ts'
import { instantOf } from './instant.ts'

const statuses = ['queued', 'sent', 'delivered', 'read', 'failed', 'received', 'deleted', 'unknown'] as const
const categories = ['window_closed', 'undeliverable', 'template', 'media', 'rate_limited', 'other'] as const
type Status = (typeof statuses)[number]
type Category = (typeof categories)[number]

export const DeliverySchema = Type.Object(
  {
    status: oneOf(statuses, 'The furthest point that the message is known to have reached. It never goes back.'),
    sentAt: nullableInstant('When it was sent to the contact.'),
    deliveredAt: nullableInstant('When it reached the contact’s device.'),
    readAt: nullableInstant(
      'When it was read; null if that is not known, for example because the contact has turned off read receipts.',
    ),
    failedAt: nullableInstant('When it failed.'),
    attempts: count('How many attempts to send it failed.'),
    error: nullable(
      Type.Object(
        {
          code: text(`The error code of the provider, for example 131047. ${scrubbedWords}`),
          category: oneOf(
            categories,
            'window_closed: the contact has not written for 24 hours, so only a template may be sent. undeliverable: ' +
              'the contact cannot be reached. template: the template is paused, missing or filled in incorrectly. ' +
              'media: there was a problem with the file. rate_limited: too many messages were sent. other: any other error.',
          ),
        },
        { description: 'Why it failed; null if Hilos recorded no error code.' },
      ),
    ),
  },
  { description: 'How far the delivery of the message has got, as the ticks of a chat show it.' },
)

/** The status is the one that Hilos states, or the one that its recorded times prove, whichever is further. */
export function presentDelivery(message: HilosMessage): Static<typeof DeliverySchema> {
  const code = message.provider_error_code
  return {
    status: furthest(message),
    sentAt: instantOf(message.sent_on),
    deliveredAt: instantOf(message.delivered_on),
    readAt: instantOf(message.read_on),
    failedAt: instantOf(message.failed_on),
    attempts: message.failed_attempts ?? 0,
    error: code ? { code, category: categoryOf(code) } : null,
  }
}

/** The words of Hilos for each status. */
const wordsOf: Readonly<Record<Status, readonly string[]>> = {
  queued: ['new', 'retry', 'accepted', 'sending'],
  sent: ['sent'],
  delivered: ['delivered'],
  read: ['read'],
  failed: ['undelivered', 'failed'],
  received: ['receiving', 'received'],
  deleted: ['deleted'],
  unknown: [],
}

/** In the order of delivery. A message that the contact's device confirmed has not failed, so delivered comes after failed. */
const ladder = ['queued', 'sent', 'failed', 'delivered', 'read'] as const

function furthest(message: HilosMessage): Status {
  const stated = statuses.find((status) => wordsOf[status].includes(message.status ?? ''))
  if (stated === 'received' || stated === 'deleted') return stated
  const recorded: Readonly<Record<(typeof ladder)[number], number | null>> = {
    queued: message.queued_on ?? message.accepted_on,
    sent: message.sent_on,
    failed: message.failed_on,
    delivered: message.delivered_on,
    read: message.read_on,
  }
  return ladder.findLast((status) => status === stated || recorded[status] !== null) ?? 'unknown'
}

/** Error codes of the WhatsApp Business Cloud API, https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes */
const codesOf: Readonly<Record<Exclude<Category, 'other'>, readonly string[]>> = {
  window_closed: ['131047'],
  undeliverable: ['131021', '131026', '131030', '131050', '130472'],
  template: ['132000', '132001', '132005', '132007', '132012', '132015', '132016', '132068', '132069'],
  media: ['131052', '131053'],
  rate_limited: ['4', '80007', '130429', '131048', '131049', '131056'],
}

function categoryOf(code: string): Category {
  const found = categories.find((category) => category !== 'other' && codesOf[category].includes(code))
  return found ?? 'other'
}
