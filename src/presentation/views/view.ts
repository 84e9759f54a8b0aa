import { hash } from 'node:crypto'
import fastJson from 'fast-json-stringify'
import type { TSchema } from 'typebox'
import type { Profile } from '../../access/profile.ts'
import { AnswerSchema } from '../contact/answer.ts'
import { type ExecutionContact, SummarySchema, TimelineSchema, TranscriptSchema } from '../contact/execution-contact.ts'
import { MessageSchema } from '../contact/message.ts'
import { StepSchema } from '../contact/step.ts'
import { redact } from '../redaction/redaction.ts'
import type { Compression, ContentCoding } from './content-coding.ts'

/** How much of an execution contact a caller wants; each holds the one before. */
export const views = ['summary', 'timeline', 'transcript'] as const
export type View = (typeof views)[number]

/** All that may differ between two answers about the same revision of a contact. */
export interface Variant {
  readonly view: View
  readonly profile: Profile
  readonly coding: ContentCoding
}

/** One variant of an execution contact as it goes over the wire. */
export interface Representation extends Variant {
  readonly body: Buffer
  /** Strong: the same tag means the same bytes. With its quotes. */
  readonly etag: string
  /** The run is over. */
  readonly terminal: boolean
}

/** The schemas that the views refer to by name. */
export const sharedSchemas: readonly TSchema[] = [StepSchema, AnswerSchema, MessageSchema]

const externals = Object.fromEntries(sharedSchemas.map((schema) => [(schema as { $id?: string }).$id, schema]))
const serializerOf = (schema: TSchema) => fastJson(schema, { schema: externals })

/** A view is its schema: the serializer writes the fields the schema names and passes over the others. */
const serializers: Readonly<Record<View, (contact: ExecutionContact) => string>> = {
  summary: serializerOf(SummarySchema),
  timeline: serializerOf(TimelineSchema),
  transcript: serializerOf(TranscriptSchema),
}

/** The widest view, as it is remembered. */
export function packContact(contact: ExecutionContact): Buffer {
  return ownBytes(serializers.transcript(contact))
}

/** In memory of its own: a slice of Node's shared pool keeps all of the pool alive for as long as it lives. */
export function ownBytes(content: string | Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(content))
  if (typeof content === 'string') bytes.write(content)
  else bytes.set(content)
  return bytes
}

/**
 * The view that somebody of this profile has of a contact that `packContact` made. The widest view of the widest profile
 * is the packed contact itself, not a copy.
 */
export function renderView(packed: Buffer, view: View, profile: Profile): Representation {
  const contact: ExecutionContact = JSON.parse(packed.toString())
  const isWhole = view === 'transcript' && profile === 'full'
  const body = isWhole ? packed : ownBytes(serializers[view](redact(contact, profile)))
  const etag = `"${hash('sha256', body, 'base64url').slice(0, 27)}"`
  return { view, profile, coding: 'identity', body, etag, terminal: contact.terminal }
}

/** The same in another content coding, which makes it another representation, with an ETag of its own (RFC 9110 section 8.8.3.3). */
export function recode(plain: Representation, coding: Compression, body: Buffer): Representation {
  return { ...plain, coding, body, etag: `${plain.etag.slice(0, -1)}-${coding}"` }
}
