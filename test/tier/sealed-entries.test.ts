import t from 'tap'
import { bytesOf } from '../../src/contacts/stored-contact.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'
import { createNames } from '../../src/tier/names.ts'
import { createSealedEntries, type SealedEntry } from '../../src/tier/sealed-entries.ts'
import { createTimers } from '../harness/timers.ts'
import { cacheKeys, contactOf, entryOf, flowId, id } from './entries.ts'

const maxSkewMs = 300_000
const names = createNames(cacheKeys.names)
const envelope = createEnvelope(() => cacheKeys)
const [contact, flow] = [contactOf('r1'), names.flow(flowId)]

/** What one replica seals and opens. */
function arrange(namespace = 'ns') {
  const clock = createTimers()
  let unopened = 0
  const entries = createSealedEntries({
    envelope,
    namespace,
    pseudonymOf: (of) => `pseudonym of ${of}`,
    names,
    maxSkewMs,
    observer: {
      unopened: () => {
        unopened += 1
      },
    },
    clock,
  })
  return { ...entries, clock, unopened: () => unopened }
}

t.test('an entry opens with its lifetimes, its age, and names of the reader', async (t) => {
  const { seal, open, clock, unopened } = arrange()
  const sealed = seal(id, entryOf(contact, clock.now()))
  t.strictSame(sealed.parts, ['5000', '30000', '600000', '1', flow])
  const opened = open(id, sealed, 1500, undefined)
  const value = { ...contact, pseudonym: `pseudonym of ${id}` }
  t.strictSame(opened, { ...entryOf(value, clock.now() - 1500), bytes: bytesOf(contact) })
  t.equal(unopened(), 0)
  for (const text of [id, flowId, 'r1', 'RUNNING']) t.notOk(sealed.bytes.includes(text), text)
})

t.test('an absence opens as one', async (t) => {
  const { seal, open, clock, unopened } = arrange()
  const sealed = seal(id, entryOf(null, clock.now()))
  t.strictSame(sealed.parts, ['5000', '0', '0', '0', ''])
  t.strictSame(open(id, sealed, 100, undefined), entryOf(null, clock.now() - 100))
  t.strictSame(open(id, sealed, 100, entryOf(contact, 0)), entryOf(null, clock.now() - 100), 'whatever is known')
  t.equal(unopened(), 0)
})

t.test('what is known of the same document is kept, and nothing else', async (t) => {
  const { seal, open, clock } = arrange()
  const sealed = seal(id, entryOf(contact, clock.now()))
  const known = entryOf(contactOf('r1'), clock.now() - 60_000)
  const same = open(id, sealed, 10, known)
  t.equal(same?.value, known.value)
  t.strictSame([same?.generatedAt, same?.bytes], [clock.now() - 10, bytesOf(contact)], 'the entry is the newer one')
  for (const other of [entryOf(contactOf('r2'), 0), entryOf(null, 0), undefined]) {
    const opened = open(id, sealed, 10, other)
    t.equal(opened?.value?.revision, 'r1')
    t.not(opened?.value, other?.value)
  }
})

t.test('an entry opens for nothing else, however it is changed', async (t) => {
  const { seal, open, clock, unopened } = arrange()
  const sealed = seal(id, entryOf(contact, clock.now()))
  const absence = seal(id, entryOf(null, clock.now()))
  const withPart = (index: number, text: string): SealedEntry => ({ ...sealed, parts: sealed.parts.with(index, text) })
  const changed: readonly (readonly [of: string, sealed: SealedEntry])[] = [
    [flowId, sealed],
    [flowId, absence],
    [id, withPart(0, '6000')],
    [id, withPart(1, '30001')],
    [id, withPart(2, '6000000')],
    [id, withPart(3, '0')],
    // A run of another flow may not pass for one that limited readers may see.
    [id, withPart(4, names.flow('another'))],
    [id, { ...sealed, parts: sealed.parts.slice(0, -1) }],
    [id, { ...sealed, bytes: absence.bytes }],
    [id, { ...sealed, bytes: sealed.bytes.subarray(0, -1) }],
    [id, { ...absence, parts: absence.parts.with(0, '50000') }],
    [id, { parts: [], bytes: Buffer.alloc(0) }],
  ]
  for (const [index, [of, each]] of changed.entries()) {
    t.equal(open(of, each, 0, undefined), null, `${index}`)
    t.equal(unopened(), index + 1)
  }
  const other = arrange('other')
  t.equal(other.open(id, sealed, 0, undefined), null, 'another namespace')
  t.equal(other.unopened(), 1)
})

t.test('what unpacks as no contact of this id does not open', async (t) => {
  const { seal, open, clock, unopened } = arrange()
  const stranger = { ...contact, content: { ...contact.content, serialized: Buffer.from('{}') } }
  const sealed = seal(id, entryOf(stranger, clock.now()))
  t.equal(open(id, sealed, 0, undefined), null)
  t.equal(unopened(), 1)
})

t.test('an entry of which the age is wrong was put back, and does not open', async (t) => {
  for (const [value, ageMs] of [
    [contact, 0],
    [contact, 86_400_000],
    [null, 0],
  ] as const) {
    const { seal, open, clock, unopened } = arrange()
    const sealed = seal(id, entryOf(value, clock.now() - ageMs))
    const opens = (age: number) => open(id, sealed, age, undefined) !== null
    t.ok(opens(ageMs), 'also when the answer was old on arrival')
    await clock.advance(600_000)
    t.ok(opens(ageMs + 600_000))
    // The clocks of two replicas may differ by so much.
    for (const skewMs of [-1, 1].map((sign) => sign * maxSkewMs)) {
      t.ok(opens(ageMs + 600_000 + skewMs))
      t.notOk(opens(ageMs + 600_000 + skewMs + Math.sign(skewMs)))
    }
    t.equal(unopened(), 2)
  }
})
