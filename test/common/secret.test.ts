import { inspect } from 'node:util'
import t from 'tap'
import { Secret } from '../../src/common/secret.ts'

t.test('a secret prints nothing of itself', async (t) => {
  const secret = new Secret('hunter2')
  const shown = [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }, { depth: 9, showHidden: true }),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify({ ...secret }),
  ]
  t.notMatch(shown.join(), /hunter2/)
  t.equal(`${secret}`, '[redacted]')
  t.equal(secret.reveal(), 'hunter2')
})

t.test('a fingerprint is the beginning of the SHA-256', async (t) => {
  t.equal(new Secret('abc').fingerprint(), 'ba7816bf', 'the example of FIPS 180')
  t.not(new Secret('abd').fingerprint(), 'ba7816bf')
})
