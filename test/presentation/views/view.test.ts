import { isUtf8 } from 'node:buffer'
import t from 'tap'
import { type Profile, profiles } from '../../../src/access/profile.ts'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../../src/presentation/contact/execution-contact.ts'
import { ownBytes, recode, serializeContact, type View, views } from '../../../src/presentation/views/view.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { filledContact, plant } from '../builders.ts'
import { isNullable, type Path, publishedFields } from '../fields.ts'
import { noIdentity, render } from '../pipeline.ts'

const summaryKeys = [
  ...[
    'id',
    'view',
    'status',
    'statusRaw',
    'terminal',
    'reason',
    'reasonWithheld',
    'isTest',
    'startedAt',
    'statusChangedAt',
    'endedAt',
  ],
  ...['lastActivityAt', 'changedBy', 'executionId', 'inboxContactId', 'flow', 'contact', 'progress'],
]
const keysOf = {
  summary: summaryKeys,
  timeline: [...summaryKeys, 'steps', 'answers'],
  transcript: [...summaryKeys, 'steps', 'answers', 'messages'],
} as const
const variants = views.flatMap((view) => profiles.map((profile) => ({ view, profile })))

const renderView = (serialized: Buffer, view: View, profile: Profile) =>
  render({ serialized, identity: noIdentity }, view, profile)
const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as Record<string, unknown>
const roundTrip = (contact: ExecutionContact) => parse(serializeContact(contact))
const etagsOf = (contact: ExecutionContact) =>
  views.map((view) => renderView(serializeContact(contact), view, 'full').etag)

t.test('a view has the documented fields with the values of the contact', async (t) => {
  t.strictSame(views, ['summary', 'timeline', 'transcript'])
  for (const contact of [exampleContact, filledContact]) {
    const serialized = serializeContact(contact)
    t.strictSame(parse(serialized), contact)
    for (const view of views) {
      const rendered = parse(renderView(serialized, view, 'full').body)
      t.strictSame(Object.keys(rendered), keysOf[view], view)
      const expected = Object.entries(contact).filter(([key]) => keysOf[view].includes(key))
      t.strictSame(rendered, { ...Object.fromEntries(expected), view }, view)
    }
  }
})

t.test('a view for a profile is that view of the transcript for that profile', async (t) => {
  const serialized = serializeContact(filledContact)
  for (const { view, profile } of variants) {
    const { body, etag: _etag, ...others } = renderView(serialized, view, profile)
    const whole = parse(renderView(serialized, 'transcript', profile).body)
    const expected = Object.entries({ ...whole, view }).filter(([key]) => keysOf[view].includes(key))
    t.strictSame(parse(body), Object.fromEntries(expected), `${view} for ${profile}`)
    t.strictSame(others, { view, profile, coding: 'identity', terminal: false })
    t.equal(body === serialized, view === 'transcript' && profile === 'full', 'only the whole contact is no copy')
  }
  const ended = serializeContact({ ...exampleContact, terminal: true })
  for (const view of views) t.equal(renderView(ended, view, 'full').terminal, true)
})

t.test('a recoded view is another representation with an ETag of its own', async (t) => {
  for (const terminal of [true, false]) {
    const plain = renderView(serializeContact({ ...exampleContact, terminal }), 'timeline', 'full')
    const body = Buffer.from('as if compressed')
    const etag = plain.etag.replace(/"$/, '-gzip"')
    const recoded = recode(plain, 'gzip', body)
    t.strictSame(recoded, { view: 'timeline', profile: 'full', coding: 'gzip', body, etag, terminal })
    t.equal(recoded.body, body, 'the body is no copy')
  }
})

t.test('an ETag is strong, and the same only for the same bytes', async (t) => {
  const etags = etagsOf(exampleContact)
  const [summary, timeline, transcript] = etags
  t.strictSame(etagsOf(structuredClone(exampleContact)), etags)
  for (const etag of etags) t.match(etag, /^"[\w-]{27}"$/)
  t.equal(new Set([...etags, ...etagsOf({ ...exampleContact, reason: 'x' })]).size, 6)

  const withoutMessages = etagsOf({ ...exampleContact, messages: [] })
  t.strictSame(withoutMessages.slice(0, 2), [summary, timeline])
  t.not(withoutMessages[2], transcript)
  const withoutAnswers = etagsOf({ ...exampleContact, answers: [] })
  t.equal(withoutAnswers[0], summary)
  t.not(withoutAnswers[1], timeline)

  const contact = { ...exampleContact.contact, name: null, phone: null }
  const serialized = serializeContact({ ...exampleContact, contact })
  const [viewer, agent, full] = profiles.map((profile) => renderView(serialized, 'summary', profile).etag)
  t.equal(agent, viewer)
  t.not(agent, full)
})

t.test('serialized contacts, views and owned bytes have memory of their own', async (t) => {
  const small = { ...exampleContact, steps: [], answers: [], messages: [] }
  for (const contact of [small, { ...small, reason: '🚚' }, filledContact]) {
    const serialized = serializeContact(contact)
    t.equal(serialized.length, Buffer.byteLength(JSON.stringify(contact)), 'no byte more than needed')
    const bodies = variants.map(({ view, profile }) => renderView(serialized, view, profile).body)
    checkRows(t, [serialized, ...bodies], (body) => difference(body.buffer.byteLength, body.length), 'every body')
  }
  for (const content of ['', 'x', '🚚 María', Buffer.from('pooled'), Buffer.alloc(0)]) {
    const owned = ownBytes(content)
    t.ok(owned.equals(Buffer.from(content)))
    t.equal(owned.buffer.byteLength, owned.length)
    t.not(owned, content)
  }
})

t.test('a property without a name in the schema does not get out', async (t) => {
  const serialized = serializeContact(filledContact)
  const planted = plant(filledContact)
  const countOf = (pattern: RegExp, contact: ExecutionContact) => JSON.stringify(contact).match(pattern)?.length ?? 0
  t.equal(countOf(/"planted":/g, planted), countOf(/\{/g, filledContact) - 1, 'it is in every object but meta')
  t.strictSame(serializeContact(planted), serialized)
  const plantedBytes = Buffer.from(JSON.stringify(planted))
  for (const view of ['summary', 'timeline'] as const)
    for (const profile of ['agent', 'viewer'] as const)
      t.strictSame(renderView(plantedBytes, view, profile), renderView(serialized, view, profile), view)
})

t.test('nothing that Hilos or the operators write looks like a field of a view', async (t) => {
  const fields = [
    '"view":"transcript"',
    '"terminal":true',
    ',"steps":[',
    ',"messages":[',
    '\\","messages":[{"',
    ',"steps":[\\',
  ]
  const meta = { view: 'transcript', terminal: true, steps: 1, messages: '[', ',"messages":[': ',"messages":[' }
  const check = (text: string) => {
    const contact = { ...withText(text), statusRaw: text, contact: { ...withText(text).contact, meta } }
    const serialized = serializeContact(contact)
    return difference(
      views.map((view) => [
        parse(renderView(serialized, view, 'full').body),
        renderView(serialized, view, 'agent').terminal,
      ]),
      views.map((view) => [
        { ...Object.fromEntries(Object.entries(contact).filter(([key]) => keysOf[view].includes(key))), view },
        false,
      ]),
    )
  }
  checkRows(t, fields, check, 'every text')
})

const withText = (text: string): ExecutionContact => ({
  ...filledContact,
  reason: text,
  flow: { ...filledContact.flow, name: text },
  contact: { ...filledContact.contact, name: text, meta: { [text]: text } },
  steps: filledContact.steps.map((step) => ({ ...step, question: { answerType: text, options: [text, text] } })),
  answers: filledContact.answers.map((answer) => ({ ...answer, value: text })),
  messages: filledContact.messages.map((message) => ({ ...message, text, media: { type: 'image', mimeType: text } })),
})

t.test('any text comes out as it went in, as JSON in UTF-8', async (t) => {
  const texts = [
    ...['', ' ', 'two\nlines\r\n\ttab', '"quoted" \\ and \\" and \\u0041', '\u0000\u0001\u001f\u007f'],
    ...['\u2028\u2029\ufeff', '👋🏽 👩‍👩‍👧 مرحبا \u202egnirts', '\ud800 lone \udfff', '\udfff\ud800', '</script><!--'],
    '__proto__',
  ]
  // The serializer has another code path for long strings.
  const cases = texts.flatMap((text) => [text, text + 'x'.repeat(100), text + 'x'.repeat(6000)])
  const check = (text: (typeof cases)[number]) => {
    const contact = withText(text)
    const serialized = serializeContact(contact)
    if (!isUtf8(serialized)) return 'not UTF-8'
    const reasons = views.map((view) => parse(renderView(serialized, view, 'full').body).reason)
    const isSame = JSON.stringify(parse(serialized)) === JSON.stringify(contact)
    return difference([isSame, ...reasons], [true, text, text, text])
  }
  checkRows(t, cases, check, 'every text')
})

t.test('answers and meta keep values of every simple type', async (t) => {
  const values = ['', '0', '5', 'true', 'null', 0, 5, -1.5, 1e21, true, false]
  const answers = values.flatMap((value) => exampleContact.answers.map((answer) => ({ ...answer, value })))
  const meta = { empty: '', text: '5', zero: 0, decimal: 1.5, yes: true, no: false, nothing: null, constructor: 'x' }
  const contact = { ...exampleContact, answers, contact: { ...exampleContact.contact, meta } }
  t.strictSame(roundTrip(contact), contact)
})

function setNull(contact: ExecutionContact, path: Path): void {
  const parent = path.slice(0, -1).reduce<unknown>((value, name) => Reflect.get(Object(value), name), contact)
  Reflect.set(Object(parent), String(path.at(-1)), null)
}

t.test('null stays null in each field that can be null, and in all of them', async (t) => {
  const nullablePaths = publishedFields.filter(([, field]) => isNullable(field)).map(([path]) => path)
  const cases = [...nullablePaths.map((path) => [path]), nullablePaths.toReversed()]
  const check = (paths: (typeof cases)[number]) => {
    const contact = structuredClone(filledContact)
    for (const path of paths) setNull(contact, path)
    return difference(contact, filledContact) === null ? 'nothing was set' : difference(roundTrip(contact), contact)
  }
  checkRows(t, cases, check, 'every field')
})
