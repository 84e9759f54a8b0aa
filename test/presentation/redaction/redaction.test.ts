import t from 'tap'
import { type Profile, profiles } from '../../../src/access/profile.ts'
import { type ExecutionContact, TranscriptSchema } from '../../../src/presentation/contact/execution-contact.ts'
import type { Identity } from '../../../src/presentation/redaction/identity.ts'
import { createRedact } from '../../../src/presentation/redaction/redaction.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { filledContact } from '../builders.ts'
import { publishedFields } from '../fields.ts'

const phone = '+525512344433'
const email = 'maria.gonzalez@correo-ejemplo.mx'
const known: Identity = { numbers: [phone], addresses: [email], lastNames: [], isComplete: true }
const redactInPlace = createRedact(TranscriptSchema, (scope, id) => `(${scope} ${id.slice(0, 8)})`)
const redact = (contact: ExecutionContact, profile: Profile, identity = known) =>
  redactInPlace(structuredClone(contact), identity, profile)

/** What the profiles agent and viewer see of `textual`. */
const scrubbed = (path: string) => `${path} [phone] [email] fin`
interface Narrowed {
  readonly agent: unknown
  readonly viewer: unknown
}
const narrowed: Readonly<Record<string, Narrowed>> = {
  changedBy: { agent: 'changedBy f.', viewer: null },
  'contact.id': { agent: null, viewer: null },
  'contact.name': { agent: 'contact.name f.', viewer: null },
  'contact.phone': { agent: '****4433', viewer: null },
  'contact.email': { agent: null, viewer: null },
  'contact.masked': { agent: true, viewer: true },
  'contact.meta': { agent: {}, viewer: {} },
  'messages.sentBy': { agent: 'messages.sentBy f.', viewer: null },
  'messages.location.name': { agent: scrubbed('messages.location.name'), viewer: undefined },
  'messages.location.address': { agent: scrubbed('messages.location.address'), viewer: undefined },
  'messages.sharedContacts': { agent: 2, viewer: null },
}
const texts = ['reason', 'steps.reason', 'answers.value', 'messages.text']
const words = [
  ...paths('', 'statusRaw'),
  ...paths('flow.', 'name trigger version.name channel.type channel.name'),
  ...paths('progress.', 'currentStep.name currentStep.type'),
  ...paths('steps.', 'name type statusRaw question.answerType question.options'),
  ...paths('answers.', 'question answerType'),
  ...paths('messages.', 'template.name template.language media.mimeType delivery.error.code'),
]
const ids = [
  ...paths('', 'executionId inboxContactId'),
  ...paths('flow.', 'id version.id'),
  ...paths('progress.', 'currentStepId currentStep.id'),
  ...paths('steps.', 'id definitionId messageIds'),
  ...paths('answers.', 'stepId messageId'),
  ...paths('messages.', 'id stepId replyTo'),
]
for (const path of texts) Object.assign(narrowed, { [path]: { agent: scrubbed(path), viewer: null } })
for (const path of words) Object.assign(narrowed, { [path]: { agent: scrubbed(path), viewer: scrubbed(path) } })
for (const path of ids) {
  const pseudonym = `(contact.ref 55 1234 4433 ${email} fin ${`${path} `.slice(0, 8)})`
  Object.assign(narrowed, { [path]: { agent: pseudonym, viewer: pseudonym } })
}

/** The profile agent sees them. For the profile viewer the whole location is null. */
const coordinates = ['messages.location.latitude', 'messages.location.longitude']
/** The same for every profile: a field belongs here only if this service made it, or if it tells nothing about a person. */
const unchanged = [
  ...paths('', 'id view status terminal reasonWithheld isTest startedAt statusChangedAt endedAt lastActivityAt'),
  ...paths('', 'contact.ref contact.isDeleted flow.version.isCurrent flow.channel.isSandbox'),
  ...paths('progress.', 'steps notBegun completed failed waitingFor expiresAt'),
  ...paths('steps.', 'status reasonWithheld hasError startedAt changedAt endedAt durationMs expiresAt delayUntil'),
  ...paths('steps.', 'failedAttempts maxAttempts'),
  ...paths('answers.', 'at'),
  ...paths('messages.', 'direction author type at isDeleted media.type delivery.status delivery.queuedAt'),
  ...paths('messages.delivery.', 'acceptedAt sentAt deliveredAt readAt failedAt attempts error.category'),
]

function paths(parent: string, names: string): string[] {
  return names.split(' ').map((name) => parent + name)
}

t.test('every published field is in one of the tables', async (t) => {
  const leaves = publishedFields.filter(
    ([, { properties, items }]) => !properties && !items?.properties && !items?.$ref,
  )
  const names = leaves.map(([path]) => path.filter((name) => name !== 0).join('.'))
  t.strictSame([...new Set(names)].sort(), [...unchanged, ...coordinates, ...Object.keys(narrowed)].sort())
})

/** Copies a value and maps every part of it that is neither an object nor an array, and `meta`. */
function mapped(value: unknown, map: (path: string, leaf: unknown) => unknown, path = ''): unknown {
  if (Array.isArray(value)) return value.map((element) => mapped(element, map, path))
  if (typeof value !== 'object' || value === null || path === 'contact.meta') return map(path, value)
  const entries = Object.entries(value)
  return Object.fromEntries(entries.map(([key, part]) => [key, mapped(part, map, path ? `${path}.${key}` : key)]))
}

/** A contact with its phone number and its e-mail address in every text. */
const textual = mapped(filledContact, (path, leaf) => {
  if (path === 'contact.phone') return phone
  if (path === 'contact.email') return email
  return typeof leaf === 'string' ? `${path} 55 1234 4433 ${email} fin` : leaf
}) as ExecutionContact

const withoutLocations = (contact: ExecutionContact): ExecutionContact => ({
  ...contact,
  messages: contact.messages.map((message) => ({ ...message, location: null })),
})
const agentOf = (run: Partial<ExecutionContact>, identity: Identity = known) =>
  redact({ ...textual, ...run }, 'agent', identity)

t.test('the profile full sees everything, agent and viewer what the table says', async (t) => {
  t.strictSame(redact(textual, 'full'), textual)
  t.equal(redact(textual, 'full').contact.masked, false)
  const forAgent = mapped(textual, (path, leaf) => narrowed[path]?.agent ?? (path in narrowed ? null : leaf))
  t.strictSame(redact(textual, 'agent'), forAgent)
  const forViewer = mapped(withoutLocations(textual), (path, leaf) => (narrowed[path] ? narrowed[path].viewer : leaf))
  t.strictSame(redact(textual, 'viewer'), forViewer)
})

t.test('null stays null for every profile', async (t) => {
  const neverNull = ['contact.ref', 'steps.question.options', 'steps.messageIds', 'messages.delivery.error.code']
  const nothing = mapped(textual, (path, leaf) => {
    if (neverNull.includes(path)) return '5e'
    return path === 'contact.meta' || typeof leaf === 'boolean' ? leaf : null
  }) as ExecutionContact
  for (const profile of profiles) {
    const masked = profile !== 'full'
    const contact = { ...nothing.contact, masked, ...(masked && { meta: {} }) }
    const expected = { ...nothing, contact }
    const redacted = redact(nothing, profile)
    t.strictSame(redacted, profile === 'viewer' ? withoutLocations(expected) : expected, profile)
    for (const { location } of redact(withoutLocations(filledContact), profile).messages) t.equal(location, null)
  }
})

t.test(
  'while not all numbers and addresses are known, agents see no texts, and no words that may have one',
  async (t) => {
    const unknown = { ...known, numbers: [], addresses: [], isComplete: false }
    const { reason, steps, answers, messages, changedBy, flow } = agentOf({}, unknown)
    t.strictSame([reason, changedBy], [null, 'changedBy f.'])
    for (const step of steps) t.equal(step.reason, null)
    for (const { value } of answers) t.equal(value, null)
    for (const { text, location, sharedContacts } of messages)
      t.strictSame([text, location, sharedContacts], [null, null, 2])
    t.equal(flow.name, '[withheld]')

    const cases: readonly (readonly [words: string, shown: string])[] = [
      ['Delivery confirmation 2026', 'Delivery confirmation 2026'],
      ['123 456', '123 456'],
      ['123 456 7', '[withheld]'],
      ['a@b', '[withheld]'],
      ['a%40b', '[withheld]'],
      ['１２３٤٥٦७', '[withheld]'],
    ]
    for (const profile of ['agent', 'viewer'] as const) {
      const shownOf = (name: string) =>
        redact({ ...textual, flow: { ...textual.flow, name } }, profile, unknown).flow.name
      checkRows(t, cases, ([given, shown]) => difference(shownOf(given), shown), `all words for ${profile}`)
    }
  },
)

t.test(
  'an id is replaced with a pseudonym unless it is a UUID or hexadecimal without a number of the contact',
  async (t) => {
    const uuid = '0000005e-0000-4000-8000-000000000001'
    const kept = [uuid, uuid.toUpperCase(), '5e0f', 'ABCDEF0123', '20931', '5512344434', '0', 'a'.repeat(1000)]
    const replaced = [
      ...[
        'm1',
        'x',
        'wamid.HBgNNTIxNTUxMjM0NDQzMxUCABIYFDNB',
        'gBEGUhVRI0RDPwIKOrR3DZjY15rknw==',
        `${uuid}0`,
        `${uuid}\n`,
      ],
      ...[
        'true_5215512344433@c.us_3EB0',
        '5512344433',
        'ab5215512344433f',
        'ab35353132333434343333f',
        '0000005e-0000-4000-8000-525512344433',
        '5e-0f',
      ],
      ...['00118652155123444333', ' 5e', '5e\u200b', '{5e}'],
    ]
    const idsIn = (contact: ExecutionContact) => [
      ...contact.steps.flatMap(({ id, definitionId, messageIds }) => [id, definitionId, ...messageIds]),
      ...contact.answers.flatMap(({ stepId, messageId }) => [stepId, messageId]),
      ...contact.messages.flatMap(({ id, stepId, replyTo }) => [id, stepId, replyTo]),
      ...[contact.executionId, contact.inboxContactId, contact.flow.id, contact.flow.version.id],
      ...[contact.progress.currentStepId, contact.progress.currentStep?.id],
    ]
    const cases = [...kept, ...replaced].flatMap((id) => profiles.map((profile) => [id, profile] as const))
    const check = ([id, profile]: (typeof cases)[number]) => {
      const given = mapped(filledContact, (path, leaf) => (ids.includes(path) ? id : leaf)) as ExecutionContact
      const isShown = profile === 'full' || kept.includes(id)
      const shown = isShown ? id : `(${filledContact.contact.ref} ${id.slice(0, 8)})`
      return difference([...new Set(idsIn(redact(given, profile)))], [shown])
    }
    checkRows(t, cases, check, 'every id for every profile')
    const digits = { ...textual, inboxContactId: '5599998888' }
    t.equal(redact(digits, 'agent').inboxContactId, '5599998888')
    t.not(redact(digits, 'agent', { ...known, isComplete: false }).inboxContactId, '5599998888', 'it may be the number')
    const nameless = { ...textual, contact: { ...textual.contact, ref: null }, inboxContactId: 'x' }
    t.equal(redact(nameless, 'agent').inboxContactId, `(${textual.id} x)`, 'without a contact, the run is the scope')
  },
)

t.test(
  'the profile agent sees of a name the first name and an initial, or the initial of a last name alone',
  async (t) => {
    const nameOf = (name: string, lastNames: readonly string[] = []) =>
      agentOf({ changedBy: name }, { ...known, lastNames }).changedBy
    t.equal(nameOf('María González'), 'María G.')
    t.equal(nameOf('+52 1 55 1234 4433'), null)
    t.equal(nameOf(`María ${email}`), 'María')
    t.equal(nameOf('Hernández Quiroga', ['Hernández Quiroga']), 'H.')
    t.equal(nameOf('Hernández Quiroga', ['Hernández']), 'Hernández Q.')
    t.strictSame([nameOf('x'.repeat(500)), nameOf('x'.repeat(501))], ['x'.repeat(500), null])
  },
)

t.test('the profile agent sees the last four digits of a number of eight or more', async (t) => {
  const numbers = [
    ['****4433', '+525512344433', '52 55 (1234) 44-33', '٥٥١٢٣٤٤٤٣٣', '५५१२３４４४３３'],
    ['****5678', '12345678', '+1 234-5678'],
    ['****', '1234567', '+1 23-45-67', 'unknown', ''],
  ] as const
  const cases = numbers.flatMap(([expected, ...each]) => each.map((number) => [number, expected] as const))
  const check = ([number, expected]: (typeof cases)[number]) =>
    difference(agentOf({ contact: { ...textual.contact, phone: number } }).contact.phone, expected)
  checkRows(t, cases, check, 'every number')
})

t.test('an answer is scrubbed for the profile agent, and keeps its type if there is nothing to scrub', async (t) => {
  const others = ['Monday', '', '5', 55123444331, 5512344434, 4433, 0, -1.5, 1e21, true, false]
  const cases = [
    ...['55 1234 4433', 5512344433, 5215512344433, 525512344433].map((value) => [value, '[phone]'] as const),
    [-5512344433, '-[phone]'] as const,
    [5512344433.5, '[phone].5'] as const,
    ...others.map((value) => [value, value] as const),
  ]
  const check = ([value, expected]: (typeof cases)[number]) => {
    const answers = textual.answers.map((answer) => ({ ...answer, value }))
    return difference(
      agentOf({ answers }).answers.map((answer) => answer.value),
      answers.map(() => expected),
    )
  }
  checkRows(t, cases, check, 'every value')
})

t.test('the profile agent sees texts without the numbers of the contact, and with those of others', async (t) => {
  const reason = `55 1234 4433 55 9999 8888 ${email} otra@correo-ejemplo.mx`
  const cases = [
    [{}, '[phone] 55 9999 8888 [email] otra@correo-ejemplo.mx'],
    [{ numbers: ['5599998888', phone] }, '[phone] [phone] [email] otra@correo-ejemplo.mx'],
    [{ numbers: [] }, '55 1234 4433 55 9999 8888 [email] otra@correo-ejemplo.mx'],
    [{ addresses: [] }, `[phone] 55 9999 8888 ${email} otra@correo-ejemplo.mx`],
    [{ numbers: [], addresses: [] }, reason],
  ] as const
  const check = ([given, expected]: (typeof cases)[number]) =>
    difference(agentOf({ reason }, { ...known, ...given }).reason, expected)
  checkRows(t, cases, check, 'every contact')
})
