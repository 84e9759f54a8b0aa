import t from 'tap'
import { presentContact } from '../../../src/presentation/contact/contact.ts'
import { nameOf } from '../../../src/presentation/contact/person.ts'
import { unreadable } from '../../../src/upstream/document/shape.ts'
import { checkRows, difference } from '../../harness/table.ts'
import { contactOf, nullsFor } from '../builders.ts'

const options = { refOf: (id: string) => `ref of ${id}`, metaKeys: ['tier'] }
const maria = contactOf({
  id: 'contact-1',
  first_name: 'María',
  last_name: 'González',
  email: 'maria@correo-ejemplo.mx',
  phone: '+525512344433',
  meta: { tier: 'gold', rfc: 'GOGM850101AB1' },
})
const metaOf = (meta: unknown, metaKeys: readonly string[]) =>
  presentContact(contactOf({ meta }), { ...options, metaKeys }).meta

t.test('a contact has the named fields and no others, and an erased one only its pseudonym', async (t) => {
  const presented = {
    ref: 'ref of contact-1',
    id: 'contact-1',
    name: 'María González',
    phone: '+525512344433',
    email: 'maria@correo-ejemplo.mx',
    isDeleted: false,
    masked: false,
    meta: { tier: 'gold' },
  }
  t.strictSame(presentContact(maria, options), presented)
  const empty = { ...nullsFor(presented), isDeleted: false, masked: false, meta: {} }
  for (const contact of [null, contactOf()]) t.strictSame(presentContact(contact, options), empty)
  const erased = { ...empty, isDeleted: true }
  t.strictSame(presentContact({ ...maria, is_deleted: true }, options), { ...erased, ref: 'ref of contact-1' })
  t.strictSame(presentContact({ ...maria, is_deleted: true, id: null }, options), erased)
})

t.test('a name is made of the parts that there are, as they are written', async (t) => {
  const cases = [
    [null, null, null],
    ['', '', null],
    ['María', null, 'María'],
    ['María', '', 'María'],
    [null, 'González', 'González'],
    ['', 'González', 'González'],
    ['María', 'González', 'María González'],
    [' María ', 'de la\nCruz', ' María  de la\nCruz'],
    ['مريم', '👋', 'مريم 👋'],
  ] as const
  const check = ([first_name, last_name, expected]: (typeof cases)[number]) =>
    difference(nameOf({ first_name, last_name }), expected)
  checkRows(t, cases, check, 'every name')
})

t.test('meta has the named keys that hold a simple value', async (t) => {
  const simple = { text: 'gold', empty: '', zero: 0, decimal: 1.5, yes: true, no: false, nothing: null }
  const others = { object: { iban: 'MX1' }, list: ['a'], nan: Number.NaN, infinite: Infinity, missing: undefined }
  const everyKind = { ...simple, ...others, unnamed: 'secret' }
  const named = [...Object.keys(simple), ...Object.keys(others), 'absent']
  const cases: readonly (readonly [meta: unknown, keys: readonly string[], expected: Record<string, unknown>])[] = [
    [everyKind, named, simple],
    [everyKind, [], {}],
    [{ Tier: 'gold', 'tier ': 'gold' }, ['tier'], {}],
    [null, ['tier'], {}],
    [undefined, ['tier'], {}],
    ['gold', ['0', 'length'], {}],
    [7, ['toFixed'], {}],
    [true, ['valueOf'], {}],
    [[], ['length'], {}],
    [{ tier: 'gold \ud83d' }, ['tier'], { tier: 'gold \ufffd' }],
    [{ tier: 'gold' }, ['constructor', 'toString', 'hasOwnProperty'], {}],
    [Object.create({ tier: 'inherited' }), ['tier'], {}],
    [JSON.parse('{"__proto__":"x","constructor":"y","tier":"gold"}'), ['tier'], { tier: 'gold' }],
    [JSON.parse('{"__proto__":{"polluted":true}}'), ['__proto__', 'polluted'], {}],
  ]
  checkRows(t, cases, ([meta, keys, expected]) => difference(metaOf(meta, keys), expected), 'every meta')
})

t.test('a key __proto__ of meta changes no prototype', async (t) => {
  const published = metaOf(JSON.parse('{"__proto__":"x","constructor":"y"}'), ['__proto__', 'constructor'])
  t.equal(JSON.stringify(published), '{"__proto__":"x","constructor":"y"}')
  t.equal(Object.getPrototypeOf(published), Object.prototype)
  t.notOk(Object.hasOwn(Object.prototype, 'x'))
})

t.test('the number is the first one that can be read', async (t) => {
  const cases = [
    ['+525512344433', '5215512344433', '+525512344433'],
    [null, '5215512344433', '5215512344433'],
    ['unknown', '5512344433', '5512344433'],
    ['****4433', '5512344433', '5512344433'],
    [unreadable, '5512344433', '5512344433'],
    ['unknown', null, 'unknown'],
    [unreadable, 'unknown', 'unknown'],
    [unreadable, unreadable, null],
    [null, null, null],
  ] as const
  const check = ([canonical_phone, phone, expected]: (typeof cases)[number]) =>
    difference(presentContact(contactOf({ canonical_phone, phone }), options).phone, expected)
  checkRows(t, cases, check, 'every pair')
  t.equal(presentContact(contactOf({ email: unreadable }), options).email, null)
})
