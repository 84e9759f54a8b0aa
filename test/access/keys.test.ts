import { createHash } from 'node:crypto'
import t from 'tap'
import { createKey, isKey, keyHash } from '../../src/access/keys.ts'
import { checkRows, difference } from '../harness/table.ts'

t.test('a new key is 32 random bytes in base64url behind its prefix', async (t) => {
  const key = createKey()
  t.match(key, /^hbff_[A-Za-z0-9_-]{43}$/)
  t.equal(Buffer.from(key.slice(5), 'base64url').length, 32)
  t.ok(isKey(key))
  t.not(createKey(), key)
})

t.test('the hash of a key is SHA-256 of all of it, in lower-case hexadecimal', async (t) => {
  const key = createKey()
  t.equal(keyHash(key), createHash('sha256').update(key).digest('hex'))
  t.equal(keyHash(`hbff_${'a'.repeat(43)}`), '568a8e9da2baee6528b86bc5f2d0308167a09d8761e21d231fa27d825f19e06e')
})

t.test('only the prefix and 43 characters of base64url are a key', async (t) => {
  const key = `hbff_${'a'.repeat(42)}`
  for (const each of [`${key}-`, `${key}_`]) t.ok(isKey(each))
  const others = [key, `${key}aa`, `${key}+`, `${key}=`, `${key}a\n`, ` ${key}a`, `HBFF_${'a'.repeat(43)}`, '']
  checkRows(t, others, (text) => difference(isKey(text), false), 'each other text')
})
