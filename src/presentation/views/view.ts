import { hash } from 'node:crypto'
import fastJson from 'fast-json-stringify'
import type { Profile } from '../../access/profile.ts'
import type { TSchema } from '../../common/type.ts'
import {
  type ExecutionContact,
  SummarySchema,
  sharedSchemas,
  TimelineSchema,
  TranscriptSchema,
} from '../contact/execution-contact.ts'
import type { IdPseudonym } from '../contact/pseudonyms.ts'
import type { Identity } from '../redaction/identity.ts'
import { createRedact } from '../redaction/redaction.ts'
import type { Compression, ContentCoding } from './content-coding.ts'

/** The parts of an execution contact that a caller wants. Each view contains the one before it. */
export const views = ['summary', 'timeline', 'transcript'] as const
export type View = (typeof views)[number]

/** The properties in which two representations of the same revision of a contact can differ. */
export interface Variant {
  readonly view: View
  readonly profile: Profile
  readonly coding: ContentCoding
}

/** One variant of an execution contact, as it is sent. */
export interface Representation extends Variant {
  readonly body: Buffer
  /** A strong entity tag with its quotes: the same tag means the same bytes. */
  readonly etag: string
  /** Whether the run has ended. */
  readonly terminal: boolean
}

const externals = Object.fromEntries(sharedSchemas.map((schema) => [Reflect.get(schema, '$id'), schema]))
const serializerOf = (schema: TSchema) => fastJson(schema, { schema: externals })

/** A view is its schema: the serializer writes the fields that the schema names, and no others. */
const schemas = { summary: SummarySchema, timeline: TimelineSchema, transcript: TranscriptSchema }
const ofEachView = <T>(create: (schema: TSchema) => T): Readonly<Record<View, T>> => ({
  summary: create(schemas.summary),
  timeline: create(schemas.timeline),
  transcript: create(schemas.transcript),
})
const serializers = ofEachView<(contact: object) => string>(serializerOf)

/** What is kept of a contact to render its views. */
export interface Content {
  /** The widest view, unredacted, as JSON. */
  readonly serialized: Buffer
  /** What is hidden from the narrower profiles. */
  readonly identity: Identity
}

/**
 * Renders a view of a contact for a profile. The widest view for the widest profile is the serialized contact itself, not
 * a copy.
 */
export type Render = (content: Content, view: View, profile: Profile) => Representation

/** The widest view as JSON, as the cache stores it. */
export function serializeContact(contact: ExecutionContact): Buffer {
  return ownBytes(serializers.transcript(contact))
}

/** Reads what `serializeContact` writes. Null for bytes that it would not write, out of which no view could be cut. */
export function contactIn(serialized: Buffer): ExecutionContact | null {
  try {
    const contact: ExecutionContact = JSON.parse(serialized.toString())
    return serializeContact(contact).equals(serialized) ? contact : null
  } catch {
    return null
  }
}

/** Copies into memory of its own, because a slice of Node's shared pool keeps the whole pool alive. */
export function ownBytes(content: string | Buffer): Buffer {
  // Encoding a text into the pool first takes half of the time of `write`.
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}

/** The strong entity tag of these bytes, with its quotes (RFC 9110 section 8.8.3). */
export function etagOf(body: Buffer): string {
  return `"${hash('sha256', body, 'base64url').slice(0, 27)}"`
}

/** The entity tag without its quotes, as the id of an event. */
export function tagOf({ etag }: Pick<Representation, 'etag'>): string {
  return etag.slice(1, -1)
}

/** @param pseudonymOf for the ids that the narrower profiles do not see */
export function createRender(pseudonymOf: IdPseudonym): Render {
  const redact = ofEachView((schema) => createRedact(schema, pseudonymOf))
  return function render({ serialized, identity }, view, profile) {
    const unredacted = partOf(serialized, view)
    const redacted = () => serializers[view](redact[view](JSON.parse(unredacted.toString()), identity, profile))
    const body = profile === 'full' ? unredacted : ownBytes(redacted())
    return { view, profile, coding: 'identity', body, etag: etagOf(body), terminal: isTerminal(serialized) }
  }
}

/** The field that each view has first of those that the view before it does not have, as it is written. */
const firstFieldBeyond = { summary: ',"steps":[', timeline: ',"messages":[' }
const viewField = '"view":"transcript"'
const terminalField = '"terminal":'

/**
 * A view of the widest one, unredacted: the same bytes up to the fields that it does not have. They are searched and not
 * parsed, because a quotation mark in a text has a backslash before it, so that no text looks like the name of a field.
 */
function partOf(serialized: Buffer, view: View): Buffer {
  if (view === 'transcript') return serialized
  const [at, end] = [serialized.indexOf(viewField), serialized.indexOf(firstFieldBeyond[view])]
  const rest = serialized.subarray(at + viewField.length, end)
  return ownBytes(Buffer.concat([serialized.subarray(0, at), Buffer.from(`"view":"${view}"`), rest, Buffer.from('}')]))
}

/** The first field of this name is that of the run: `meta` may have one, too. */
function isTerminal(serialized: Buffer): boolean {
  return serialized[serialized.indexOf(terminalField) + terminalField.length] === 't'.charCodeAt(0)
}

/** The entity tag of a representation in a content coding, given its tag without one. */
export function codedEtag(etag: string, coding: ContentCoding): string {
  return coding === 'identity' ? etag : `${etag.slice(0, -1)}-${coding}"`
}

/** The same in another content coding: another representation, with an ETag of its own (RFC 9110 section 8.8.3.3). */
export function recode(plain: Representation, coding: Compression, body: Buffer): Representation {
  return { ...plain, coding, body, etag: codedEtag(plain.etag, coding) }
}
