import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { TSchema } from 'typebox'
import Schema from 'typebox/schema'
import { Failure } from '../../src/failures/failure.ts'
import { createContactRef } from '../../src/presentation/contact/contact.ts'
import {
  type ExecutionContact,
  presentExecutionContact,
  SummarySchema,
  TimelineSchema,
  TranscriptSchema,
} from '../../src/presentation/contact/execution-contact.ts'
import { packContact, renderView, sharedSchemas, type View, views } from '../../src/presentation/views/view.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'
import { mayEverLeave } from '../harness/may-leave.ts'
import { canariesAt, placesIn } from './canaries.ts'
import { hilosTexts, metaKeys, requestedId } from './hilos-text.ts'
import { holds } from './holds.ts'
import { isWellFormed } from './json-text.ts'
import { withheldIn } from './withheld.ts'

const options = { refOf: createContactRef('a key of sixteen'), metaKeys }

/** Null where the reader refuses. */
function present(json: unknown): ExecutionContact | null {
  try {
    return presentExecutionContact(
      readDocument(json, requestedId, () => {}),
      options,
    )
  } catch (error) {
    if (error instanceof Failure) return null
    throw error
  }
}

/** What the property says of every document that is presented at all. */
const ofPresentations = (says: (contact: ExecutionContact, json: unknown) => boolean) =>
  fc.property(hilosTexts, (text) => {
    const json: unknown = JSON.parse(text)
    const contact = present(json)
    return contact === null || says(contact, json)
  })

const bodyOf = (contact: ExecutionContact, view: View): Record<string, unknown> =>
  JSON.parse(renderView(packContact(contact), view, 'full').body.toString())

/** The public schema, with its references resolved, of objects that have nothing else. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('$ref' in schema && schema.$ref !== undefined)
    return strict(sharedSchemas.find((each) => `${(each as NamedSchema).$id}#` === schema.$ref))
  const parts = Object.entries(schema).map(([name, part]) => [name, strict(part)] as const)
  return Object.fromEntries([...parts, ...('properties' in schema ? [['additionalProperties', false]] : [])])
}
type NamedSchema = TSchema & { readonly $id?: string }

const compile = (schema: TSchema) => Schema.Compile(strict(schema) as Record<string, unknown>)
const schemas = { summary: SummarySchema, timeline: TimelineSchema, transcript: TranscriptSchema }
const validators = {
  summary: compile(SummarySchema),
  timeline: compile(TimelineSchema),
  transcript: compile(TranscriptSchema),
}

/** Throws what does not fit, so that the report of a failure says it. */
function mustFit(view: View, value: unknown): true {
  const [fits, errors] = validators[view].Errors(value)
  if (!fits) throw new Error(`${view}: ${errors.map(({ instancePath, message }) => `${instancePath} ${message}`)}`)
  return true
}

t.test(
  'a presentation, whatever was read, has the fields of its schema and no others, with the right types',
  async (t) => {
    let presented = 0
    const property = ofPresentations((contact) => {
      presented += 1
      // Before the serializer, which would hide what is too much.
      return mustFit('transcript', contact)
    })
    holds(t, property)
    t.ok(presented > 75, `${presented} were presented`)
  },
)

t.test('a view, whatever was read, is JSON with the fields of its schema and no others', async (t) => {
  const property = ofPresentations((contact) =>
    views.every((view) => {
      const body = bodyOf(contact, view)
      return mustFit(view, body) && isDeepStrictEqual(Object.keys(body), Object.keys(schemas[view].properties))
    }),
  )
  holds(t, property)
})

t.test('the views, whatever was read, nest', async (t) => {
  const property = ofPresentations((contact) => {
    const [summary, timeline, transcript] = views.map((view) => Object.entries(bodyOf(contact, view)))
    if (!summary || !timeline || !transcript) return false
    const isStartOf = (smaller: unknown[], larger: unknown[]) =>
      smaller.length < larger.length && isDeepStrictEqual(smaller, larger.slice(0, smaller.length))
    return isStartOf(summary, timeline) && isStartOf(timeline, transcript)
  })
  holds(t, property)
})

t.test('a presentation, when packed and unpacked, is itself', async (t) => {
  const property = ofPresentations((contact) => {
    const packed = packContact(contact)
    const unpacked: ExecutionContact = JSON.parse(packed.toString())
    // JSON.stringify is the other serializer, which knows of no schema.
    if (!isDeepStrictEqual(unpacked, JSON.parse(JSON.stringify(contact)))) return false
    const again = renderView(packed, 'transcript', 'full')
    return again.body.equals(packed) && packContact(unpacked).equals(packed)
  })
  holds(t, property)
})

t.test('a presentation, whatever was read, is well-formed text', async (t) => {
  const property = ofPresentations((contact) => isWellFormed(packContact(contact).toString()))
  holds(t, property)
})

const mayLeave = {
  summary: mayEverLeave('summary'),
  timeline: mayEverLeave('timeline'),
  transcript: mayEverLeave('transcript'),
}

/** Any recorded time of the run, its steps and its messages can be the last, whether or not it is shown by itself. */
const ofLastActivity =
  /^(execution_steps\[\]\.(messages\[\]\.message\.)?)?(timestamp|(created|status_last_change|queued|accepted|sent|delivered|read|failed)_on)$/

t.test('a canary, when it is where nothing may leave, is in no view', async (t) => {
  let left = 0
  const property = ofPresentations((contact, json) => {
    const places = placesIn(json)
    for (const view of views) {
      const withheld = withheldIn(json, view)
      for (const { canary, path } of canariesAt(bodyOf(contact, view))) {
        const from = places.get(canary) ?? 'nowhere'
        const published = metaKeys.some((key) => from === `contact.meta.${key}`)
        const allowed =
          mayLeave[view].has(from) || published || (path === 'lastActivityAt' && ofLastActivity.test(from))
        if (!allowed || withheld.has(canary)) throw new Error(`${view} shows ${from} at ${path}`)
        left += 1
      }
    }
    return true
  })
  holds(t, property, { numRuns: 300 })
  t.ok(left > 1000, `${left} canaries left where they may`)
})
