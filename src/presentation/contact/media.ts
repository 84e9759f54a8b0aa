import { nullable, oneOf } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosMessage } from '../../upstream/document/hilos-document.ts'
import { nullableWords } from './fields.ts'

const mediaTypes = ['audio', 'voice', 'document', 'image', 'sticker', 'video'] as const

export const MediaSchema = nullable(
  Type.Object(
    {
      type: oneOf(mediaTypes, 'The kind of file.'),
      mimeType: nullableWords('The media type without parameters, for example image/jpeg.'),
    },
    { description: 'The file of the message; null without one. The service never reveals where it is.' },
  ),
)

/** The kind is that of the message, otherwise that of its media type: a template, for example, can have an image. */
export function mediaOf({ msg_type, content_type, content_url }: HilosMessage): Static<typeof MediaSchema> {
  const mimeType = essenceOf(content_type)
  const own = mediaTypes.find((type) => type === msg_type)
  if (own === undefined && content_url === null) return null
  return { type: own ?? mediaTypes.find((type) => mimeType?.startsWith(`${type}/`)) ?? 'document', mimeType }
}

/** Type and subtype without parameters, which can be any text (https://mimesniff.spec.whatwg.org/#mime-type-essence). */
function essenceOf(contentType: string | null): string | null {
  return /^([\w.+-]+\/[\w.+-]+)\s*(;|$)/.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null
}
