import t from 'tap'
import { profiles } from '../../../src/access/profile.ts'
import type { ExecutionContact } from '../../../src/presentation/contact/execution-contact.ts'
import { redact } from '../../../src/presentation/redaction/redaction.ts'
import { filledContact } from '../builders.ts'
import { publishedFields } from '../fields.ts'

const phone = '+525512344433'
const email = 'maria.gonzalez@correo-ejemplo.mx'
const own = { phone, email }

/** What the narrower profiles see of `textual`, wherever it is not what it is there. */
const scrubbed = (path: string) => `${path} [phone] [email] fin`
const narrowed: Readonly<Record<string, { readonly agent: unknown; readonly viewer: unknown }>> = {
  reason: { agent: scrubbed('reason'), viewer: null },
  changedBy: { agent: 'changedBy f.', viewer: null },
  'contact.id': { agent: null, viewer: null },
  'contact.name': { agent: 'contact.name f.', viewer: null },
  'contact.phone': { agent: '****4433', viewer: null },
  'contact.email': { agent: null, viewer: null },
  'contact.masked': { agent: true, viewer: true },
  'contact.meta': { agent: {}, viewer: {} },
  'steps.reason': { agent: scrubbed('steps.reason'), viewer: null },
  'steps.question.options': {
    agent: scrubbed('steps.question.options'),
    viewer: scrubbed('steps.question.options'),
  },
  'messages.delivery.error.code': {
    agent: scrubbed('messages.delivery.error.code'),
    viewer: scrubbed('messages.delivery.error.code'),
  },
  'answers.value': { agent: scrubbed('answers.value'), viewer: null },
  'messages.text': { agent: scrubbed('messages.text'), viewer: null },
  'messages.location.name': { agent: scrubbed('messages.location.name'), viewer: undefined },
  'messages.location.address': { agent: scrubbed('messages.location.address'), viewer: undefined },
  'messages.sharedContacts': { agent: 2, viewer: null },
}
/** Seen by the profile agent; for the profile viewer the whole location is null. */
const ofLocation = ['messages.location.latitude', 'messages.location.longitude']
/** The same for every profile: to add one is to say that it tells nothing of a person. */
const forEverybody = [
  ...paths('', 'id status statusRaw terminal isTest startedAt statusChangedAt endedAt lastActivityAt'),
  ...paths('', 'executionId inboxContactId'),
  ...paths('flow.', 'id name trigger version.id version.name version.isCurrent channel.type channel.name'),
  ...paths('flow.', 'channel.isSandbox'),
  ...paths('contact.', 'ref isDeleted'),
  ...paths('progress.', 'steps completed failed currentStepId waitingFor expiresAt'),
  ...paths('steps.', 'id definitionId name type status statusRaw reasonWithheld hasError startedAt changedAt'),
  ...paths('steps.', 'expiresAt delayUntil failedAttempts maxAttempts question.answerType messageIds'),
  ...paths('answers.', 'stepId question answerType at messageId'),
  ...paths('messages.', 'id stepId direction author type at isDeleted media.type media.mimeType template.name'),
  ...paths('messages.', 'template.language replyTo delivery.status delivery.sentAt delivery.deliveredAt'),
  ...paths('messages.', 'delivery.readAt delivery.failedAt delivery.attempts'),
  ...paths('messages.', 'delivery.error.category'),
]

function paths(parent: string, names: string): string[] {
  return names.split(' ').map((name) => parent + name)
}

t.test('every published field is classified: for everybody, or with what each profile sees', async (t) => {
  const leaves = publishedFields.filter(
    ([, { properties, items }]) => !properties && !items?.properties && !items?.$ref,
  )
  const names = leaves.map(([path]) => path.filter((name) => name !== 0).join('.'))
  t.strictSame([...new Set(names)].sort(), [...forEverybody, ...ofLocation, ...Object.keys(narrowed)].sort())
})

/** The value with another in the place of each part that is none of objects and arrays, and of `meta`. */
function mapped(value: unknown, map: (path: string, leaf: unknown) => unknown, path = ''): unknown {
  if (Array.isArray(value)) return value.map((element) => mapped(element, map, path))
  if (typeof value !== 'object' || value === null || path === 'contact.meta') return map(path, value)
  const entries = Object.entries(value)
  return Object.fromEntries(entries.map(([key, part]) => [key, mapped(part, map, path ? `${path}.${key}` : key)]))
}

/** A contact whose phone number and e-mail address are in every text of it. */
const textual = mapped(filledContact, (path, leaf) => {
  if (path === 'contact.phone') return phone
  if (path === 'contact.email') return email
  return typeof leaf === 'string' ? `${path} 55 1234 4433 ${email} fin` : leaf
}) as ExecutionContact

t.test('a contact, for the profile full, is the same', async (t) => {
  t.strictSame(redact(textual, 'full'), textual)
  t.equal(redact(textual, 'full').contact.masked, false)
})

t.test('a contact, for the profile agent, is the same but for what the table says', async (t) => {
  const expected = mapped(textual, (path, leaf) => narrowed[path]?.agent ?? (path in narrowed ? null : leaf))
  t.strictSame(redact(textual, 'agent'), expected)
})

t.test('a contact, for the profile viewer, is the same but for what the table says', async (t) => {
  const { messages, ...others } = textual
  const withoutPlaces = { ...others, messages: messages.map((message) => ({ ...message, location: null })) }
  const expected = mapped(withoutPlaces, (path, leaf) => (narrowed[path] ? narrowed[path].viewer : leaf))
  t.strictSame(redact(textual, 'viewer'), expected)
})

t.test('a contact, when redacted, is not changed, and nobody gets a part of it that was', async (t) => {
  const before = structuredClone(textual)
  for (const profile of profiles) redact(deepFrozen(textual), profile)
  t.strictSame(textual, before)
})

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) deepFrozen(part)
  return Object.freeze(value)
}

const neverNull = ['contact.ref', 'steps.question.options', 'steps.messageIds', 'messages.delivery.error.code']

t.test('what is null, for whatever profile, stays null', async (t) => {
  const nothing = mapped(textual, (path, leaf) => {
    if (neverNull.includes(path)) return 'x'
    return path === 'contact.meta' || typeof leaf === 'boolean' ? leaf : null
  })
  for (const profile of profiles) {
    const masked = profile !== 'full'
    const expected = mapped(nothing, (path, leaf) =>
      path === 'contact.masked' ? masked : path === 'contact.meta' && masked ? {} : leaf,
    ) as ExecutionContact
    const nowhere = expected.messages.map((message) => ({ ...message, location: null }))
    const redacted = redact(nothing as ExecutionContact, profile)
    t.strictSame(redacted, profile === 'viewer' ? { ...expected, messages: nowhere } : expected, profile)
  }
  const messages = filledContact.messages.map((message) => ({ ...message, location: null }))
  for (const profile of profiles)
    for (const { location } of redact({ ...filledContact, messages }, profile).messages) t.equal(location, null)
})

t.test(
  'a contact of whom Hilos says nothing any more, for the profile agent, has no texts: who knows what is in them',
  async (t) => {
    for (const given of [{ isDeleted: true }, { ref: null }]) {
      const contact = { ...textual.contact, phone: null, email: null, ...given }
      const { reason, steps, answers, messages, changedBy } = redact({ ...textual, contact }, 'agent')
      t.strictSame([reason, changedBy], [null, 'changedBy f.'])
      for (const step of steps) t.equal(step.reason, null)
      for (const { value } of answers) t.equal(value, null)
      for (const { text, location, sharedContacts } of messages)
        t.strictSame([text, location, sharedContacts], [null, null, 2])
    }
    const known = { ...textual.contact, phone: null, email: null }
    t.not(redact({ ...textual, contact: known }, 'agent').reason, null, 'with no number there is none to be found')
  },
)

t.test('an id that WhatsApp made, which has the number in it, is nobody’s but the profile full’s', async (t) => {
  const wamid = 'wamid.HBgNNTIxNTUxMjM0NDQzMxUCABIYFDNB'
  const contact: ExecutionContact = {
    ...filledContact,
    steps: filledContact.steps.map((step) => ({ ...step, messageIds: [wamid, 'm2'] })),
    answers: filledContact.answers.map((answer) => ({ ...answer, messageId: wamid })),
    messages: filledContact.messages.map((message) => ({ ...message, id: wamid, replyTo: wamid.toUpperCase() })),
  }
  t.match(JSON.stringify(redact(contact, 'full')), /wamid/)
  for (const profile of ['agent', 'viewer'] as const) {
    const redacted = redact(contact, profile)
    t.notMatch(JSON.stringify(redacted), /wamid/i, profile)
    for (const { messageIds } of redacted.steps) t.strictSame(messageIds, ['m2'])
    for (const { id, replyTo } of redacted.messages) t.strictSame([id, replyTo], [null, null])
    for (const { messageId } of redacted.answers) t.equal(messageId, null)
  }
})

const agentOf = (given: Partial<ExecutionContact['contact']>) =>
  redact({ ...filledContact, contact: { ...filledContact.contact, ...own, ...given } }, 'agent').contact

t.test('a name, for the profile agent, is the first name and an initial', async (t) => {
  const table = [
    ['María González', 'María G.'],
    ['María de la Cruz', 'María C.'],
    ['María', 'María'],
    ['  María\n González\t', 'María G.'],
    ['María\u00a0González', 'María G.'],
    ['María G.', 'María G.'],
    ['María «González»', 'María G.'],
    ['María \u202aGonzález\u202c', 'María G.'],
    ['María (', 'María'],
    ['(María) González', '(María) G.'],
    ['مريم حسن', 'مريم ح.'],
    ['山田太郎', '山田太郎'],
    ['Ana 🌸', 'Ana 🌸.'],
    ['🌸', '🌸'],
    ['Ana 2', 'Ana 2.'],
    ['', ''],
    ['—', '—'],
    // On WhatsApp, a name is what its owner wrote.
    ['+52 1 55 1234 4433', '[phone]'],
    [email, '[email]'],
    [`5512344433 ${email}`, '[phone] [email]'],
    ['(5512344433)', '([phone])'],
    ['María 5512344433', 'María'],
    ['5512344433 María', 'María'],
    ['María (55 1234 4433)', 'María'],
    ['María González - 5512344433', 'María G.'],
    [`María González <${email}>`, 'María G.'],
    ['María5512344433 González', 'María G.'],
    ['55 9999 8888', '55 8.'],
  ] as const
  for (const [name, expected] of table) t.equal(agentOf({ name }).name, expected, JSON.stringify(name))
  for (const [changedBy, expected] of table) t.equal(redact({ ...textual, changedBy }, 'agent').changedBy, expected)
})

t.test('a phone number, for the profile agent, keeps the last four digits of eight or more', async (t) => {
  const table = [
    ['+525512344433', '****4433'],
    ['52 55 (1234) 44-33', '****4433'],
    ['12345678', '****5678'],
    ['+1 234-5678', '****5678'],
    ['1234567', '****'],
    ['+1 23-45-67', '****'],
    ['٥٥١٢٣٤٤٤٣٣', '****4433'],
    ['５５１２３４４４３３', '****4433'],
    ['unknown', '****'],
    ['', '****'],
  ] as const
  for (const [number, expected] of table) t.equal(agentOf({ phone: number }).phone, expected, number)
})

t.test('the value of an answer, for the profile agent, is scrubbed, and else keeps its type', async (t) => {
  const table = [
    ['55 1234 4433', '[phone]'],
    ['Monday', 'Monday'],
    ['', ''],
    ['5', '5'],
    [5512344433, '[phone]'],
    [5215512344433, '[phone]'],
    [525512344433, '[phone]'],
    [-5512344433, '-[phone]'],
    [5512344433.5, '[phone].5'],
    [55123444331, 55123444331],
    [5512344434, 5512344434],
    [4433, 4433],
    [0, 0],
    [-1.5, -1.5],
    [1e21, 1e21],
    [true, true],
    [false, false],
  ] as const
  for (const [value, expected] of table) {
    const answers = filledContact.answers.map((answer) => ({ ...answer, value }))
    const contact = { ...filledContact.contact, ...own }
    const redacted = redact({ ...filledContact, contact, answers }, 'agent')
    t.strictSame(
      redacted.answers.map((answer) => answer.value),
      answers.map(() => expected),
      JSON.stringify(value),
    )
  }
})

t.test(
  'the id of a message that WhatsApp made, which has the number in it, is for the profile full only',
  async (t) => {
    const made = 'wamid.HBgNNTIxNTUxMjM0NDQzMxUCABEYEjFBQkNERUY'
    for (const replyTo of [made, made.toUpperCase(), 'm1', 'wamid', 'x-wamid.1']) {
      const messages = filledContact.messages.map((message) => ({ ...message, replyTo }))
      for (const profile of profiles) {
        const expected = profile !== 'full' && /^wamid\./i.test(replyTo) ? null : replyTo
        for (const message of redact({ ...filledContact, messages }, profile).messages)
          t.equal(message.replyTo, expected, `${replyTo} for ${profile}`)
      }
    }
  },
)

t.test('a contact, for the profile agent, is scrubbed of its own number and of no other', async (t) => {
  const reason = `55 1234 4433 55 9999 8888 ${email} otra@correo-ejemplo.mx`
  const own = (given: Partial<ExecutionContact['contact']>) =>
    redact({ ...textual, reason, contact: { ...textual.contact, ...given } }, 'agent').reason
  t.equal(own({}), '[phone] 55 9999 8888 [email] otra@correo-ejemplo.mx')
  t.equal(own({ phone: '5599998888' }), `55 1234 4433 [phone] [email] otra@correo-ejemplo.mx`)
  t.equal(own({ phone: null }), `55 1234 4433 55 9999 8888 [email] otra@correo-ejemplo.mx`)
  t.equal(own({ email: null }), `[phone] 55 9999 8888 ${email} otra@correo-ejemplo.mx`)
  t.equal(own({ phone: null, email: null }), reason)
})
