import t from 'tap'
import { chronological, directionOf, presentMessage } from '../../../src/presentation/contact/message.ts'
import type { HilosMessage } from '../../../src/upstream/document/hilos-document.ts'
import { at, messageOf } from '../builders.ts'

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
  has_content_url: true,
  location: { latitude: 19.4284, longitude: -99.1617, address: 'Av. Reforma 222', place_name: 'Reforma 222' },
  whatsapp_template: { name: 'greeting', language: 'es_MX' },
  context_message: 'm0',
  shared_contacts: 2,
})
const presentedFull = {
  id: 'm1',
  stepId: 'step-1',
  direction: 'out',
  author: 'agent',
  type: 'image',
  text: ' Line\none 👋\u2028مرحبا ',
  at: '2026-11-22T10:00:01Z',
  isDeleted: false,
  delivery: {
    status: 'sent',
    sentAt: '2026-11-22T10:00:02Z',
    deliveredAt: null,
    readAt: null,
    failedAt: null,
    attempts: 0,
    error: null,
  },
  media: { type: 'image', mimeType: 'image/jpeg' },
  location: { latitude: 19.4284, longitude: -99.1617, name: 'Reforma 222', address: 'Av. Reforma 222' },
  template: { name: 'greeting', language: 'es_MX' },
  replyTo: 'm0',
  sharedContacts: 2,
}

t.test('a message, when presented, is the named fields and nothing else', async (t) => {
  t.strictSame(presentMessage(full, 'step-1'), presentedFull)
})

t.test('a message, when Hilos tells nothing of it, is null and unknown', async (t) => {
  t.strictSame(presentMessage(messageOf(), null), {
    ...presentedFull,
    id: null,
    stepId: null,
    direction: 'unknown',
    author: 'unknown',
    type: 'unknown',
    text: null,
    at: null,
    delivery: { ...presentedFull.delivery, status: 'unknown', sentAt: null },
    media: null,
    location: null,
    template: null,
    replyTo: null,
    sharedContacts: 0,
  })
})

t.test('a message, when it was deleted, has neither text nor media nor location', async (t) => {
  t.strictSame(presentMessage({ ...full, is_deleted: true }, 'step-1'), {
    ...presentedFull,
    isDeleted: true,
    text: null,
    media: null,
    location: null,
  })
})

t.test('a location and a template, when Hilos gives them empty, are there with null inside', async (t) => {
  const message = present({
    location: { latitude: null, longitude: null, address: null, place_name: null },
    whatsapp_template: { name: null, language: null },
  })
  t.strictSame(message.location, { latitude: null, longitude: null, name: null, address: null })
  t.strictSame(message.template, { name: null, language: null })
})

t.test('a location, on the equator, keeps its zeros', async (t) => {
  const { location } = present({ location: { latitude: 0, longitude: 0, address: '', place_name: '' } })
  t.strictSame(location, { latitude: 0, longitude: 0, name: '', address: '' })
})

t.test('the direction, by Hilos’s word in any case, is ours', async (t) => {
  const table = [
    ['in', 'in', 'inbound', 'incoming', 'received'],
    ['out', 'out', 'outbound', 'outgoing', 'sent'],
    ['unknown', '', 'inboundish', 'reinbound', 'outbound ', 'sideways', 'constructor'],
  ] as const
  for (const [expected, ...words] of table)
    for (const word of words)
      for (const direction of [word, word.toUpperCase()])
        t.equal(directionOf(messageOf({ direction })), expected, `word ${direction}`)
})

const authors = [
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

t.test('the author, by Hilos’s source, is ours and gives the direction where no word does', async (t) => {
  for (const [source, author, direction] of authors) {
    for (const word of [null, 'sideways']) {
      const message = present({ source, direction: word })
      t.equal(message.author, author, `source ${source}`)
      t.equal(message.direction, direction, `source ${source}`)
    }
  }
})

t.test('the direction, when word and source disagree, is the word’s', async (t) => {
  t.equal(directionOf(messageOf({ direction: 'INBOUND', source: 'FLOW' })), 'in')
  t.equal(directionOf(messageOf({ direction: 'OUTBOUND', source: 'INBOUND' })), 'out')
})

t.test('the type, by Hilos’s word, is that word or unknown', async (t) => {
  const known = [
    ...['audio', 'voice', 'button', 'document', 'text', 'image', 'interactive', 'order', 'sticker', 'system'],
    ...['video', 'unsupported', 'location', 'contacts', 'template', 'reaction', 'ephemeral', 'request_welcome'],
  ]
  for (const type of known) t.equal(present({ msg_type: type }).type, type)
  for (const msg_type of ['unknown', 'hologram', 'TEXT', '', '__proto__', null])
    t.equal(present({ msg_type }).type, 'unknown', `word ${msg_type}`)
})

t.test('the media, by the kind of message and of file, is told without saying where it lies', async (t) => {
  const media = (type: string, mimeType: string | null = null) => ({ type, mimeType })
  const table: readonly (readonly [string | null, string | null, boolean, ReturnType<typeof media> | null])[] = [
    ['text', null, false, null],
    ['text', 'image/png', false, null],
    [null, null, false, null],
    ['audio', null, false, media('audio')],
    ['voice', 'audio/ogg; codecs=opus', true, media('voice', 'audio/ogg')],
    ['document', 'application/pdf', true, media('document', 'application/pdf')],
    ['document', 'image/png', true, media('document', 'image/png')],
    ['image', 'image/jpeg', true, media('image', 'image/jpeg')],
    ['sticker', 'image/webp', true, media('sticker', 'image/webp')],
    ['video', 'video/mp4', true, media('video', 'video/mp4')],
    ['template', 'image/png', true, media('image', 'image/png')],
    ['template', 'video/mp4', true, media('video', 'video/mp4')],
    ['interactive', 'audio/mpeg', true, media('audio', 'audio/mpeg')],
    ['template', 'application/pdf', true, media('document', 'application/pdf')],
    ['template', 'application/vnd.ms-excel+xml', true, media('document', 'application/vnd.ms-excel+xml')],
    ['template', 'imagery/png', true, media('document', 'imagery/png')],
    ['template', 'IMAGE/JPEG', true, media('image', 'image/jpeg')],
    ['image', 'image/jpeg; url=https://cdn.example/a.jpg?token=secret', true, media('image', 'image/jpeg')],
    ['image', 'image/jpeg ;x', true, media('image', 'image/jpeg')],
    ['template', null, true, media('document')],
    [null, null, true, media('document')],
    ['image', '', true, media('image')],
    ['image', 'jpeg', true, media('image')],
    ['image', 'image/', true, media('image')],
    ['image', '/jpeg', true, media('image')],
    ['image', 'https://files.example/a.jpg?token=secret', true, media('image')],
    ['image', 'see image/jpeg', true, media('image')],
    ['image', 'image/jpeg?token=secret', true, media('image')],
    ['template', 'image/jpeg\nx', true, media('document')],
  ]
  for (const [msg_type, content_type, has_content_url, expected] of table)
    t.strictSame(
      present({ msg_type, content_type, has_content_url }).media,
      expected,
      `${msg_type}, ${content_type}, ${has_content_url ? 'with' : 'without'} a file`,
    )
})

t.test('messages, in any order, are sorted by time, the timeless behind the one Hilos lists before them', async (t) => {
  const messages = [
    messageOf({ id: 'timeless-1' }),
    messageOf({ id: 'late', timestamp: 2 }),
    messageOf({ id: 'timeless-2' }),
    messageOf({ id: 'early-1', timestamp: 1 }),
    messageOf({ id: 'epoch', timestamp: 0 }),
    messageOf({ id: 'early-2', timestamp: 1 }),
  ]
  const before = [...messages]
  const ids = chronological(messages).map(({ id }) => id)
  t.strictSame(ids, ['timeless-1', 'epoch', 'early-1', 'early-2', 'late', 'timeless-2'])
  t.strictSame(messages, before, 'what was given keeps its order')
})
