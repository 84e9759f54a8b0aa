import { type Static, Type } from 'typebox'
import {
  count,
  flag,
  nullable,
  nullableInstant,
  nullableText,
  oneOf,
  scrubbedText,
  withheldWamids,
} from '../../common/schema.ts'
import type { HilosMessage } from '../../upstream/document/hilos-document.ts'
import { DeliverySchema, presentDelivery } from './delivery.ts'
import { instantOf } from './instant.ts'

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
const mediaTypes = ['audio', 'voice', 'document', 'image', 'sticker', 'video'] as const
const authors = ['contact', 'agent', 'flow', 'api', 'broadcast', 'auto_response', 'unknown'] as const

export const MessageSchema = Type.Object(
  {
    id: nullableText(`The id of the message at Hilos. ${withheldWamids}`),
    stepId: nullableText('The id of the step that it belongs to.'),
    direction: oneOf(['in', 'out', 'unknown'], 'in: from the contact. out: to the contact.'),
    author: oneOf(authors, 'The author. agent is a person who uses the inbox.'),
    type: oneOf(types, 'The message type of WhatsApp; unknown for a type that this version does not know.'),
    text: nullableText(`The text as it was written; null if the message was deleted. ${scrubbedText}`),
    at: nullableInstant('When it was written.'),
    isDeleted: flag('Whether it was deleted. text, media and location are then null.'),
    delivery: DeliverySchema,
    media: nullable(
      Type.Object(
        {
          type: oneOf(mediaTypes, 'The kind of file.'),
          mimeType: nullableText('The media type without parameters, for example image/jpeg.'),
        },
        { description: 'The file of the message; null without one. The service never reveals its URL.' },
      ),
    ),
    location: nullable(
      Type.Object(
        {
          latitude: nullable(Type.Number({ description: 'Latitude in degrees north.' })),
          longitude: nullable(Type.Number({ description: 'Longitude in degrees east.' })),
          name: nullableText('The name of the place.'),
          address: nullableText('The address of the place.'),
        },
        {
          description:
            'The shared place; null for the profile viewer. For the profile agent, its name and address are scrubbed ' +
            'like text, and it is null if the contact was erased.',
        },
      ),
    ),
    template: nullable(
      Type.Object(
        { name: nullableText('The name of the template.'), language: nullableText('Its language, for example es_MX.') },
        { description: 'The template that the message was made from; null without one.' },
      ),
    ),
    replyTo: nullableText(`The id of the message that it replies to. ${withheldWamids}`),
    sharedContacts: nullable(
      count('How many contact cards it shares; null for the profile viewer. Their content is never shown.'),
    ),
  },
  { $id: 'Message', description: 'One message of the conversation.' },
)

export type Message = Static<typeof MessageSchema>

export function presentMessage(message: HilosMessage, stepId: string | null): Message {
  const { whatsapp_template: template } = message
  const shown = !message.is_deleted
  const location = shown ? message.location : null
  return {
    id: message.id,
    stepId,
    direction: directionOf(message),
    author: authorOf(message.source),
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
    sharedContacts: message.shared_contacts,
  }
}

/** The oldest first. A message without a time stays behind its predecessor in the document. */
export function chronological(messages: readonly HilosMessage[]): HilosMessage[] {
  let at = Number.MIN_SAFE_INTEGER
  const placed = messages.map((message) => {
    at = message.timestamp ?? at
    return { message, at }
  })
  return placed.sort((a, b) => a.at - b.at).map(({ message }) => message)
}

/** Hilos does not restrict the text of `direction`. If it is not one of the usual words, the author decides. */
export function directionOf({ direction, source }: HilosMessage): Message['direction'] {
  const word = direction?.toLowerCase() ?? ''
  if (/^(in|inbound|incoming|received)$/.test(word)) return 'in'
  if (/^(out|outbound|outgoing|sent)$/.test(word)) return 'out'
  const author = authorOf(source)
  return author === 'unknown' ? 'unknown' : author === 'contact' ? 'in' : 'out'
}

const authorsBySource: ReadonlyMap<string | null, Message['author']> = new Map([
  ['INBOUND', 'contact'],
  ['INBOX', 'agent'],
  ['FLOW', 'flow'],
  ['API', 'api'],
  ['BROADCAST', 'broadcast'],
  ['AUTO_RESPONSE', 'auto_response'],
])

function authorOf(source: string | null): Message['author'] {
  return authorsBySource.get(source) ?? 'unknown'
}

/** The kind is that of the message, otherwise that of its media type: a template, for example, can have an image. */
function mediaOf({ msg_type, content_type, has_content_url }: HilosMessage): Message['media'] {
  const mimeType = essenceOf(content_type)
  const own = mediaTypes.find((type) => type === msg_type)
  if (own === undefined && !has_content_url) return null
  return { type: own ?? mediaTypes.find((type) => mimeType?.startsWith(`${type}/`)) ?? 'document', mimeType }
}

/** Type and subtype without parameters, which can be any text (https://mimesniff.spec.whatwg.org/#mime-type-essence). */
function essenceOf(contentType: string | null): string | null {
  return /^([\w.+-]+\/[\w.+-]+)\s*(;|$)/.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null
}
