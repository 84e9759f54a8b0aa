import fc from 'fast-check'
import t from 'tap'
import type { TUnsafe } from 'typebox'
import { lifetimeOf, paceOf, settledAt, watchIntervalOf } from '../../src/contacts/lifetime.ts'
import { exampleContact } from '../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { hasEnded, RunStatusSchema, StepStatusSchema } from '../../src/presentation/contact/status.ts'
import { holds } from './holds.ts'

type Step = ExecutionContact['steps'][number]

const nowMs = Date.UTC(2026, 10, 22, 12)
const dayMs = 86_400_000

/** Near and far times. A presentation has years of four digits. */
const times = fc.oneof(
  fc.integer({ min: nowMs - dayMs, max: nowMs + dayMs }),
  fc.integer({ min: nowMs - 2000, max: nowMs + 2000 }),
  fc.integer({ min: Date.parse('0000-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59.999Z') }),
)
const instants = fc.option(times.map((ms) => new Date(ms).toISOString()))
/** The words of a closed set. */
const wordsOf = <Word extends string>(schema: TUnsafe<Word>) =>
  fc.constantFrom(...(schema as TUnsafe<Word> & { readonly enum: readonly Word[] }).enum)

const steps = fc
  .record({ status: wordsOf(StepStatusSchema), expiresAt: instants, delayUntil: instants })
  .map((given) => ({ ...(exampleContact.steps[0] as Step), ...given }))
const contacts = fc
  .record({
    status: wordsOf(RunStatusSchema),
    endedAt: instants,
    lastActivityAt: instants,
    steps: fc.array(steps, { maxLength: 5 }),
  })
  .map((given) => ({ ...exampleContact, ...given }))
const options = fc.record({
  ageMs: fc.oneof(fc.constantFrom(0, 2 ** 31 * 1000), fc.nat(100_000)),
  scale: fc.oneof(fc.constantFrom(0, 1, 100), fc.double({ min: 0, max: 100, noNaN: true })),
  ttlFactor: fc.oneof(fc.constant(1), fc.double({ min: 1, noNaN: true })),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
})

t.test('every lifetime is finite, whole and not negative', async (t) => {
  const property = fc.property(fc.option(contacts), times, options, (contact, ...given) =>
    Object.values(lifetimeOf(contact && paceOf(contact), ...given)).every((ms) => Number.isSafeInteger(ms) && ms >= 0),
  )
  holds(t, property, { numRuns: 2000 })
})

t.test(
  'a watched contact is asked about after a second to 100 hours, never after its freshness without chance',
  async (t) => {
    const property = fc.property(fc.option(contacts), times, options, (contact, now, { scale }) => {
      const pace = contact && paceOf(contact)
      const ms = watchIntervalOf(pace, now, scale)
      const { freshMs } = lifetimeOf(pace, now, { ageMs: 0, scale: scale || 1, ttlFactor: 1, random: 0.5 })
      return Number.isSafeInteger(ms) && ms >= 1000 && ms <= 360_000_000 && (ms === freshMs || freshMs < 1000)
    })
    holds(t, property, { numRuns: 1000 })
  },
)

t.test('a run settles if and only if it has ended, and not before its end', async (t) => {
  const property = fc.property(contacts, (contact) => {
    const at = settledAt(paceOf(contact))
    if (!hasEnded(contact.status)) return at === Number.POSITIVE_INFINITY
    return contact.endedAt === null ? at < Number.POSITIVE_INFINITY : at > Date.parse(contact.endedAt)
  })
  holds(t, property, { numRuns: 1000 })
})
