import t from 'tap'
import { presentDelivery } from '../../../src/presentation/contact/delivery.ts'
import type { HilosMessage } from '../../../src/upstream/document/hilos-document.ts'
import { at, messageOf } from '../builders.ts'

const nothing = {
  status: 'unknown',
  sentAt: null,
  deliveredAt: null,
  readAt: null,
  failedAt: null,
  attempts: 0,
  error: null,
}
const times = ['queued_on', 'accepted_on', 'sent_on', 'failed_on', 'delivered_on', 'read_on'] as const
const statusOf = (given: Partial<HilosMessage>) => presentDelivery(messageOf(given)).status

t.test('a delivery, when Hilos tells nothing of it, is unknown', async (t) => {
  t.strictSame(presentDelivery(messageOf()), nothing)
})

t.test('a delivery, when everything is recorded, is the named fields and nothing else', async (t) => {
  const message = messageOf({
    status: 'read',
    queued_on: at('10:00:01'),
    accepted_on: at('10:00:02'),
    sent_on: at('10:00:03'),
    delivered_on: at('10:00:04'),
    read_on: at('10:00:05'),
    failed_on: at('10:00:06'),
    failed_attempts: 2,
    provider_error_code: '131047',
  })
  t.strictSame(presentDelivery(message), {
    status: 'read',
    sentAt: '2026-11-22T10:00:03Z',
    deliveredAt: '2026-11-22T10:00:04Z',
    readAt: '2026-11-22T10:00:05Z',
    failedAt: '2026-11-22T10:00:06Z',
    attempts: 2,
    error: { code: '131047', category: 'window_closed' },
  })
})

const unknownWords = [null, '', 'READ', 'read ', 'bounced', 'constructor', '__proto__', 'toString', 'hasOwnProperty']
const queuedWords = ['new', 'retry', 'accepted', 'sending']
const all = (status: string) => [status, status, status, status, status, status, status]

/** What comes of a word alone, then of the word with one of `times`. */
const ladder: readonly (readonly [words: readonly (string | null)[], alone: string, ...withTime: string[]])[] = [
  [unknownWords, 'unknown', 'queued', 'queued', 'sent', 'failed', 'delivered', 'read'],
  [queuedWords, 'queued', 'queued', 'queued', 'sent', 'failed', 'delivered', 'read'],
  [['sent'], 'sent', 'sent', 'sent', 'sent', 'failed', 'delivered', 'read'],
  [['failed', 'undelivered'], 'failed', 'failed', 'failed', 'failed', 'failed', 'delivered', 'read'],
  [['delivered'], 'delivered', 'delivered', 'delivered', 'delivered', 'delivered', 'delivered', 'read'],
  [['read'], 'read', ...all('read').slice(1)],
  [['receiving', 'received'], 'received', ...all('received').slice(1)],
  [['deleted'], 'deleted', ...all('deleted').slice(1)],
]

t.test('a delivery, from Hilos’s word and a recorded time, is the further of the two', async (t) => {
  for (const [words, alone, ...withTime] of ladder) {
    for (const status of words) {
      const seen = [statusOf({ status }), ...times.map((time) => statusOf({ status, [time]: 0 }))]
      t.strictSame(seen, [alone, ...withTime], `word ${status}`)
    }
  }
})

t.test('a delivery, whenever one more time is recorded, never goes back', async (t) => {
  const order = ['unknown', 'queued', 'sent', 'failed', 'delivered', 'read']
  const words = ladder.flatMap(([words]) => words).filter((word) => !/^(receiv|deleted)/.test(word ?? ''))
  const recorded = (mask: number) =>
    Object.fromEntries(times.filter((_, bit) => mask & (1 << bit)).map((on) => [on, 1]))
  let backwards = 0
  for (const status of words) {
    const ranks = Array.from({ length: 2 ** times.length }, (_, mask) =>
      order.indexOf(statusOf({ status, ...recorded(mask) })),
    )
    for (const [mask, rank] of ranks.entries())
      for (const bit of times.keys()) if (Number(ranks[mask | (1 << bit)]) < rank) backwards++
    t.ok(
      ranks.every((rank) => rank >= Number(ranks[0]) && Number(ranks[0]) >= 0),
      `word ${status}`,
    )
  }
  t.equal(backwards, 0)
})

t.test('the error of a delivery, by the provider’s code, has one of the six categories', async (t) => {
  const table = [
    ['window_closed', '131047'],
    ['undeliverable', '131021', '131026', '131030', '131050', '130472'],
    ['template', '132000', '132001', '132005', '132007', '132012', '132015', '132016', '132068', '132069'],
    ['media', '131052', '131053'],
    ['rate_limited', '4', '80007', '130429', '131048', '131049', '131056'],
    [
      'other',
      '0',
      '1',
      '131045',
      '131051',
      '133010',
      '13104',
      '1310470',
      ' 131047',
      '131000',
      'constructor',
      '__proto__',
      'window_closed',
    ],
  ] as const
  for (const [category, ...codes] of table)
    for (const code of codes)
      t.strictSame(presentDelivery(messageOf({ provider_error_code: code })), { ...nothing, error: { code, category } })
})

t.test('the error of a delivery, without a code, is null', async (t) => {
  for (const provider_error_code of [null, ''])
    t.equal(presentDelivery(messageOf({ status: 'failed', provider_error_code })).error, null)
})
