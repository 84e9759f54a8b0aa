import { count, nullable, nullableInstant, oneOf } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosMessage } from '../../upstream/document/hilos-document.ts'
import { categories, categoryOf, codeOf } from './delivery-error.ts'
import { words } from './fields.ts'
import { instantOf } from './instant.ts'

const statuses = ['queued', 'sent', 'delivered', 'read', 'failed', 'received', 'deleted', 'unknown'] as const
type Status = (typeof statuses)[number]

export const DeliverySchema = Type.Object(
  {
    status: oneOf(
      statuses,
      'The furthest point that the message is known to have reached. It never goes back, unless it failed and is sent again.',
    ),
    queuedAt: nullableInstant('When it was queued at Hilos.'),
    acceptedAt: nullableInstant('When the provider accepted it.'),
    sentAt: nullableInstant('When it was sent to the contact.'),
    deliveredAt: nullableInstant('When it reached the contact’s device.'),
    readAt: nullableInstant(
      'When it was read; null if that is not known, for example because the contact has turned off read receipts.',
    ),
    failedAt: nullableInstant('When it failed. It may have been sent again since.'),
    attempts: count('How many attempts to send it failed.'),
    error: nullable(
      Type.Object(
        {
          code: words('The error code of the provider, for example 131047.'),
          category: oneOf(
            categories,
            'window_closed: the contact has not written for 24 hours, so only a template may be sent. undeliverable: ' +
              'the contact cannot be reached. template: the template is paused, missing or filled in incorrectly. ' +
              'media: there was a problem with the file. rate_limited: too many messages were sent. other: any other error.',
          ),
        },
        { description: 'Why it failed; null if it has not failed, or if Hilos recorded no error code.' },
      ),
    ),
  },
  { $id: 'Delivery', description: 'How far the delivery of the message has got, as the ticks of a chat show it.' },
)

/** The status is the one that Hilos states, or the one that its recorded times prove, whichever is further. */
export function presentDelivery(message: HilosMessage): Static<typeof DeliverySchema> {
  const status = statusOf(message)
  const code = codeOf(message.provider_error_code)
  return {
    status,
    queuedAt: instantOf(message.queued_on),
    acceptedAt: instantOf(message.accepted_on),
    sentAt: instantOf(message.sent_on),
    deliveredAt: instantOf(message.delivered_on),
    readAt: instantOf(message.read_on),
    failedAt: instantOf(message.failed_on),
    attempts: message.failed_attempts ?? 0,
    error: code !== null && status === 'failed' ? { code, category: categoryOf(code) } : null,
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

function statusOf(message: HilosMessage): Status {
  const word = message.status?.toLowerCase() ?? ''
  const stated = statuses.find((status) => wordsOf[status].includes(word))
  if (stated === 'received' || stated === 'deleted') return stated
  // A message that failed may be sent again.
  const { sent_on, failed_on } = message
  const hasFailedLast = failed_on !== null && (sent_on === null || sent_on <= failed_on)
  const isProven: Readonly<Record<(typeof ladder)[number], boolean>> = {
    queued: (message.queued_on ?? message.accepted_on) !== null,
    sent: sent_on !== null && !(stated === 'queued' && hasFailedLast),
    failed: stated !== 'queued' && hasFailedLast,
    delivered: message.delivered_on !== null,
    read: message.read_on !== null,
  }
  return ladder.findLast((status) => status === stated || isProven[status]) ?? 'unknown'
}
