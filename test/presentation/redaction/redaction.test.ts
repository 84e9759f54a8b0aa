import t from 'tap'
import { profiles } from '../../../src/access/profile.ts'
import type { ExecutionContact } from '../../../src/presentation/contact/execution-contact.ts'
import { redact } from '../../../src/presentation/redaction/redaction.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { filledContact } from '../builders.ts'
import { publishedFields } from '../fields.ts'

const phone = '+525512344433'
const email = 'maria.gonzalez@correo-ejemplo.mx'

/** What the profiles agent and viewer see of `textual`, in the fields that they do not see unchanged. */
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
  'answers.value': { agent: scrubbed('answers.value'), viewer: null },
  'messages.text': { agent: scrubbed('messages.text'), viewer: null },
  'messages.location.name': { agent: scrubbed('messages.location.name'), viewer: undefined },
  'messages.location.address': { agent: scrubbed('messages.location.address'), viewer: undefined },
  'messages.sharedContacts': { agent: 2, viewer: null },
}
for (const path of ['steps.question.options', 'messages.delivery.error.code'])
  Object.assign(narrowed, { [path]: { agent: scrubbed(path), viewer: scrubbed(path) } })

/** The profile agent sees them. For the profile viewer the whole location is null. */
const coordinates = ['messages.location.latitude', 'messages.location.longitude']
/** The same for every profile: a field belongs here only if it tells nothing about a person. */
const unchanged = [
  ...paths('', 'id status statusRaw terminal isTest startedAt statusChangedAt endedAt lastActivityAt executionId'),
  ...paths('', 'inboxContactId contact.ref contact.isDeleted'),
  ...paths('flow.', 'id name trigger version.id version.name version.isCurrent channel.type channel.name'),
  ...paths('flow.', 'channel.isSandbox'),
  ...paths('progress.', 'steps completed failed currentStepId waitingFor expiresAt'),
  ...paths('steps.', 'id definitionId name type status statusRaw reasonWithheld hasError startedAt changedAt'),
  ...paths('steps.', 'expiresAt delayUntil failedAttempts maxAttempts question.answerType messageIds'),
  ...paths('answers.', 'stepId question answerType at messageId'),
  ...paths('messages.', 'id stepId direction author type at isDeleted media.type media.mimeType template.name'),
  ...paths('messages.', 'template.language replyTo delivery.status delivery.sentAt delivery.deliveredAt'),
  ...paths('messages.', 'delivery.readAt delivery.failedAt delivery.attempts delivery.error.category'),
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
const agentOf = (given: Partial<ExecutionContact['contact']>, run: Partial<ExecutionContact> = {}) =>
  redact({ ...textual, contact: { ...textual.contact, ...given }, ...run }, 'agent')

t.test('the profile full sees everything, agent and viewer what the table says', async (t) => {
  t.strictSame(redact(textual, 'full'), textual)
  t.equal(redact(textual, 'full').contact.masked, false)
  const forAgent = mapped(textual, (path, leaf) => narrowed[path]?.agent ?? (path in narrowed ? null : leaf))
  t.strictSame(redact(textual, 'agent'), forAgent)
  const forViewer = mapped(withoutLocations(textual), (path, leaf) => (narrowed[path] ? narrowed[path].viewer : leaf))
  t.strictSame(redact(textual, 'viewer'), forViewer)
})

t.test('the redacted contact is not changed', async (t) => {
  const before = structuredClone(textual)
  for (const profile of profiles) redact(deepFrozen(textual), profile)
  t.strictSame(textual, before)
})

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) deepFrozen(part)
  return Object.freeze(value)
}

t.test('null stays null for every profile', async (t) => {
  const neverNull = ['contact.ref', 'steps.question.options', 'steps.messageIds', 'messages.delivery.error.code']
  const nothing = mapped(textual, (path, leaf) => {
    if (neverNull.includes(path)) return 'x'
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

t.test('the profile agent sees no texts of a contact that Hilos has erased or does not name', async (t) => {
  for (const given of [{ isDeleted: true }, { ref: null }]) {
    const { reason, steps, answers, messages, changedBy } = agentOf({ phone: null, email: null, ...given })
    t.strictSame([reason, changedBy], [null, 'changedBy f.'])
    for (const step of steps) t.equal(step.reason, null)
    for (const { value } of answers) t.equal(value, null)
    for (const { text, location, sharedContacts } of messages)
      t.strictSame([text, location, sharedContacts], [null, null, 2])
  }
})

t.test('a message id that WhatsApp made, which holds the number, is for the profile full only', async (t) => {
  const wamid = 'wamid.HBgNNTIxNTUxMjM0NDQzMxUCABIYFDNB'
  const ids = [wamid, wamid.toUpperCase(), 'm1', 'wamid', 'x-wamid.1']
  const cases = ids.flatMap((id) => profiles.map((profile) => [id, profile] as const))
  const check = ([id, profile]: (typeof cases)[number]) => {
    const redacted = redact(
      {
        ...filledContact,
        steps: filledContact.steps.map((step) => ({ ...step, messageIds: [id, 'm2'] })),
        answers: filledContact.answers.map((answer) => ({ ...answer, messageId: id })),
        messages: filledContact.messages.map((message) => ({ ...message, id, replyTo: id })),
      },
      profile,
    )
    const shown = profile === 'full' || !/^wamid\./i.test(id) ? id : null
    const found = [
      ...redacted.steps.map(({ messageIds }) => messageIds.join()),
      ...redacted.answers.map(({ messageId }) => messageId),
      ...redacted.messages.flatMap((message) => [message.id, message.replyTo]),
    ]
    const lists = redacted.steps.map(() => (shown === null ? 'm2' : `${id},m2`))
    return difference(found, [...lists, ...Array(found.length - lists.length).fill(shown)])
  }
  checkRows(t, cases, check, 'every id for every profile')
})

t.test('the profile agent sees of a name the first name and an initial', async (t) => {
  const names = [
    ['María G.', 'María González', '  María\n González\t', 'María\u00a0González', 'María G.', 'María «González»'],
    ['María G.', 'María \u202aGonzález\u202c'],
    ['María C.', 'María de la Cruz'],
    ['María', 'María', 'María ('],
    ['(María) G.', '(María) González'],
    ['مريم ح.', 'مريم حسن'],
    ['山田太郎', '山田太郎'],
    ['Ana 🌸.', 'Ana 🌸'],
    ['🌸', '🌸'],
    ['Ana 2.', 'Ana 2'],
    ['', ''],
    ['—', '—'],
    // On WhatsApp, people choose their names.
    ['[phone]', '+52 1 55 1234 4433'],
    ['[email]', email],
    ['[phone] [email]', `5512344433 ${email}`],
    ['([phone])', '(5512344433)'],
    ['María', 'María 5512344433', '5512344433 María', 'María (55 1234 4433)'],
    ['María G.', 'María González - 5512344433', `María González <${email}>`, 'María5512344433 González'],
    ['55 8.', '55 9999 8888'],
  ] as const
  const cases = names.flatMap(([expected, ...each]) => each.map((name) => [name, expected] as const))
  const check = ([name, expected]: (typeof cases)[number]) => {
    const { contact, changedBy } = agentOf({ name }, { changedBy: name })
    return difference([contact.name, changedBy], [expected, expected])
  }
  checkRows(t, cases, check, 'every name')
})

t.test('the profile agent sees the last four digits of a number of eight or more', async (t) => {
  const numbers = [
    ['****4433', '+525512344433', '52 55 (1234) 44-33', '٥٥١٢٣٤٤٤٣٣', '５５１２３４４４３３'],
    ['****5678', '12345678', '+1 234-5678'],
    ['****', '1234567', '+1 23-45-67', 'unknown', ''],
  ] as const
  const cases = numbers.flatMap(([expected, ...each]) => each.map((number) => [number, expected] as const))
  const check = ([number, expected]: (typeof cases)[number]) =>
    difference(agentOf({ phone: number }).contact.phone, expected)
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
    const scrubbedAnswers = textual.answers.map((answer) => ({ ...answer, value: expected }))
    return difference(agentOf({}, { answers }).answers, scrubbedAnswers)
  }
  checkRows(t, cases, check, 'every value')
})

t.test('the profile agent sees texts without the numbers of the contact, and with those of others', async (t) => {
  const reason = `55 1234 4433 55 9999 8888 ${email} otra@correo-ejemplo.mx`
  const cases = [
    [{}, '[phone] 55 9999 8888 [email] otra@correo-ejemplo.mx'],
    [{ phone: '5599998888' }, '55 1234 4433 [phone] [email] otra@correo-ejemplo.mx'],
    [{ phone: null }, '55 1234 4433 55 9999 8888 [email] otra@correo-ejemplo.mx'],
    [{ email: null }, `[phone] 55 9999 8888 ${email} otra@correo-ejemplo.mx`],
    [{ phone: null, email: null }, reason],
  ] as const
  checkRows(t, cases, ([given, expected]) => difference(agentOf(given, { reason }).reason, expected), 'every contact')
})
