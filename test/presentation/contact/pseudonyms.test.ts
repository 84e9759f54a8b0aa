import t from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import {
  createContactRef,
  createIdPseudonym,
  createRecordPseudonym,
} from '../../../src/presentation/contact/pseudonyms.ts'
import { checkRows, difference } from '../../harness/table.ts'

const refOfWith = (key: string) => createContactRef(new Secret(key))
const idOfWith = (key: string) => createIdPseudonym(new Secret(key))

t.test('with one key, a contact has one pseudonym, and no other contact has it', async (t) => {
  const ids = Array.from({ length: 1000 }, (_, index) => `contact-${index}`)
  const refs = ids.map(refOfWith('key'))
  t.strictSame(refs, ids.map(refOfWith('key')))
  t.equal(new Set(refs).size, ids.length)
  t.ok(refs.every((ref) => /^ct_[0-9a-hjkmnp-tv-z]{8}$/.test(ref)))
})

t.test('the pseudonym of a contact is the first 40 bits of the HMAC in base 32', async (t) => {
  // Computed with Python's hmac module.
  const cases = [
    ['sandbox contact ref key', '000000c0-0000-4000-8000-000000000001', 'ct_snpng4vy'],
    ['key', 'contact-5', 'ct_0dzxnvas'],
    ['clé', 'مريم', 'ct_bxjwcfms'],
  ] as const
  checkRows(t, cases, ([key, id, ref]) => difference(refOfWith(key)(id), ref), 'every pseudonym')
  t.not(refOfWith('another key')('contact-5'), 'ct_0dzxnvas')
})

t.test('in the record of disclosure it is the first half of the HMAC in hexadecimal', async (t) => {
  const nameOf = createRecordPseudonym(new Secret('key'))
  // Computed with Python's hmac module.
  t.equal(nameOf('000000c0-0000-4000-8000-000000000001'), 'a0c3391d48cfc397ff4be4bb14f6f6ca')
  t.not(createRecordPseudonym(new Secret('another key'))('contact-5'), nameOf('contact-5'))
})

t.test('with one key, an id has one pseudonym for one contact, and another for another contact', async (t) => {
  const idOf = idOfWith('key')
  const ids = Array.from({ length: 1000 }, (_, index) => `wamid.${index}`)
  const pseudonyms = ids.map((id) => idOf('ct_1', id))
  t.strictSame(
    pseudonyms,
    ids.map((id) => idOfWith('key')('ct_1', id)),
  )
  t.ok(pseudonyms.every((pseudonym) => /^id_[0-9a-hjkmnp-tv-z]{16}$/.test(pseudonym)))
  const others = [...ids.map((id) => idOf('ct_2', id)), ...ids.map((id) => idOfWith('another key')('ct_1', id))]
  t.equal(new Set([...pseudonyms, ...others]).size, 3000)
})

t.test('the pseudonym of an id is the first 80 bits of SHA-512/256 of key, scope and id in base 32', async (t) => {
  // Computed with Python's hashlib module.
  t.equal(idOfWith('key')('ct_1', 'wamid.5'), 'id_59242zva0khsw3mg')
})
