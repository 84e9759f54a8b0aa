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
    stepId: nullableText('The step it belongs to.'),
    direction: oneOf(['in', 'out', 'unknown'], 'in: from the contact. out: to the contact.'),
    author: oneOf(authors, 'Who wrote it; agent is a person in the inbox.'),
    type: oneOf(types, 'WhatsApp’s kind of message; unknown for one that is new.'),
    text: nullableText(`What it says, as it was written; null when deleted. ${scrubbedText}`),
    at: nullableInstant('When it was written.'),
    isDeleted: flag('It was deleted: text, media and location are null.'),
    delivery: DeliverySchema,
    media: nullable(
      Type.Object(
        {
          type: oneOf(mediaTypes, 'What kind of file.'),
          mimeType: nullableText('Type and subtype, for example image/jpeg.'),
        },
        { description: 'There was a file. Where it lies is never told.' },
      ),
    ),
    location: nullable(
      Type.Object(
        {
          latitude: nullable(Type.Number({ description: 'Degrees north.' })),
          longitude: nullable(Type.Number({ description: 'Degrees east.' })),
          name: nullableText('What the place is called.'),
          address: nullableText('Its address.'),
        },
        {
          description:
            'A place that was shared; null for the profile viewer. For the profile agent, it is treated as text is.',
        },
      ),
    ),
    template: nullable(
      Type.Object(
        { name: nullableText('Its name.'), language: nullableText('For example es_MX.') },
        { description: 'The approved template it was made from.' },
      ),
    ),
    replyTo: nullableText(`The id of the message it replies to. ${withheldWamids}`),
    sharedContacts: nullable(
      count('How many contact cards it shares; null for the profile viewer. Whose is never told.'),
    ),
  },
  { $id: 'Message', description: 'One message of the conversation.' },
)

export type Message = Static<typeof MessageSchema>

export function presentMessage(message: HilosMessage, stepId: string | null): Message {
  const shown = !message.is_deleted
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
    location: shown ? locationOf(message) : null,
    template: message.whatsapp_template && {
      name: message.whatsapp_template.name,
      language: message.whatsapp_template.language,
    },
    replyTo: message.context_message,
    sharedContacts: message.shared_contacts,
  }
}

/** Oldest first. One without a time stays behind the one Hilos lists before it. */
export function chronological(messages: readonly HilosMessage[]): HilosMessage[] {
  let at = Number.MIN_SAFE_INTEGER
  const placed = messages.map((message) => {
    at = message.timestamp ?? at
    return { message, at }
  })
  return placed.sort((a, b) => a.at - b.at).map(({ message }) => message)
}

/** Hilos's word for the direction is a free text. */
export function directionOf({ direction, source }: HilosMessage): Message['direction'] {
  const word = direction?.toLowerCase() ?? ''
  if (/^(in|inbound|incoming|received)$/.test(word)) return 'in'
  if (/^(out|outbound|outgoing|sent)$/.test(word)) return 'out'
  const author = authorOf(source)
  return author === 'unknown' ? 'unknown' : author === 'contact' ? 'in' : 'out'
}

function authorOf(source: string | null): Message['author'] {
  switch (source) {
    case 'INBOUND':
      return 'contact'
    case 'INBOX':
      return 'agent'
    case 'FLOW':
      return 'flow'
    case 'API':
      return 'api'
    case 'BROADCAST':
      return 'broadcast'
    case 'AUTO_RESPONSE':
      return 'auto_response'
    default:
      return 'unknown'
  }
}

/** The kind is the message's own, or what the file's type says: a template can carry an image. */
function mediaOf({ msg_type, content_type, has_content_url }: HilosMessage): Message['media'] {
  const mimeType = essenceOf(content_type)
  const own = mediaTypes.find((type) => type === msg_type)
  if (own === undefined && !has_content_url) return null
  return { type: own ?? mediaTypes.find((type) => mimeType?.startsWith(`${type}/`)) ?? 'document', mimeType }
}

/** Type and subtype, without the parameters, which are free text (https://mimesniff.spec.whatwg.org/#mime-type-essence). */
function essenceOf(contentType: string | null): string | null {
  return /^([\w.+-]+\/[\w.+-]+)\s*(;|$)/.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null
}

function locationOf({ location }: HilosMessage): Message['location'] {
  return (
    location && {
      latitude: location.latitude,
      longitude: location.longitude,
      name: location.place_name,
      address: location.address,
    }
  )
}
