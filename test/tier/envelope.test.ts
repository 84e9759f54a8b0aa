import { randomBytes } from 'node:crypto'
import t from 'tap'
import { Secret } from '../../src/common/secret.ts'
import type { CacheKeys } from '../../src/config/cache-keys.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'

const keyOf = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'))
const keysOf = (...ids: number[]): CacheKeys => ({ names: keyOf(0), seal: ids.map((id) => ({ id, key: keyOf(id) })) })
const plain = Buffer.from('María, +52 1 81 0000 0000')

t.test('what is sealed opens for what it is bound to, and shows nothing', async (t) => {
  const { seal, open } = createEnvelope(() => keysOf(7))
  for (const each of [plain, Buffer.alloc(0), randomBytes(100_000)]) {
    const sealed = seal(each, 'a contact')
    t.strictSame([sealed.length, ...sealed.subarray(0, 2)], [each.length + 30, 1, 7])
    t.ok(open(sealed, 'a contact')?.equals(each))
    t.equal(open(sealed, 'another contact'), null)
  }
  const sealed = seal(plain, 'a contact')
  t.notOk(sealed.includes('María'))
  t.notOk(sealed.equals(seal(plain, 'a contact')), 'each time with another nonce')
})

t.test('what was changed, cut off or made up does not open, and nothing is thrown', async (t) => {
  const { seal, open } = createEnvelope(() => keysOf(7))
  const sealed = seal(plain, 'a')
  const opened = Array.from({ length: sealed.length * 8 }, (_, bit) => {
    const changed = Buffer.from(sealed)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    return open(changed, 'a')
  })
  t.ok(opened.every((each) => each === null))
  for (let length = 0; length < sealed.length; length += 1) t.equal(open(sealed.subarray(0, length), 'a'), null)
  t.equal(open(Buffer.concat([sealed, Buffer.of(0)]), 'a'), null)
  t.equal(open(randomBytes(200), 'a'), null)
})

t.test('the first key seals, all open, and a key that is gone opens nothing', async (t) => {
  let keys = keysOf(1)
  const { seal, open } = createEnvelope(() => keys)
  const old = seal(plain, 'a')
  keys = keysOf(1, 2)
  t.equal(seal(plain, 'a')[1], 1)
  keys = keysOf(2, 1)
  const fresh = seal(plain, 'a')
  t.equal(fresh[1], 2)
  t.ok(open(old, 'a')?.equals(plain))
  keys = keysOf(2)
  t.equal(open(old, 'a'), null)
  t.ok(open(fresh, 'a')?.equals(plain))
  keys = { names: keyOf(0), seal: [{ id: 2, key: keyOf(3) }] }
  t.equal(open(fresh, 'a'), null, 'another key of the same id')
})
