import { count, flag, nullable, nullableInstant, oneOf, refTo } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosMessage, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { authorOf, authors, directionOf, directions } from './author.ts'
import { DeliverySchema, presentDelivery } from './delivery.ts'
import { freeText, nullableId, nullableWords, ofKind, personName } from './fields.ts'
import { instantOf } from './instant.ts'
import { MediaSchema, mediaOf } from './media.ts'
import { byTime, withoutRepeats } from './order.ts'
import { nameOf } from './person.ts'

const types = [
  'audio',
  'voice',
  'button',
  'document',
  'text',
  'image',
  'interactive',
  'order',
  'sticker',
  'system',
  'unknown',
  'video',
  'unsupported',
  'location',
  'contacts',
  'template',
  'reaction',
  'ephemeral',
  'request_welcome',
] as const

export const MessageSchema = Type.Object(
  {
    id: nullableId('The id of the message at Hilos.'),
    stepId: nullableId('The id of the step that it belongs to; the first one if several list it.'),
    direction: oneOf(directions, 'in: from the contact. out: to the contact.'),
    author: oneOf(authors, 'The author. agent is a person who uses the inbox.'),
    sentBy: personName('The name of the person who wrote it in the inbox; null if no person did.'),
    type: oneOf(types, 'The message type of WhatsApp; unknown for a type that this version does not know.'),
    text: freeText('The text as it was written; null if there is none or the message was deleted.'),
    at: nullableInstant('When it was written.'),
    isDeleted: flag('Whether it was deleted. text, media and location are then null.'),
    delivery: refTo(DeliverySchema),
    media: MediaSchema,
    location: ofKind(
      'place',
      nullable(
        Type.Object(
          {
            latitude: nullable(Type.Number({ description: 'Latitude in degrees north.' })),
            longitude: nullable(Type.Number({ description: 'Longitude in degrees east.' })),
            name: freeText('The name of the place.'),
            address: freeText('The address of the place.'),
          },
          {
            description:
              'The shared place; null without one, and for the profile viewer. For the profile agent, it is null if texts are.',
          },
        ),
      ),
    ),
    template: nullable(
      Type.Object(
        {
          name: nullableWords('The name of the template.'),
          language: nullableWords('Its language, for example es_MX.'),
        },
        { description: 'The template that the message was made from; null without one.' },
      ),
    ),
    replyTo: nullableId('The id of the message that it replies to.'),
    sharedContacts: ofKind(
      'others',
      nullable(count('How many contact cards it shares; null for the profile viewer. Their content is never shown.')),
    ),
  },
  { $id: 'Message', description: 'One message of the conversation.' },
)

export type Message = Static<typeof MessageSchema>

/** The messages of all steps, the oldest first. A message that two steps list is there once, with the first of them. */
export function presentMessages(steps: readonly HilosStepExecution[]): Message[] {
  const listed = steps.flatMap(({ id, messages }) => messages.map((message) => ({ message, stepId: id })))
  const distinct = withoutRepeats(listed, ({ message }) => message.id)
  const ordered = byTime(distinct, ({ message }) => message.timestamp)
  return ordered.map(({ message, stepId }) => presentMessage(message, stepId))
}

export function presentMessage(message: HilosMessage, stepId: string | null): Message {
  const { whatsapp_template: template, sent_by: sender } = message
  const shown = !message.is_deleted
  const location = shown ? message.location : null
  return {
    id: message.id,
    stepId,
    direction: directionOf(message),
    author: authorOf(message.source),
    sentBy: sender && nameOf(sender),
    type: types.find((type) => type === message.msg_type) ?? 'unknown',
    text: shown ? message.body : null,
    at: instantOf(message.timestamp),
    isDeleted: message.is_deleted,
    delivery: presentDelivery(message),
    media: shown ? mediaOf(message) : null,
    location: location && {
      latitude: location.latitude,
      longitude: location.longitude,
      name: location.place_name,
      address: location.address,
    },
    template: template && { name: template.name, language: template.language },
    replyTo: message.context_message,
    sharedContacts: message.contacts,
  }
}
