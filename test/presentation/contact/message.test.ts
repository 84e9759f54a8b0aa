import t from 'tap'
import { directionOf } from '../../../src/presentation/contact/author.ts'
import { presentMessage } from '../../../src/presentation/contact/message.ts'
import type { HilosMessage } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, messageOf, nullsFor } from '../builders.ts'

const present = (given: Partial<HilosMessage>) => presentMessage(messageOf(given), null)

const full = messageOf({
  id: 'm1',
  body: ' Line\none 👋\u2028مرحبا ',
  direction: 'OUTBOUND',
  timestamp: at('10:00:01'),
  status: 'sent',
  sent_on: at('10:00:02'),
  msg_type: 'image',
  source: 'INBOX',
  content_type: 'image/jpeg',
  content_url: 'https://files.example/a.jpg',
  sent_by: { first_name: 'Diego', last_name: 'Ramos' },
  location: {
    latitude: 19.4284,
    longitude: -99.1617,
    address: 'Av. Reforma 222',
    place_name: 'Reforma 222',
    map_screenshot_url: null,
  },
  whatsapp_template: { name: 'greeting', language: 'es_MX' },
  context_message: 'm0',
  contacts: 2,
})
const noDelivery = {
  queuedAt: null,
  acceptedAt: null,
  deliveredAt: null,
  readAt: null,
  failedAt: null,
  attempts: 0,
  error: null,
}
const presentedFull = {
  id: 'm1',
  stepId: 'step-1',
  direction: 'out',
  author: 'agent',
  sentBy: 'Diego Ramos',
  type: 'image',
  text: ' Line\none 👋\u2028مرحبا ',
  at: '2026-11-22T10:00:01Z',
  isDeleted: false,
  delivery: { status: 'sent', sentAt: '2026-11-22T10:00:02Z', ...noDelivery },
  media: { type: 'image', mimeType: 'image/jpeg' },
  location: { latitude: 19.4284, longitude: -99.1617, name: 'Reforma 222', address: 'Av. Reforma 222' },
  template: { name: 'greeting', language: 'es_MX' },
  replyTo: 'm0',
  sharedContacts: 2,
}
const noContent = { text: null, media: null, location: null }
const presentedBare = {
  ...nullsFor(presentedFull),
  direction: 'unknown',
  author: 'unknown',
  type: 'unknown',
  isDeleted: false,
  delivery: { status: 'unknown', sentAt: null, ...noDelivery },
  sharedContacts: 0,
}

t.test('a message has the named fields and no others, and a deleted one no content', async (t) => {
  t.strictSame(presentMessage(full, 'step-1'), presentedFull)
  t.strictSame(present({}), presentedBare)
  const deleted = presentMessage({ ...full, is_deleted: true }, 'step-1')
  t.strictSame(deleted, { ...presentedFull, isDeleted: true, ...noContent })
})

t.test('a location and a template keep null and zero', async (t) => {
  const empty = present({
    location: { latitude: null, longitude: null, address: null, place_name: null, map_screenshot_url: null },
    whatsapp_template: { name: null, language: null },
  })
  t.strictSame(empty.location, { latitude: null, longitude: null, name: null, address: null })
  t.strictSame(empty.template, { name: null, language: null })
  const zero = { latitude: 0, longitude: 0, address: null, place_name: null, map_screenshot_url: null }
  const { location } = present({ location: zero })
  t.strictSame(location, { latitude: 0, longitude: 0, name: null, address: null })
})

t.test('the word of Hilos gives the direction in any case, and else the source does', async (t) => {
  const words = [
    ['in', 'in', 'inbound', 'incoming', 'received'],
    ['out', 'out', 'outbound', 'outgoing', 'sent'],
    ['unknown', '', 'inboundish', 'reinbound', 'outbound ', 'sideways', 'constructor'],
  ] as const
  const ofWords = words.flatMap(([expected, ...each]) =>
    each.flatMap((word) => [word, word.toUpperCase()].map((direction) => [{ direction }, expected] as const)),
  )
  const directions = [
    ...ofWords,
    [{ direction: 'INBOUND', source: 'FLOW' }, 'in'] as const,
    [{ direction: 'OUTBOUND', source: 'INBOUND' }, 'out'] as const,
  ]
  checkRows(t, directions, ([given, word]) => difference(directionOf(messageOf(given)), word), 'every direction')

  const sources = [
    ['INBOUND', 'contact', 'in'],
    ['INBOX', 'agent', 'out'],
    ['FLOW', 'flow', 'out'],
    ['API', 'api', 'out'],
    ['BROADCAST', 'broadcast', 'out'],
    ['AUTO_RESPONSE', 'auto_response', 'out'],
    ['flow', 'unknown', 'unknown'],
    ['', 'unknown', 'unknown'],
    [null, 'unknown', 'unknown'],
  ] as const
  const check = ([source, author, direction]: (typeof sources)[number]) => {
    const found = [null, 'sideways'].map((word) => present({ source, direction: word }))
    const shown = found.flatMap((message) => [message.author, message.direction])
    return difference(shown, [author, direction, author, direction])
  }
  checkRows(t, sources, check, 'every source')
})

t.test('the type is the word of Hilos if it is a known one', async (t) => {
  const known =
    'audio voice button document text image interactive order sticker system ' +
    'video unsupported location contacts template reaction ephemeral request_welcome'
  checkRows(t, known.split(' '), (type) => difference(present({ msg_type: type }).type, type), 'every known type')
  const others = ['unknown', 'hologram', 'TEXT', '', '__proto__', null]
  checkRows(t, others, (msg_type) => difference(present({ msg_type }).type, 'unknown'), 'every other word')
})

t.test('the media tells the kind of file and its type, but not where it lies', async (t) => {
  /** The kind and the type that are shown, the type of the message, and types of the file. */
  const withFile: readonly (readonly [string, string | null, string | null, ...(string | null)[]])[] = [
    ['voice', 'audio/ogg', 'voice', 'audio/ogg; codecs=opus'],
    ['document', 'application/pdf', 'document', 'application/pdf'],
    ['document', 'image/png', 'document', 'image/png'],
    ['image', 'image/jpeg', 'image', 'image/jpeg', 'image/jpeg ;x'],
    ['image', 'image/jpeg', 'image', 'image/jpeg; url=https://cdn.example/a.jpg?token=secret'],
    ['sticker', 'image/webp', 'sticker', 'image/webp'],
    ['video', 'video/mp4', 'video', 'video/mp4'],
    ['image', 'image/png', 'template', 'image/png'],
    ['video', 'video/mp4', 'template', 'video/mp4'],
    ['audio', 'audio/mpeg', 'interactive', 'audio/mpeg'],
    ['document', 'application/pdf', 'template', 'application/pdf'],
    ['document', 'application/vnd.ms-excel+xml', 'template', 'application/vnd.ms-excel+xml'],
    ['document', 'imagery/png', 'template', 'imagery/png'],
    ['image', 'image/jpeg', 'template', 'IMAGE/JPEG'],
    ['document', null, 'template', null, 'image/jpeg\nx'],
    ['document', null, null, null],
    ['image', null, 'image', '', 'jpeg', 'image/', '/jpeg', 'https://files.example/a.jpg?token=secret'],
    ['image', null, 'image', 'see image/jpeg', 'image/jpeg?token=secret'],
  ]
  const check = ([type, mimeType, msg_type, ...types]: (typeof withFile)[number]) => {
    const found = types.map(
      (content_type) => present({ msg_type, content_type, content_url: 'https://files.example/a' }).media,
    )
    return difference(found, Array(types.length).fill({ type, mimeType }))
  }
  checkRows(t, withFile, check, 'every message with a file')
  for (const given of [{ msg_type: 'text' }, { msg_type: 'text', content_type: 'image/png' }, {}])
    t.equal(present(given).media, null, 'without a file')
  t.strictSame(present({ msg_type: 'audio' }).media, { type: 'audio', mimeType: null })
})
