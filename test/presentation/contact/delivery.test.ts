import t from 'tap'
import { presentDelivery } from '../../../src/presentation/contact/delivery.ts'
import type { HilosMessage } from '../../../src/upstream/document/hilos-document.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { at, messageOf } from '../builders.ts'

const noTimes = { queuedAt: null, acceptedAt: null, sentAt: null, deliveredAt: null, readAt: null, failedAt: null }
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
    queuedAt: '2026-11-22T10:00:01Z',
    acceptedAt: '2026-11-22T10:00:02Z',
    sentAt: '2026-11-22T10:00:03Z',
    deliveredAt: '2026-11-22T10:00:04Z',
    readAt: '2026-11-22T10:00:05Z',
    failedAt: '2026-11-22T10:00:06Z',
    attempts: 2,
    error: null,
  })
})

const unknownWords = [null, '', 'read ', 'played', 'bounced', 'constructor', '__proto__', 'toString', 'hasOwnProperty']
const queuedWords = ['new', 'retry', 'accepted', 'sending']

/** Words of Hilos, the status that such a word gives alone, and the statuses that it gives with each of `times`. */
const ladder: readonly (readonly [words: readonly (string | null)[], alone: string, withTimes: string])[] = [
  [unknownWords, 'unknown', 'queued queued sent failed delivered read'],
  // It is queued again after a failure.
  [queuedWords, 'queued', 'queued queued sent queued delivered read'],
  [['sent'], 'sent', 'sent sent sent failed delivered read'],
  [['failed', 'undelivered'], 'failed', 'failed failed failed failed delivered read'],
  [['delivered'], 'delivered', 'delivered delivered delivered delivered delivered read'],
  [['read', 'READ'], 'read', 'read read read read read read'],
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
      // The failure is the last: a message that was sent after it has gone on.
      const recorded = times.filter((_, bit) => mask & (1 << bit)).map((time) => [time, time === 'failed_on' ? 2 : 1])
      return order.indexOf(statusOf({ status, ...Object.fromEntries(recorded) }))
    })
    const backwards = ranks.flatMap((rank, mask) =>
      [...times.keys()].filter((bit) => Number(ranks[mask | (1 << bit)]) < rank && !queuedWords.includes(status ?? '')),
    )
    return difference([backwards, ranks.includes(-1)], [[], false])
  }
  checkRows(t, sent, check, 'every word')
})

t.test('a message that failed can be sent again', async (t) => {
  const [first, failed, again] = [at('10:00:01'), at('10:00:05'), at('10:01:00')]
  const cases: readonly (readonly [Partial<HilosMessage>, string])[] = [
    [{ status: 'sent', failed_on: failed, sent_on: again }, 'sent'],
    [{ status: null, failed_on: failed, sent_on: again }, 'sent'],
    [{ status: 'retry', failed_on: failed, queued_on: again }, 'queued'],
    [{ status: 'retry', failed_on: failed, sent_on: first }, 'queued'],
    [{ status: 'accepted', failed_on: failed, accepted_on: again }, 'queued'],
    [{ status: 'accepted', failed_on: failed, sent_on: again }, 'sent'],
    [{ status: 'sent', failed_on: failed, sent_on: first }, 'failed'],
    [{ status: 'sent', failed_on: failed, sent_on: failed }, 'failed'],
    // It has failed again.
    [{ status: 'failed', failed_on: failed, sent_on: again }, 'failed'],
    [{ status: 'undelivered', failed_on: failed, sent_on: again }, 'failed'],
    [{ status: 'failed', failed_on: failed, delivered_on: first }, 'delivered'],
    [{ status: 'retry', failed_on: failed, delivered_on: first }, 'delivered'],
  ]
  checkRows(t, cases, ([given, status]) => difference(statusOf(given), status), 'every message')
})

t.test('an error stands only beside a failure', async (t) => {
  for (const status of ['queued', 'sent', 'delivered', 'read', 'received', 'deleted', 'retry', null])
    t.equal(presentDelivery(messageOf({ status, provider_error_code: '131047' })).error, null, `${status}`)
})

t.test('the code of an error is found before its text', async (t) => {
  const same = (text: string) => [text, text]
  const cases = [
    ['131047', '131047: Re-engagement message', '(#131047) Re-engagement message', ' 131047 ', '131047 - x 5'],
    ['131047', 'Error 131047: x', 'error code: 131047', '[131047]', 'Code=131047;', '131047 Re-engagement message'],
    ['470', '470 - closed', '470. Closed', '470, closed', '470 | closed', 'error 470 closed', 'code (470)'],
    ...['re-engagement', 'Failed after 3 attempts', '5512344433', '1.5', '131047x', '24 hours have passed'].map(same),
    ...['4 of 5 failed', '10:30 timeout', '2026-11-22 failed', '1,5 s', 'error 1.5', 'error 131047x'].map(same),
  ].flatMap(([code, ...texts]) => texts.map((text) => [text, code] as const))
  const check = ([provider_error_code, code]: (typeof cases)[number]) =>
    difference(presentDelivery(messageOf({ status: 'failed', provider_error_code })).error?.code, code)
  checkRows(t, cases, check, 'every text')
})

t.test('the code of the provider gives the category of the error', async (t) => {
  const codes = {
    window_closed: '131047 470',
    undeliverable: '131021 131026 131030 131050 130472 130497 472 1013 1026',
    template: '132000 132001 132005 132007 132012 132015 132016 132068 132069 2000 2001 2060',
    media: '131052 131053',
    rate_limited: '4 80007 130429 131048 131049 131056 471 1015',
    other: '0 1 131045 131051 133010 13104 1310470 131000 constructor __proto__ window_closed',
  }
  const errors = Object.entries(codes).flatMap(([category, each]) =>
    each.split(' ').map((code) => ({ code, category })),
  )
  const failed = (provider_error_code: string) => presentDelivery(messageOf({ status: 'failed', provider_error_code }))
  const check = (error: (typeof errors)[number]) =>
    difference(failed(error.code), { ...nothing, status: 'failed', error })
  checkRows(t, errors, check, 'every code')
  for (const provider_error_code of [null, ''])
    t.equal(presentDelivery(messageOf({ status: 'failed', provider_error_code })).error, null)
})
