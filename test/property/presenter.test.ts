import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { TSchema } from 'typebox'
import Schema from 'typebox/schema'
import { Failure } from '../../src/failures/failure.ts'
import {
  type ExecutionContact,
  SummarySchema,
  TimelineSchema,
  TranscriptSchema,
} from '../../src/presentation/contact/execution-contact.ts'
import { serializeContact, type View, views } from '../../src/presentation/views/view.ts'
import { mayEverLeave } from '../harness/may-leave.ts'
import { resolveAll } from '../harness/resolved-schema.ts'
import { noIdentity, presented, render } from '../presentation/pipeline.ts'
import { canariesAt, placesIn } from './canaries.ts'
import { hilosTexts, metaKeys, requestedId } from './hilos-text.ts'
import { holds } from './holds.ts'
import { isWellFormed } from './json-text.ts'
import { withheldIn } from './withheld.ts'

/** A property of every document that is not rejected, and of its presentation. */
const ofPresentations = (check: (contact: ExecutionContact, json: unknown) => boolean) =>
  fc.property(hilosTexts, (text) => {
    const json: unknown = JSON.parse(text)
    let contact: ExecutionContact
    try {
      contact = presented(json, requestedId, metaKeys).contact
    } catch (error) {
      if (error instanceof Failure) return true
      throw error
    }
    return check(contact, json)
  })

const bodyOf = (contact: ExecutionContact, view: View): Record<string, unknown> =>
  JSON.parse(renderedOf(serializeContact(contact), view).body.toString())

const renderedOf = (serialized: Buffer, view: View) => render({ serialized, identity: noIdentity }, view, 'full')

/** The public schema, except that its objects have no other properties. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.entries(schema).map(([name, part]) => [name, strict(part)] as const)
  return Object.fromEntries([...parts, ...('properties' in schema ? [['additionalProperties', false]] : [])])
}

const parts = (view: View, schema: TSchema & { readonly properties: object }) => ({
  validator: Schema.Compile(strict(resolveAll(schema)) as Record<string, unknown>),
  fields: Object.keys(schema.properties),
  mayLeave: mayEverLeave(view),
})
const wanted = {
  summary: parts('summary', SummarySchema),
  timeline: parts('timeline', TimelineSchema),
  transcript: parts('transcript', TranscriptSchema),
}

/** Throws an error that says what does not fit, so that the report of a failure shows it. */
function mustFit(view: View, value: unknown): true {
  const [fits, errors] = wanted[view].validator.Errors(value)
  if (!fits) throw new Error(`${view}: ${errors.map(({ instancePath, message }) => `${instancePath} ${message}`)}`)
  return true
}

t.test('a presentation has the fields of its schema and no others, with the right types', async (t) => {
  let count = 0
  const property = ofPresentations((contact) => {
    count += 1
    // The serializer would hide other fields.
    return contact.id === requestedId && mustFit('transcript', contact)
  })
  holds(t, property)
  t.ok(count > 5, `${count} were presented`)
})

t.test('each view has the fields of its schema, and begins with the view before it', async (t) => {
  const property = ofPresentations((contact) => {
    let smaller: [string, unknown][] = []
    return views.every((view) => {
      const body = bodyOf(contact, view)
      // The name of the view is the one field that differs.
      const entries = Object.entries(body).filter(([name]) => name !== 'view')
      const nests = smaller.length < entries.length && isDeepStrictEqual(smaller, entries.slice(0, smaller.length))
      smaller = entries
      return nests && mustFit(view, body) && isDeepStrictEqual(Object.keys(body), wanted[view].fields)
    })
  })
  holds(t, property)
})

t.test('a presentation is the same after it was serialized and parsed, and well-formed', async (t) => {
  const property = ofPresentations((contact) => {
    const serialized = serializeContact(contact)
    const parsed: ExecutionContact = JSON.parse(serialized.toString())
    // JSON.stringify is another serializer, which knows no schema.
    if (!isDeepStrictEqual(parsed, JSON.parse(JSON.stringify(contact)))) return false
    const again = renderedOf(serialized, 'transcript')
    if (!again.body.equals(serialized) || !serializeContact(parsed).equals(serialized)) return false
    return isWellFormed(serialized.toString())
  })
  holds(t, property)
})

/** Any recorded time of the run, its steps and its messages can be the last activity, also one that is not shown. */
const activityTimes =
  /^(execution_steps\[\]\.(messages\[\]\.message\.)?)?(timestamp|(created|status_last_change|queued|accepted|sent|delivered|read|failed)_on)$/

t.test('no view shows a canary of a field that must not leave', async (t) => {
  let shown = 0
  const property = ofPresentations((contact, json) => {
    const places = placesIn(json)
    for (const view of views) {
      const withheld = withheldIn(json, view)
      for (const { canary, path } of canariesAt(bodyOf(contact, view))) {
        const from = places.get(canary) ?? 'nowhere'
        const isPublished = metaKeys.some((key) => from === `contact.meta.${key}`)
        const isActivity = path === 'lastActivityAt' && activityTimes.test(from)
        const mayLeave = wanted[view].mayLeave.has(from) || isPublished || isActivity
        if (!mayLeave || withheld.has(canary)) throw new Error(`${view} shows ${from} at ${path}`)
        shown += 1
      }
    }
    return true
  })
  holds(t, property, { numRuns: 300 })
  t.ok(shown > 100, `${shown} canaries are shown where they may be`)
})
