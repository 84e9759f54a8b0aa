import t from 'tap'
import { presentDelivery } from '../../../src/presentation/contact/delivery.ts'
import type { HilosMessage } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, messageOf } from '../builders.ts'

const noTimes = { sentAt: null, deliveredAt: null, readAt: null, failedAt: null }
const nothing = { status: 'unknown', ...noTimes, attempts: 0, error: null }
const times = ['queued_on', 'accepted_on', 'sent_on', 'failed_on', 'delivered_on', 'read_on'] as const
const statusOf = (given: Partial<HilosMessage>) => presentDelivery(messageOf(given)).status

t.test('a delivery has the named fields and no others', async (t) => {
  t.strictSame(presentDelivery(messageOf()), nothing)
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

/** Words of Hilos, the status that such a word gives alone, and the statuses that it gives with each of `times`. */
const ladder: readonly (readonly [words: readonly (string | null)[], alone: string, withTimes: string])[] = [
  [unknownWords, 'unknown', 'queued queued sent failed delivered read'],
  [queuedWords, 'queued', 'queued queued sent failed delivered read'],
  [['sent'], 'sent', 'sent sent sent failed delivered read'],
  [['failed', 'undelivered'], 'failed', 'failed failed failed failed delivered read'],
  [['delivered'], 'delivered', 'delivered delivered delivered delivered delivered read'],
  [['read'], 'read', 'read read read read read read'],
  [['receiving', 'received'], 'received', 'received received received received received received'],
  [['deleted'], 'deleted', 'deleted deleted deleted deleted deleted deleted'],
]
const words = ladder.flatMap(([words, ...statuses]) => words.map((word) => [word, ...statuses] as const))

t.test('the status is the further of the word and of a recorded time', async (t) => {
  const check = ([status, ...statuses]: (typeof words)[number]) => {
    const withTimes = times.map((time) => statusOf({ status, [time]: 0 })).join(' ')
    return difference([statusOf({ status }), withTimes], statuses)
  }
  checkRows(t, words, check, 'every word')
})

t.test('the status never goes back when one more time is recorded', async (t) => {
  const order = ['unknown', 'queued', 'sent', 'failed', 'delivered', 'read']
  const sent = words.filter(([, alone]) => order.includes(alone))
  const check = ([status]: (typeof sent)[number]) => {
    const ranks = Array.from({ length: 2 ** times.length }, (_, mask) => {
      const recorded = times.filter((_, bit) => mask & (1 << bit)).map((time) => [time, 1])
      return order.indexOf(statusOf({ status, ...Object.fromEntries(recorded) }))
    })
    const backwards = ranks.flatMap((rank, mask) =>
      [...times.keys()].filter((bit) => Number(ranks[mask | (1 << bit)]) < rank),
    )
    return difference([backwards, ranks.includes(-1)], [[], false])
  }
  checkRows(t, sent, check, 'every word')
})

t.test('the code of the provider gives the category of the error', async (t) => {
  const codes = {
    window_closed: '131047',
    undeliverable: '131021 131026 131030 131050 130472',
    template: '132000 132001 132005 132007 132012 132015 132016 132068 132069',
    media: '131052 131053',
    rate_limited: '4 80007 130429 131048 131049 131056',
    other: '0 1 131045 131051 133010 13104 1310470 131000 constructor __proto__ window_closed',
  }
  const errors = Object.entries(codes).flatMap(([category, each]) =>
    each.split(' ').map((code) => ({ code, category })),
  )
  errors.push({ code: ' 131047', category: 'other' })
  const check = (error: (typeof errors)[number]) =>
    difference(presentDelivery(messageOf({ provider_error_code: error.code })), { ...nothing, error })
  checkRows(t, errors, check, 'every code')
  for (const provider_error_code of [null, ''])
    t.equal(presentDelivery(messageOf({ status: 'failed', provider_error_code })).error, null)
})
