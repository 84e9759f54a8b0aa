import t from 'tap'
import { createContactRef, nameOf, presentContact } from '../../../src/presentation/contact/contact.ts'
import { contactOf } from '../builders.ts'

const options = { refOf: (id: string) => `ref of ${id}`, metaKeys: ['tier'] }
const maria = contactOf({
  id: 'contact-1',
  first_name: 'María',
  last_name: 'González',
  email: 'maria@correo-ejemplo.mx',
  phone: '+525512344433',
  meta: { tier: 'gold', rfc: 'GOGM850101AB1' },
})
const nobody = {
  ref: null,
  id: null,
  name: null,
  phone: null,
  email: null,
  isDeleted: false,
  masked: false,
  meta: {},
}

t.test('a contact, when presented, is the named fields and nothing else', async (t) => {
  t.strictSame(presentContact(maria, options), {
    ref: 'ref of contact-1',
    id: 'contact-1',
    name: 'María González',
    phone: '+525512344433',
    email: 'maria@correo-ejemplo.mx',
    isDeleted: false,
    masked: false,
    meta: { tier: 'gold' },
  })
})

t.test('a contact, when Hilos tells nothing of it, is all null', async (t) => {
  for (const contact of [null, contactOf()]) t.strictSame(presentContact(contact, options), nobody)
})

t.test('a contact, when it was erased, is nothing but its pseudonym', async (t) => {
  const erased = { ...nobody, isDeleted: true }
  t.strictSame(presentContact({ ...maria, is_deleted: true }, options), { ...erased, ref: 'ref of contact-1' })
  t.strictSame(presentContact({ ...maria, is_deleted: true, id: null }, options), erased)
})

t.test('a name, of the parts there are, is joined as it is written', async (t) => {
  const table = [
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
  for (const [first_name, last_name, expected] of table) t.equal(nameOf({ first_name, last_name }), expected)
})

t.test('meta, whatever Hilos put there, gives up the named keys that hold a simple value', async (t) => {
  const everyKind = {
    text: 'gold',
    empty: '',
    zero: 0,
    decimal: 1.5,
    yes: true,
    no: false,
    nothing: null,
    object: { iban: 'MX1' },
    list: ['a'],
    nan: Number.NaN,
    infinite: Number.POSITIVE_INFINITY,
    missing: undefined,
    unnamed: 'secret',
  }
  const { object, list, nan, infinite, missing, unnamed, ...simple } = everyKind
  const allButUnnamed = Object.keys(everyKind).filter((key) => key !== 'unnamed')
  const table: readonly (readonly [meta: unknown, keys: readonly string[], expected: Record<string, unknown>])[] = [
    [everyKind, [...allButUnnamed, 'absent'], simple],
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
  ]
  for (const [meta, metaKeys, expected] of table)
    t.strictSame(presentContact(contactOf({ meta }), { ...options, metaKeys }).meta, expected, JSON.stringify(meta))
})

t.test('meta, when it has a key __proto__, changes the prototype of nothing', async (t) => {
  const meta: unknown = JSON.parse('{"__proto__":"x","constructor":"y","tier":"gold"}')
  const publish = (metaKeys: string[]) => presentContact(contactOf({ meta }), { ...options, metaKeys }).meta
  t.strictSame(Object.entries(publish(['tier'])), [['tier', 'gold']])
  const named = publish(['__proto__', 'constructor'])
  t.strictSame(Object.entries(named), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
  t.equal(Object.getPrototypeOf(named), Object.prototype)
  t.notOk(Object.hasOwn(Object.prototype, 'x'))

  const nested: unknown = JSON.parse('{"__proto__":{"polluted":true}}')
  t.strictSame(
    presentContact(contactOf({ meta: nested }), { ...options, metaKeys: ['__proto__', 'polluted'] }).meta,
    {},
  )
})

t.test('a pseudonym, for one key, is stable and its own for every contact', async (t) => {
  const [refOf, again] = [createContactRef('key'), createContactRef('key')]
  const ids = Array.from({ length: 1000 }, (_, index) => `contact-${index}`)
  const refs = ids.map(refOf)
  t.strictSame(refs, ids.map(again))
  t.equal(new Set(refs).size, ids.length)
  for (const ref of refs) if (!/^ct_[0-9a-hjkmnp-tv-z]{8}$/.test(ref)) t.fail(ref)
})

t.test('a pseudonym, with another key, is another', async (t) => {
  t.not(createContactRef('key')('contact-1'), createContactRef('another key')('contact-1'))
})

t.test('a pseudonym, of known keys and ids, is the first 40 bits of the HMAC in base 32', async (t) => {
  // Computed with Python's hmac module.
  const table = [
    ['sandbox contact ref key', '000000c0-0000-4000-8000-000000000001', 'ct_snpng4vy'],
    ['key', 'contact-5', 'ct_0dzxnvas'],
    ['clé', 'مريم', 'ct_bxjwcfms'],
  ] as const
  for (const [key, id, ref] of table) t.equal(createContactRef(key)(id), ref)
})
