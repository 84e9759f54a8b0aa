import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { packContact, unpackContact } from '../../src/contacts/packed-contact.ts'
import { createPresentDocument } from '../../src/contacts/present-document.ts'
import { toStoredContact } from '../../src/contacts/stored-contact.ts'
import { Failure } from '../../src/failures/failure.ts'
import { hilosTexts, metaKeys, requestedId } from './hilos-text.ts'
import { holds } from './holds.ts'

const present = createPresentDocument({ refKey: new Secret('key'), metaKeys, maxElements: 10_000 })
const id = requestedId

/** Stored contacts of documents that are not rejected; null for others. */
const storedContacts = fc.tuple(hilosTexts, fc.string({ unit: 'binary' })).map(([text, revision]) => {
  try {
    const document = present({ bytes: Buffer.from(text), id, tokens: [] })
    return toStoredContact({ id, revision, pseudonym: 'theirs' }, document, null)
  } catch (error) {
    if (error instanceof Failure) return null
    throw error
  }
})

t.test('every contact is the same after it was packed and unpacked', async (t) => {
  let count = 0
  const property = fc.property(storedContacts, (stored) => {
    if (stored === null) return true
    count += 1
    const unpacked = unpackContact(packContact(stored), { id, pseudonym: 'mine' })
    return isDeepStrictEqual(unpacked, { ...stored, pseudonym: 'mine' })
  })
  holds(t, property)
  t.ok(count > 5, `${count} were packed`)
})

t.test('bytes that were changed unpack to a contact that packs to them, or to none', async (t) => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 })
  const property = fc.property(storedContacts, changes, (stored, places) => {
    if (stored === null) return true
    const packed = packContact(stored)
    for (const [at, byte] of places) packed[at % packed.length] = byte
    const unpacked = unpackContact(packed, { id, pseudonym: 'mine' })
    return (
      unpacked === null ||
      unpacked.content.serialized.equals(packed.subarray(packed.length - unpacked.content.serialized.length))
    )
  })
  holds(t, property)
})
