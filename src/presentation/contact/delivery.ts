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
    status: oneOf(statuses, 'The furthest the message is known to have got. It never goes back.'),
    sentAt: nullableInstant('When it left for the contact.'),
    deliveredAt: nullableInstant('When it reached the contact’s device.'),
    readAt: nullableInstant('When it was read, as far as the contact lets this be known.'),
    failedAt: nullableInstant('When it failed.'),
    attempts: count('How many attempts at sending failed.'),
    error: nullable(
      Type.Object(
        {
          code: text(`The provider’s code, for example 131047. ${scrubbedWords}`),
          category: oneOf(
            categories,
            'window_closed: the contact has not written for 24 hours, so only a template may be sent. undeliverable: ' +
              'this contact cannot be reached. template: the template is paused, missing or wrongly filled in. media: ' +
              'the file. rate_limited: too much was sent. other: anything else.',
          ),
        },
        { description: 'Why it failed; null where no code is recorded.' },
      ),
    ),
  },
  { description: 'The ticks: how far the message got.' },
)

/** How far a message got, from Hilos's word and from the times it recorded, whichever is further. */
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

const statusOf: ReadonlyMap<string | null, Status> = new Map([
  ['new', 'queued'],
  ['retry', 'queued'],
  ['accepted', 'queued'],
  ['sending', 'queued'],
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['undelivered', 'failed'],
  ['failed', 'failed'],
  ['receiving', 'received'],
  ['received', 'received'],
  ['deleted', 'deleted'],
])

/** What the contact's device confirmed cannot have failed, so failed stands below delivered. */
const ladder: readonly Status[] = ['unknown', 'queued', 'sent', 'failed', 'delivered', 'read']

function furthest(message: HilosMessage): Status {
  const said = statusOf.get(message.status) ?? 'unknown'
  if (said === 'received' || said === 'deleted') return said
  const recorded: readonly (readonly [Status, number | null])[] = [
    ['queued', message.queued_on ?? message.accepted_on],
    ['sent', message.sent_on],
    ['failed', message.failed_on],
    ['delivered', message.delivered_on],
    ['read', message.read_on],
  ]
  return recorded.reduce<Status>((reached, [status, at]) => (at === null ? reached : further(reached, status)), said)
}

function further(a: Status, b: Status): Status {
  return ladder.indexOf(a) < ladder.indexOf(b) ? b : a
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
