import { createHash } from 'node:crypto'
import fastJson from 'fast-json-stringify'
import type { TSchema } from 'typebox'
import { AnswerSchema } from './answer.ts'
import { type ExecutionContact, SummarySchema, TimelineSchema, TranscriptSchema } from './execution-contact.ts'
import { MessageSchema } from './message.ts'
import { StepSchema } from './step.ts'

/** How much of an execution contact a caller wants; each holds the one before. */
export const views = ['summary', 'timeline', 'transcript'] as const
export type View = (typeof views)[number]

/** One view of an execution contact as it goes over the wire. */
export interface Representation {
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

/** The widest view, in memory of its own: a slice of Node's shared pool would keep 64 KiB alive for as long as it lives. */
export function packContact(contact: ExecutionContact): Buffer {
  const json = serializers.transcript(contact)
  const packed = Buffer.allocUnsafeSlow(Buffer.byteLength(json))
  packed.write(json)
  return packed
}

/** The view of a contact that `packContact` made. */
export function renderView(packed: Buffer, view: View): Representation {
  const contact: ExecutionContact = JSON.parse(packed.toString())
  const body = Buffer.from(serializers[view](contact))
  const digest = createHash('sha256').update(view).update('\0').update(body).digest('base64url')
  return { body, etag: `"${digest.slice(0, 27)}"`, terminal: contact.terminal }
}
