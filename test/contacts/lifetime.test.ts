import t from 'tap'
import { lifetimeOf as presentedLifetimeOf } from '../../src/contacts/lifetime.ts'
import { exampleContact } from '../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { at } from '../presentation/builders.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute

const now = at('12:00:00')
const instant = (ms: number) => new Date(ms).toISOString()
const ago = (ms: number) => instant(now - ms)
const ahead = (ms: number | null) => (ms === null ? null : instant(now + ms))

/** Neither stretched nor moved. */
const plain = { scale: 1, stretch: 1, random: 0.5 }
const windowsOf = (given: Partial<ExecutionContact>, options: Partial<typeof plain> = {}) =>
  presentedLifetimeOf({ ...exampleContact, steps: [], lastActivityAt: ago(0), ...given }, now, { ...plain, ...options })
const lifetimeOf = (given: Partial<ExecutionContact>, scale = 1) => windowsOf(given, { scale }).freshMs

type Step = ExecutionContact['steps'][number]
const stepWith = (status: Step['status'], expiresMs: number | null, delayMs: number | null = null): Step => ({
  ...(exampleContact.steps[0] as Step),
  status,
  expiresAt: ahead(expiresMs),
  delayUntil: ahead(delayMs),
})
/** Unchanged for so long that only a deadline makes it less than a minute. */
const longUnchanged = (...steps: Step[]) => lifetimeOf({ status: 'RUNNING', lastActivityAt: ago(hour), steps })

const ends = ['COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'] as const

t.test('an absence, whenever it is, is remembered for 10 seconds', async (t) => {
  t.equal(presentedLifetimeOf(null, now, plain).freshMs, 10 * second)
})

t.test('a contact that neither runs nor ended, whatever its times and deadlines, has a fixed lifetime', async (t) => {
  const table = [
    ['READY', 5 * second],
    ['UNKNOWN', 5 * second],
    ['PAUSED', 15 * second],
  ] as const
  for (const [status, expected] of table)
    for (const lastActivityAt of [null, ago(0), ago(hour)])
      for (const steps of [[], [stepWith('RUNNING', 100)]])
        t.equal(lifetimeOf({ status, lastActivityAt, endedAt: lastActivityAt, steps }), expected, status)
})

t.test(
  'a running contact, by the time since it last changed, is fresh for a tenth within 3 to 60 seconds',
  async (t) => {
    const table = [
      [-hour, 3000],
      [0, 3000],
      [29_999, 3000],
      [30_000, 3000],
      [30_001, 3000],
      [30_004, 3000],
      [30_005, 3001],
      [30_010, 3001],
      [100_000, 10_000],
      [599_990, 59_999],
      [599_994, 59_999],
      [599_995, 60_000],
      [600_000, 60_000],
      [600_010, 60_000],
      [365 * 24 * hour, 60_000],
    ] as const
    for (const [unchangedMs, expected] of table)
      t.equal(lifetimeOf({ status: 'RUNNING', lastActivityAt: ago(unchangedMs) }), expected, `${unchangedMs} ms`)
  },
)

t.test('a running contact, without a recorded time, is fresh for 3 seconds', async (t) => {
  t.equal(lifetimeOf({ status: 'RUNNING', lastActivityAt: null, startedAt: null, statusChangedAt: null }), 3000)
})

t.test('a running contact, before the next deadline, is fresh for no longer than a second past it', async (t) => {
  const table = [
    [null, null, 60_000],
    [0, null, 1000],
    [1, null, 1001],
    [58_999, null, 59_999],
    [59_000, null, 60_000],
    [59_001, null, 60_000],
    [null, 10_000, 11_000],
    [10_000, 20_000, 11_000],
    [20_000, 10_000, 11_000],
    [-1, null, 999],
    [-999, null, 1],
    [-1000, null, 60_000],
    [-1001, null, 60_000],
    [-hour, null, 60_000],
    [null, -1, 999],
    [null, -1000, 60_000],
    [-1000, 10_000, 11_000],
    [10_000, -1000, 11_000],
    [-2, -1, 998],
  ] as const
  for (const [expiresMs, delayMs, expected] of table)
    t.equal(
      longUnchanged(stepWith('RUNNING', expiresMs, delayMs)),
      expected,
      `expires in ${expiresMs} ms, delayed for ${delayMs} ms`,
    )
})

t.test('a running contact, with a deadline nearer than the floor, is fresh for less than the floor', async (t) => {
  const table = [
    [0, 1000],
    [1999, 2999],
    [2000, 3000],
    [2001, 3000],
  ] as const
  for (const [expiresMs, expected] of table)
    t.equal(lifetimeOf({ status: 'RUNNING', steps: [stepWith('RUNNING', expiresMs)] }), expected, `${expiresMs} ms`)
})

t.test('a deadline, by the status of its step, counts while the step is open', async (t) => {
  const table = [
    ['RUNNING', 11_000],
    ['WAITING_TO_START', 11_000],
    ['UNKNOWN', 11_000],
    ['NOT_EXECUTED', 60_000],
    ['COMPLETED', 60_000],
    ['CANCELED', 60_000],
    ['FAILED', 60_000],
    ['EXPIRED', 60_000],
  ] as const
  for (const [status, expected] of table) {
    t.equal(longUnchanged(stepWith(status, 10_000)), expected, `${status} expires`)
    t.equal(longUnchanged(stepWith(status, null, 10_000)), expected, `${status} is delayed`)
  }
})

t.test('the next deadline, of several steps, is the nearest of those that count', async (t) => {
  const steps = [
    stepWith('COMPLETED', 1000),
    stepWith('RUNNING', -1000),
    stepWith('RUNNING', 30_000),
    stepWith('WAITING_TO_START', 50_000, 20_000),
    stepWith('RUNNING', null),
  ]
  t.equal(longUnchanged(...steps), 21_000)
  t.equal(longUnchanged(...steps.reverse()), 21_000)
})

t.test('a contact that ended, by the time since, is fresh for longer and longer', async (t) => {
  const table = [
    [-hour, 30 * second],
    [0, 30 * second],
    [15 * minute - 1, 30 * second],
    [15 * minute, 600 * second],
    [15 * minute + 1, 600 * second],
    [24 * hour - 1, 600 * second],
    [24 * hour, 3600 * second],
    [24 * hour + 1, 3600 * second],
    [10 * 365 * 24 * hour, 3600 * second],
  ] as const
  for (const status of ends)
    for (const [sinceEnd, expected] of table)
      t.equal(lifetimeOf({ status, endedAt: ago(sinceEnd) }), expected, `${status} ${sinceEnd} ms ago`)
})

t.test(
  'a contact that ended, at a time that is not recorded, is taken to have ended with its last activity',
  async (t) => {
    for (const status of ends) {
      t.equal(lifetimeOf({ status, endedAt: null, lastActivityAt: ago(48 * hour) }), hour, status)
      t.equal(lifetimeOf({ status, endedAt: null, lastActivityAt: ago(minute) }), 30 * second, status)
      t.equal(lifetimeOf({ status, endedAt: null, lastActivityAt: null }), 30 * second, status)
    }
  },
)

t.test('a scale, however large, does not carry a running contact past its next deadline', async (t) => {
  const steps = [stepWith('RUNNING', 10 * second)]
  t.equal(lifetimeOf({ status: 'RUNNING', lastActivityAt: ago(hour), steps }, 2), 11 * second)
  t.equal(lifetimeOf({ status: 'RUNNING', lastActivityAt: ago(hour), steps: [] }, 2), 2 * minute)
  t.equal(lifetimeOf({ status: 'PAUSED', steps }, 2), 30 * second)
})

t.test('a running contact, with more deadlines than a function takes arguments, has a lifetime', async (t) => {
  const step = stepWith('RUNNING', 10 * second)
  const steps = Array.from({ length: 200_000 }, () => step)
  t.equal(lifetimeOf({ status: 'RUNNING', lastActivityAt: ago(hour), steps }), 11 * second)
})

t.test('a contact that ended, with a step still open, does not mind its deadline', async (t) => {
  for (const status of ends) t.equal(lifetimeOf({ status, endedAt: ago(0), steps: [stepWith('RUNNING', 100)] }), 30_000)
})

t.test('every lifetime, when scaled, is multiplied and in whole milliseconds', async (t) => {
  const table = [
    [{ status: 'READY' }, 2500, 10_000],
    [{ status: 'UNKNOWN' }, 2500, 10_000],
    [{ status: 'PAUSED' }, 7500, 30_000],
    [{ status: 'RUNNING' }, 1500, 6000],
    [{ status: 'RUNNING', lastActivityAt: ago(30_010) }, 1501, 6002],
    [{ status: 'RUNNING', lastActivityAt: ago(hour) }, 30_000, 120_000],
    [{ status: 'FAILED', endedAt: ago(0) }, 15_000, 60_000],
    [{ status: 'FAILED', endedAt: ago(hour) }, 300_000, 1_200_000],
    [{ status: 'FAILED', endedAt: ago(25 * hour) }, 1_800_000, 7_200_000],
  ] as const
  for (const [given, half, double] of table) {
    const seen = [0, 0.5, 2].map((scale) => lifetimeOf(given, scale))
    t.strictSame(seen, [0, half, double], JSON.stringify(given))
  }
  const absences = [0, 0.5, 2].map((scale) => presentedLifetimeOf(null, now, { ...plain, scale }).freshMs)
  t.strictSame(absences, [0, 5000, 20_000], 'an absence')
})

t.test('stale windows, by what Hilos said, are as published, and scaled like freshness', async (t) => {
  const ended = (ms: number) => ({ status: 'COMPLETED', endedAt: ago(ms) }) as const
  const table: readonly (readonly [Partial<ExecutionContact>, number, number])[] = [
    [{ status: 'READY' }, 30, 600],
    [{ status: 'RUNNING' }, 30, 600],
    [{ status: 'PAUSED' }, 60, 600],
    [{ status: 'UNKNOWN' }, 15, 600],
    [ended(15 * minute - 1), 120, 3600],
    [ended(15 * minute), 3600, 21_600],
    [ended(24 * hour - 1), 3600, 21_600],
    [ended(24 * hour), 3600, 86_400],
  ]
  for (const [given, revalidateSeconds, errorSeconds] of table)
    for (const scale of [0, 0.1, 1, 3]) {
      const { staleWhileRevalidateMs, staleIfErrorMs } = windowsOf(given, { scale })
      const expected = [revalidateSeconds, errorSeconds].map((seconds) => Math.round(seconds * second * scale))
      t.strictSame([staleWhileRevalidateMs, staleIfErrorMs], expected, `${JSON.stringify(given)} × ${scale}`)
    }
})

t.test('an absence, whatever the scale, has no stale windows', async (t) => {
  for (const scale of [0, 1, 100])
    t.match(presentedLifetimeOf(null, now, { ...plain, scale }), { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 })
})

t.test('chance, from one end to the other, moves freshness by a tenth and nothing else', async (t) => {
  for (const [random, freshMs] of [
    [0, 4500],
    [0.25, 4750],
    [0.5, 5000],
    [0.75, 5250],
    [1, 5500],
  ] as const)
    t.strictSame(windowsOf({ status: 'READY' }, { random }), { ...windowsOf({ status: 'READY' }), freshMs })
  const steps = [stepWith('RUNNING', 10 * second)]
  const running = { status: 'RUNNING', lastActivityAt: ago(hour), steps } as const
  t.equal(windowsOf(running, { random: 1 }).freshMs, 11_000, 'but never past the next deadline')
  t.equal(presentedLifetimeOf(null, now, { ...plain, random: 0 }).freshMs, 9000)
})

t.test('stretching, by its factor, lengthens freshness to a minute at most and never shortens it', async (t) => {
  const table: readonly (readonly [Partial<ExecutionContact>, number, number])[] = [
    [{ status: 'READY' }, 2, 10_000],
    [{ status: 'READY' }, 12, 60_000],
    [{ status: 'READY' }, 20, 60_000],
    [{ status: 'RUNNING' }, 20, 60_000],
    [{ status: 'RUNNING', steps: [stepWith('RUNNING', 10_000)] }, 20, 11_000],
    [{ status: 'COMPLETED', endedAt: ago(hour) }, 20, 600_000],
  ]
  for (const [given, stretch, freshMs] of table)
    t.strictSame(windowsOf(given, { stretch }), { ...windowsOf(given), freshMs }, JSON.stringify(given))
  t.equal(windowsOf({ status: 'READY' }, { stretch: 20, scale: 2 }).freshMs, 120_000, 'and is scaled like the rest')
  t.equal(presentedLifetimeOf(null, now, { ...plain, stretch: 20 }).freshMs, 10_000, 'an absence never is stretched')
})
