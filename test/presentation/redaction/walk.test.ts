import t from 'tap'
import { type TSchema, Type } from 'typebox'
import { nullable, refTo } from '../../../src/common/schema.ts'
import { type Kind, kinds, ofKind } from '../../../src/presentation/contact/fields.ts'
import { createWalk, type Rules } from '../../../src/presentation/redaction/walk.ts'

const rules = Object.fromEntries(kinds.map((kind) => [kind, (value: unknown) => [kind, value]])) as unknown as Rules
const text = ofKind('text', Type.String())
const object = <P extends Record<string, TSchema>>(properties: P) => Type.Object(properties)

t.test('a rule is applied to every field of its kind, at every depth, and to no other field', async (t) => {
  const part = { ...object({ word: ofKind('words', Type.String()) }), $id: 'Part' }
  const schema = object({
    text,
    status: Type.Unsafe({ type: 'string', enum: ['A'] }),
    at: Type.String({ format: 'date-time' }),
    view: Type.Literal('summary'),
    count: Type.Integer(),
    list: Type.Array(ofKind('id', Type.String())),
    part: refTo(part),
    parts: Type.Array(refTo(part)),
    nothing: nullable(text),
    meta: ofKind('private', Type.Unsafe({ type: 'object', additionalProperties: { type: 'string' } })),
  })
  const same = { status: 'A', at: 'x', view: 'summary', count: 1, nothing: null, unknown: 'x' }
  const value = {
    text: 't',
    list: ['i', 'j'],
    part: { word: 'w' },
    parts: [{ word: 'v' }, null],
    meta: { a: 'b' },
    ...same,
  }
  const walked = createWalk<typeof value, Kind>(schema, kinds)(value, rules)
  t.equal(walked, value, 'in place')
  t.strictSame(walked, {
    text: ['text', 't'],
    list: [
      ['id', 'i'],
      ['id', 'j'],
    ],
    part: { word: ['words', 'w'] },
    parts: [{ word: ['words', 'v'] }, null],
    meta: ['private', { a: 'b' }],
    ...same,
  })
})

t.test('a part that a rule withholds is not looked into', async (t) => {
  const schema = object({ place: ofKind('place', nullable(object({ text }))) })
  const walk = createWalk<{ place: { text: string } | null }, Kind>(schema, kinds)
  const shown = { ...rules, place: <T>(place: T) => place }
  t.strictSame(walk({ place: { text: 't' } }, shown), { place: { text: ['text', 't'] } })
  t.strictSame(walk({ place: { text: 't' } }, { ...rules, place: () => null }), { place: null })
})

t.test('a text without a kind is an error at the start', async (t) => {
  for (const schema of [Type.String(), nullable(Type.String()), Type.Array(Type.String())])
    t.throws(() => createWalk(object({ a: object({ b: schema }) }), []), /^schema\.a\.b(\[\])? has no kind$/)
  t.strictSame(createWalk(object({}), kinds)({ a: 1 }, rules), { a: 1 })
})

t.test('a walk visits only fields of the kinds that it is made for', async (t) => {
  const schema = object({ text, id: ofKind('id', Type.String()), parts: Type.Array(ofKind('id', Type.String())) })
  const value = { text: 't', id: 'i', parts: ['j'] }
  t.strictSame(createWalk(schema, ['text'])(value, { text: () => 'x' }), { text: 'x', id: 'i', parts: ['j'] })
})
