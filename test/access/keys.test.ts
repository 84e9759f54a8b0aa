import { createHash } from 'node:crypto'
import t from 'tap'
import { createKey, isKey, keyHash } from '../../src/access/keys.ts'

t.test('a new key is 32 bytes in base64url behind its prefix, and no other', async (t) => {
  const [one, other] = [createKey(), createKey()]
  t.match(one, /^hbff_[A-Za-z0-9_-]{43}$/)
  t.equal(Buffer.from(one.slice(5), 'base64url').length, 32)
  t.ok(isKey(one))
  t.not(one, other)
})

t.test('the hash of a key is SHA-256 of all of it, in lower-case hexadecimal', async (t) => {
  const key = createKey()
  t.equal(keyHash(key), createHash('sha256').update(key).digest('hex'))
  t.equal(keyHash(`hbff_${'a'.repeat(43)}`), '568a8e9da2baee6528b86bc5f2d0308167a09d8761e21d231fa27d825f19e06e')
})

t.test('a text is written as a key is only with the prefix and 43 characters of base64url', async (t) => {
  const key = `hbff_${'a'.repeat(42)}`
  for (const [text, expected] of [
    [`${key}-`, true],
    [`${key}_`, true],
    [key, false],
    [`${key}aa`, false],
    [`${key}+`, false],
    [`${key}=`, false],
    [`${key}a\n`, false],
    [` ${key}a`, false],
    [`HBFF_${'a'.repeat(43)}`, false],
    ['', false],
  ] as const) {
    t.equal(isKey(text), expected, JSON.stringify(text))
  }
})
