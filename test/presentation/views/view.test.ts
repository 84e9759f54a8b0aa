import { isUtf8 } from 'node:buffer'
import t from 'tap'
import { type Profile, profiles } from '../../../src/access/profile.ts'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../../src/presentation/contact/execution-contact.ts'
import { redact } from '../../../src/presentation/redaction/redaction.ts'
import { ownBytes, packContact, recode, renderView, views } from '../../../src/presentation/views/view.ts'
import { filledContact, plant } from '../builders.ts'
import { isNullable, type Path, publishedFields } from '../fields.ts'

const summaryKeys = [
  ...['id', 'status', 'statusRaw', 'terminal', 'reason', 'isTest', 'startedAt', 'statusChangedAt', 'endedAt'],
  ...['lastActivityAt', 'changedBy', 'executionId', 'inboxContactId', 'flow', 'contact', 'progress'],
]
const keysOf = {
  summary: summaryKeys,
  timeline: [...summaryKeys, 'steps', 'answers'],
  transcript: [...summaryKeys, 'steps', 'answers', 'messages'],
} as const

const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as Record<string, unknown>
const etagsOf = (contact: ExecutionContact) => views.map((view) => renderView(packContact(contact), view, 'full').etag)

t.test('a contact, when packed, is the whole of it', async (t) => {
  t.strictSame(parse(packContact(exampleContact)), exampleContact)
  t.strictSame(parse(packContact(filledContact)), filledContact)
})

t.test('a view, of a packed contact, has the documented fields with the values of the contact', async (t) => {
  t.strictSame(views, ['summary', 'timeline', 'transcript'])
  for (const contact of [exampleContact, filledContact]) {
    for (const view of views) {
      const rendered = parse(renderView(packContact(contact), view, 'full').body)
      t.strictSame(Object.keys(rendered), keysOf[view], view)
      const expected = Object.entries(contact).filter(([key]) => keysOf[view].includes(key))
      t.strictSame(rendered, Object.fromEntries(expected), view)
    }
  }
})

t.test('a view, for each profile, is that view of the redacted contact', async (t) => {
  for (const profile of profiles) {
    const redacted = packContact(redact(filledContact, profile))
    for (const view of views) {
      const { body, ...others } = renderView(packContact(filledContact), view, profile)
      t.strictSame(parse(body), parse(renderView(redacted, view, 'full').body), `${view} for ${profile}`)
      t.match(others, { view, profile, coding: 'identity' })
    }
  }
})

t.test(
  'the transcript for the profile full, of a packed contact, is the packed contact itself and no copy',
  async (t) => {
    const packed = packContact(exampleContact)
    for (const view of views)
      for (const profile of profiles)
        t.equal(
          renderView(packed, view, profile).body === packed,
          view === 'transcript' && profile === 'full',
          `${view} for ${profile}`,
        )
  },
)

t.test('a profile, whose bytes are those of another, has its tag', async (t) => {
  const packed = packContact({ ...exampleContact, contact: { ...exampleContact.contact, name: null, phone: null } })
  const etagOf = (profile: Profile) => renderView(packed, 'summary', profile).etag
  t.equal(etagOf('agent'), etagOf('viewer'))
  t.not(etagOf('agent'), etagOf('full'))
})

t.test('a view, when recoded, is another representation with a tag of its own', async (t) => {
  for (const terminal of [true, false]) {
    const plain = renderView(packContact({ ...exampleContact, terminal }), 'timeline', 'full')
    const body = Buffer.from('as if compressed')
    const etag = plain.etag.replace(/"$/, '-gzip"')
    t.strictSame(recode(plain, 'gzip', body), {
      view: 'timeline',
      profile: 'full',
      coding: 'gzip',
      body,
      etag,
      terminal,
    })
    t.equal(recode(plain, 'gzip', body).body, body, 'and no copy')
  }
})

t.test('a view, by the contact, says whether the run is over', async (t) => {
  for (const view of views)
    for (const terminal of [true, false])
      t.equal(renderView(packContact({ ...exampleContact, terminal }), view, 'full').terminal, terminal)
})

t.test('an ETag, for the same bytes, is the same and strong', async (t) => {
  t.strictSame(etagsOf(exampleContact), etagsOf(structuredClone(exampleContact)))
  for (const etag of etagsOf(exampleContact)) t.match(etag, /^"[\w-]{27}"$/)
})

t.test('an ETag, for other bytes or another view, is another', async (t) => {
  const [summary, timeline, transcript] = etagsOf(exampleContact)
  t.equal(new Set([summary, timeline, transcript]).size, 3)

  const other = etagsOf({ ...exampleContact, reason: 'x' })
  t.equal(new Set([...etagsOf(exampleContact), ...other]).size, 6)
  t.strictSame(etagsOf({ ...exampleContact, messages: [] }).slice(0, 2), [summary, timeline], 'no message in these')
  t.not(etagsOf({ ...exampleContact, messages: [] })[2], transcript)
  t.equal(etagsOf({ ...exampleContact, answers: [] })[0], summary, 'no answer in this')
  t.not(etagsOf({ ...exampleContact, answers: [] })[1], timeline)
})

t.test('a packed contact and its views, small or large, own their memory', async (t) => {
  const small = { ...exampleContact, steps: [], answers: [], messages: [] }
  for (const contact of [small, { ...small, reason: '🚚' }, filledContact]) {
    const packed = packContact(contact)
    t.equal(packed.buffer.byteLength, packed.length)
    t.equal(packed.length, Buffer.byteLength(JSON.stringify(contact)), 'and no byte more than needed')
    for (const view of views) {
      for (const profile of profiles) {
        const { body } = renderView(packed, view, profile)
        t.equal(body.buffer.byteLength, body.length, `${view} for ${profile}`)
      }
    }
  }
})

t.test('bytes or a text, when owned, are a copy in memory of its own', async (t) => {
  for (const content of ['', 'x', '🚚 María', Buffer.from('pooled'), Buffer.alloc(0)]) {
    const owned = ownBytes(content)
    t.ok(owned.equals(Buffer.from(content)))
    t.equal(owned.buffer.byteLength, owned.length)
    t.not(owned, content)
  }
})

t.test('an unnamed property, on any object that is packed or rendered, does not get out', async (t) => {
  const packed = packContact(filledContact)
  const countOf = (pattern: RegExp, contact: ExecutionContact) => JSON.stringify(contact).match(pattern)?.length ?? 0
  t.equal(countOf(/"planted":/g, plant(filledContact)), countOf(/\{/g, filledContact) - 1, 'in all objects but meta')
  t.strictSame(packContact(plant(filledContact)), packed)
  const strayBytes = Buffer.from(JSON.stringify(plant(filledContact)))
  for (const view of ['summary', 'timeline'] as const)
    t.strictSame(renderView(strayBytes, view, 'full'), renderView(packed, view, 'full'), view)
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

t.test('a text, whatever it holds, comes out as it went in, as JSON in UTF-8', async (t) => {
  const texts = [
    '',
    ' ',
    'two\nlines\r\n\ttab',
    '"quoted" \\ and \\" and \\u0041',
    '\u0000\u0001\u001f\u007f',
    '\u2028\u2029\ufeff',
    '👋🏽 👩‍👩‍👧 مرحبا \u202egnirts',
    '\ud800 lone \udfff',
    '\udfff\ud800',
    '</script><!--',
    '__proto__',
  ]
  // The serializer takes another way for long strings than for short ones.
  const lengthened = texts.flatMap((text) => [text, text + 'x'.repeat(100), text + 'x'.repeat(6000)])
  for (const [index, text] of lengthened.entries()) {
    const contact = withText(text)
    const packed = packContact(contact)
    t.ok(isUtf8(packed), 'well-formed UTF-8')
    t.ok(JSON.stringify(parse(packed)) === JSON.stringify(contact), `text ${index}`)
    for (const view of views)
      t.ok(parse(renderView(packed, view, 'full').body).reason === text, `text ${index} in ${view}`)
  }
})

t.test('the value of an answer, of any type, keeps it', async (t) => {
  for (const value of ['', '0', '5', 'true', 'null', 0, 5, -1.5, 1e21, true, false]) {
    const answers = exampleContact.answers.map((answer) => ({ ...answer, value }))
    t.strictSame(parse(packContact({ ...exampleContact, answers })).answers, answers, JSON.stringify(value))
  }
})

t.test('meta, with values of every simple type, keeps them', async (t) => {
  const meta = { empty: '', text: '5', zero: 0, decimal: 1.5, yes: true, no: false, nothing: null, constructor: 'x' }
  const contact = { ...exampleContact, contact: { ...exampleContact.contact, meta } }
  t.strictSame(parse(packContact(contact)).contact, contact.contact)
})

function setNull(contact: ExecutionContact, path: Path): void {
  const parent = path.slice(0, -1).reduce<unknown>((value, name) => Reflect.get(Object(value), name), contact)
  Reflect.set(Object(parent), String(path.at(-1)), null)
}

const nullablePaths = publishedFields.filter(([, field]) => isNullable(field)).map(([path]) => path)

t.test('null, in each field that can be null and in all of them, stays null', async (t) => {
  for (const paths of [...nullablePaths.map((path) => [path]), nullablePaths.toReversed()]) {
    const contact = structuredClone(filledContact)
    for (const path of paths) setNull(contact, path)
    t.strictNotSame(contact, filledContact)
    t.strictSame(parse(packContact(contact)), contact, paths.length === 1 ? paths.join('.') : 'all of them')
  }
})
