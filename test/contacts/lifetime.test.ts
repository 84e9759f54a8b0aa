import t from 'tap'
import { type LifetimeOptions, lifetimeOf, paceOf, settledAt, watchIntervalOf } from '../../src/contacts/lifetime.ts'
import { exampleContact } from '../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { checkRows, difference } from '../harness/table.ts'
import { at } from '../presentation/builders.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const now = at('12:00:00')
const ahead = (ms: number | null) => (ms === null ? null : new Date(now + ms).toISOString())
const ago = (ms: number) => ahead(-ms)

const plain: LifetimeOptions = { ageMs: 0, scale: 1, ttlFactor: 1, random: 0.5 }
type Given = Partial<ExecutionContact> | null
/** The lifetime of an absence, or of a contact that changed just now and has no steps. */
const lifetime = (given: Given, options: Partial<LifetimeOptions> = {}) => {
  const contact = given && { ...exampleContact, steps: [], lastActivityAt: ago(0), ...given }
  return lifetimeOf(contact && paceOf(contact), now, { ...plain, ...options })
}
const freshMs = (given: Given, options?: Partial<LifetimeOptions>) => lifetime(given, options).freshMs

type Step = ExecutionContact['steps'][number]
const stepWith = (status: Step['status'], expiresMs: number | null, delayMs: number | null = null): Step => ({
  ...(exampleContact.steps[0] as Step),
  status,
  expiresAt: ahead(expiresMs),
  delayUntil: ahead(delayMs),
})
/** A running contact that has not changed for so long that only a deadline makes its lifetime less than a minute. */
const unchanged = (...steps: Step[]) => ({ status: 'RUNNING', lastActivityAt: ago(hour), steps }) as const
const ended = (sinceEndMs: number) => ({ status: 'COMPLETED', endedAt: ago(sinceEndMs) }) as const

t.test('every lifetime is as documented, and multiplied by the scale', async (t) => {
  const noTimes = { lastActivityAt: null, endedAt: null }
  const otherTimes = { lastActivityAt: ago(hour), endedAt: ago(hour), steps: [stepWith('RUNNING', 100)] }
  const rows: readonly (readonly [Given, freshMs: number, whileRevalidate: number, ifError: number])[] = [
    [null, 10 * second, 0, 0],
    [{ status: 'READY' }, 5 * second, 30 * second, 10 * minute],
    [{ status: 'READY', ...noTimes }, 5 * second, 30 * second, 10 * minute],
    [{ status: 'READY', ...otherTimes }, 5 * second, 30 * second, 10 * minute],
    [{ status: 'RUNNING' }, 3 * second, 30 * second, 10 * minute],
    [{ status: 'RUNNING', lastActivityAt: ago(30_010) }, 3001, 30 * second, 10 * minute],
    [{ status: 'RUNNING', lastActivityAt: ago(hour) }, minute, 30 * second, 10 * minute],
    [{ status: 'PAUSED', ...noTimes }, 15 * second, minute, 10 * minute],
    [{ status: 'PAUSED', ...otherTimes }, 15 * second, minute, 10 * minute],
    [{ status: 'UNKNOWN', ...noTimes }, 5 * second, 15 * second, 10 * minute],
    [{ status: 'UNKNOWN', ...otherTimes }, 5 * second, 15 * second, 10 * minute],
    [ended(0), 30 * second, 2 * minute, hour],
    [ended(15 * minute), 10 * minute, hour, 6 * hour],
    [ended(day), hour, hour, day],
  ]
  const scales = [0, 0.1, 0.5, 1, 2, 3, 100]
  const check = ([given, ...lifetimes]: (typeof rows)[number]) =>
    difference(
      scales.map((scale) => Object.values(lifetime(given, { scale }))),
      scales.map((scale) => lifetimes.map((ms) => Math.round(ms * scale))),
    )
  checkRows(t, rows, check, 'all lifetimes are scaled')
})

t.test('a running contact is fresh for a tenth of the time since its last change, 3 to 60 seconds', async (t) => {
  const rows = [
    [null, 3000],
    [-hour, 3000],
    [0, 3000],
    [29_999, 3000],
    [30_000, 3000],
    [30_004, 3000],
    [30_005, 3001],
    [30_010, 3001],
    [100_000, 10_000],
    [599_994, 59_999],
    [599_995, 60_000],
    [365 * day, 60_000],
  ] as const
  const check = ([unchangedMs, expected]: (typeof rows)[number]) => {
    const lastActivityAt = unchangedMs === null ? null : ago(unchangedMs)
    return difference(freshMs({ status: 'RUNNING', lastActivityAt, startedAt: null, statusChangedAt: null }), expected)
  }
  checkRows(t, rows, check, 'all lifetimes are a tenth')
})

t.test('a running contact is fresh until a second after its next deadline at most', async (t) => {
  const rows = [
    [null, null, 60_000],
    [0, null, 1000],
    [58_999, null, 59_999],
    [59_001, null, 60_000],
    [null, 10_000, 11_000],
    [10_000, 20_000, 11_000],
    [20_000, 10_000, 11_000],
    [-1, null, 999],
    [-999, null, 1],
    [-1000, null, 60_000],
    [-hour, null, 60_000],
    [null, -1, 999],
    [null, -1000, 60_000],
    [-1000, 10_000, 11_000],
    [10_000, -1000, 11_000],
    [-2, -1, 998],
  ] as const
  const check = ([expiresMs, delayMs, expected]: (typeof rows)[number]) =>
    difference(freshMs(unchanged(stepWith('RUNNING', expiresMs, delayMs))), expected)
  checkRows(t, rows, check, 'all lifetimes end with the deadline')
  const near = [0, 1999, 2000, 2001].map((ms) => freshMs({ status: 'RUNNING', steps: [stepWith('RUNNING', ms)] }))
  t.strictSame(near, [1000, 2999, 3000, 3000], 'also if that is less than 3 seconds')
})

t.test(
  'the age that an answer has when it arrives is part of its freshness, and 3 seconds are left at least',
  async (t) => {
    const running = { status: 'RUNNING' } as const
    const rows: readonly (readonly [Given, ageMs: number, leftMs: number, options?: Partial<LifetimeOptions>])[] = [
      [unchanged(), 0, minute],
      [unchanged(), 10 * second, 50 * second],
      [unchanged(), 57 * second, 3 * second],
      [unchanged(), 59 * second, 3 * second],
      [unchanged(), day, 3 * second],
      [unchanged(), 2 ** 31 * second, 3 * second],
      [running, 0, 3 * second],
      [running, 4 * second, 3 * second],
      [{ status: 'READY' }, second, 4 * second],
      [{ status: 'READY' }, 4 * second, 3 * second],
      [null, second, 9 * second],
      [null, 60 * second, 3 * second],
      [ended(10 * day), 10 * minute, 50 * minute],
      [ended(10 * day), day, 3 * second],
      // The adaptive TTL lengthens this, too, to a minute at most. An absence is not refreshed.
      [running, day, 6 * second, { ttlFactor: 2 }],
      [unchanged(), day, 6 * second, { ttlFactor: 2 }],
      [unchanged(), day, minute, { ttlFactor: 100 }],
      [ended(10 * day), day, minute, { ttlFactor: 100 }],
      [null, day, 3 * second, { ttlFactor: 2 }],
      // So do the scale and the random part.
      [unchanged(), day, 1500, { scale: 0.5 }],
      [unchanged(), 10 * second, 20 * second, { scale: 0.5 }],
      [unchanged(), day, 0, { scale: 0 }],
      [unchanged(), day, 2700, { random: 0 }],
      // A deadline is as far away as it is, and counts even if less than 3 seconds are left until it.
      [unchanged(stepWith('RUNNING', 20_000)), 10 * second, 21 * second],
      [unchanged(stepWith('RUNNING', 500)), 10 * second, 1500],
      [unchanged(stepWith('RUNNING', 500)), day, 1500],
      [unchanged(stepWith('RUNNING', -5000)), day, 3 * second],
    ]
    const check = ([given, ageMs, leftMs, options]: (typeof rows)[number]) =>
      difference(freshMs(given, { ageMs, ...options }) - ageMs, leftMs)
    checkRows(t, rows, check, 'all lifetimes end so long after the answer arrived')
  },
)

t.test('a deadline counts while its step is open', async (t) => {
  const open = ['RUNNING', 'WAITING_TO_START', 'UNKNOWN'] as const
  const closed = ['NOT_EXECUTED', 'COMPLETED', 'CANCELED', 'FAILED', 'EXPIRED'] as const
  const check = (status: Step['status']) => {
    const steps = [stepWith(status, 10_000), stepWith(status, null, 10_000)]
    const expected = open.some((each) => each === status) ? 11_000 : 60_000
    return difference(
      steps.map((step) => freshMs(unchanged(step))),
      [expected, expected],
    )
  }
  checkRows(t, [...open, ...closed], check, 'open steps only')
})

t.test('the nearest deadline of several steps counts', async (t) => {
  const steps = [
    stepWith('COMPLETED', 1000),
    stepWith('RUNNING', -1000),
    stepWith('RUNNING', 30_000),
    stepWith('WAITING_TO_START', 50_000, 20_000),
    stepWith('RUNNING', null),
  ]
  // More than a function takes arguments.
  const many = new Array<Step>(200_000).fill(stepWith('RUNNING', 10_000))
  const found = [steps, steps.toReversed(), many].map((each) => freshMs({ ...unchanged(), steps: each }))
  t.strictSame(found, [21_000, 21_000, 11_000])
})

t.test('a contact that has ended is fresh for longer with time, and its deadlines do not matter', async (t) => {
  const rows = [
    [-hour, 30 * second],
    [0, 30 * second],
    [15 * minute - 1, 30 * second],
    [15 * minute, 10 * minute],
    [day - 1, 10 * minute],
    [day, hour],
    [10 * 365 * day, hour],
    [null, 30 * second],
  ] as const
  const check = ([sinceEndMs, expected]: (typeof rows)[number]) => {
    const end = sinceEndMs === null ? null : ago(sinceEndMs)
    const found = (['COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'] as const).flatMap((status) => [
      freshMs({ status, endedAt: end, steps: [stepWith('RUNNING', 100)] }),
      // Where no end is recorded, the last activity counts as the end.
      freshMs({ status, endedAt: null, lastActivityAt: end }),
    ])
    return difference(new Set(found), new Set([expected]))
  }
  checkRows(t, rows, check, 'all lifetimes depend on the end')
})

t.test('neither scale, chance nor the adaptive TTL carries a running contact past its deadline', async (t) => {
  const steps = [stepWith('RUNNING', 10 * second)]
  for (const options of [{ scale: 2 }, { random: 1 }, { ttlFactor: 20 }])
    t.equal(freshMs(unchanged(...steps), options), 11 * second)
  t.equal(freshMs({ status: 'PAUSED', steps }, { scale: 2 }), 30 * second)
})

t.test('chance changes freshness by a tenth at most, and nothing else', async (t) => {
  const usual = lifetime({ status: 'READY' })
  const found = [0, 0.25, 0.5, 0.75, 1].map((random) => lifetime({ status: 'READY' }, { random }))
  const wanted = [4500, 4750, 5000, 5250, 5500].map((ms) => ({ ...usual, freshMs: ms }))
  t.strictSame(found, wanted)
  t.equal(freshMs(null, { random: 0 }), 9000)
})

t.test('the adaptive TTL lengthens the freshness of contacts to a minute at most, and nothing else', async (t) => {
  const rows: readonly (readonly [Given, ttlFactor: number, freshMs: number])[] = [
    [null, 20, 10_000],
    [{ status: 'READY' }, 2, 10_000],
    [{ status: 'READY' }, 12, 60_000],
    [{ status: 'READY' }, 20, 60_000],
    [{ status: 'RUNNING' }, 20, 60_000],
    [ended(hour), 20, 600_000],
  ]
  const check = ([given, ttlFactor, expected]: (typeof rows)[number]) =>
    difference(lifetime(given, { ttlFactor }), { ...lifetime(given), freshMs: expected })
  checkRows(t, rows, check, 'all lifetimes are lengthened')
  t.equal(freshMs({ status: 'READY' }, { ttlFactor: 20, scale: 2 }), 120_000, 'the scale multiplies the result')
})

t.test(
  'a watched contact is asked about when its freshness ends, without chance, and once a second at most',
  async (t) => {
    const rows: readonly (readonly [Given, scale: number, intervalMs: number])[] = [
      [{ status: 'RUNNING' }, 1, 3000],
      [{ status: 'RUNNING', lastActivityAt: ago(200_000) }, 1, 20_000],
      [unchanged(), 1, minute],
      [{ status: 'READY' }, 1, 5000],
      [{ status: 'PAUSED' }, 1, 15_000],
      [ended(0), 1, 30_000],
      [ended(day), 1, hour],
      [null, 1, 10_000],
      // The scale counts, but nothing is asked about all the time.
      [{ status: 'RUNNING' }, 2, 6000],
      [{ status: 'RUNNING' }, 0.5, 1500],
      [{ status: 'RUNNING' }, 1 / 3, 1000],
      [{ status: 'RUNNING' }, 0.3, 1000],
      [{ status: 'RUNNING' }, 0, 3000],
      [unchanged(), 0, minute],
      [null, 0, 10_000],
      // So does a deadline.
      [unchanged(stepWith('RUNNING', 5000)), 1, 6000],
      [unchanged(stepWith('RUNNING', -1)), 1, 1000],
      [unchanged(stepWith('RUNNING', 1)), 1, 1001],
    ]
    const check = ([given, scale, expected]: (typeof rows)[number]) => {
      const contact = given && { ...exampleContact, steps: [], lastActivityAt: ago(0), ...given }
      return difference(watchIntervalOf(contact && paceOf(contact), now, scale), expected)
    }
    checkRows(t, rows, check, 'all intervals')
  },
)

t.test('a run is settled 15 minutes after its end', async (t) => {
  const never = Number.POSITIVE_INFINITY
  const always = Number.NEGATIVE_INFINITY
  const rows: readonly (readonly [Partial<ExecutionContact>, at: number])[] = [
    ...(['READY', 'RUNNING', 'PAUSED', 'UNKNOWN'] as const).flatMap((status) => [
      [{ status, endedAt: null }, never] as const,
      [{ status, endedAt: ago(day), lastActivityAt: ago(day) }, never] as const,
    ]),
    ...(['COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'] as const).flatMap((status) => [
      [{ status, endedAt: ago(hour), lastActivityAt: ago(0) }, now - hour + 15 * minute] as const,
      [{ status, endedAt: ahead(hour), lastActivityAt: null }, now + hour + 15 * minute] as const,
      [{ status, endedAt: null, lastActivityAt: ago(minute) }, now + 14 * minute] as const,
      [{ status, endedAt: null, lastActivityAt: null }, always] as const,
    ]),
  ]
  const check = ([given, expected]: (typeof rows)[number]) =>
    difference(settledAt(paceOf({ ...exampleContact, ...given })), expected)
  checkRows(t, rows, check, 'all runs settle')
})
