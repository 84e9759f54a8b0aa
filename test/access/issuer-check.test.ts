import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { countIssuerKeys } from '../../src/access/issuer-check.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createIssuer, type IssuerMood } from '../harness/issuer.ts'

const jwk = (key: { export: (options: { format: 'jwk' }) => object }, more = {}) => ({
  ...key.export({ format: 'jwk' }),
  kid: 'k',
  ...more,
})

t.test('an issuer, when asked for its keys, is asked once, and all that tokens can be signed with count', async (t) => {
  const { jwksUrl, requests } = await createIssuer(t)
  t.strictSame(await countIssuerKeys({ jwksUrl }), { published: 3, usable: 3 })
  t.equal(requests(), 1)
})

t.test('a key, when no token of ours can be signed with it, does not count', async (t) => {
  const { jwksUrl, publish } = await createIssuer(t)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const unusable = [
    jwk(short.publicKey),
    jwk(curve.publicKey),
    jwk(rsa.publicKey, { use: 'enc' }),
    jwk(rsa.publicKey, { alg: 'RS512' }),
    jwk(rsa.publicKey, { key_ops: ['encrypt'] }),
    jwk(rsa.privateKey),
    { kty: 'RSA', n: '!', e: 'AQAB' },
    { kty: 'oct', k: 'c2VjcmV0' },
    {},
  ]
  for (const key of unusable) {
    publish(() => [key])
    t.strictSame(await countIssuerKeys({ jwksUrl }), { published: 1, usable: 0 }, JSON.stringify(Object.keys(key)))
  }
  publish(() => [jwk(rsa.publicKey), ...unusable])
  t.strictSame(await countIssuerKeys({ jwksUrl }), { published: unusable.length + 1, usable: 1 })
  publish(() => [])
  t.strictSame(await countIssuerKeys({ jwksUrl }), { published: 0, usable: 0 })
})

t.test('an issuer, when it does not answer as it should, is a failure that says how and repeats nothing', async (t) => {
  const { jwksUrl, setMood, requests } = await createIssuer(t)
  const moods: readonly (readonly [IssuerMood, object])[] = [
    ['down', { reason: 'not 200', status: 503 }],
    ['redirecting', { reason: 'not 200', status: 302 }],
    ['hanging', { reason: 'TimeoutError' }],
    ['hangingInTheBody', { reason: 'TimeoutError' }],
    ['breakingOff', { reason: 'UND_ERR_SOCKET' }],
    ['tooLarge', { reason: 'too large' }],
    ['rubbish', { reason: 'not a key set' }],
    ['noKeySet', { reason: 'not a key set' }],
    ['null', { reason: 'not a key set' }],
  ]
  for (const [mood, facts] of moods) {
    setMood(mood)
    const failure = await countIssuerKeys({ jwksUrl, timeoutMs: 300 }).catch((error: unknown) => error)
    t.match(failure, { code: 'token_issuer_unavailable', facts }, mood)
    t.ok(failure instanceof Failure)
    t.notMatch(JSON.stringify(failure), 'canary')
  }
  t.equal(requests(), moods.length)
  const closed = await countIssuerKeys({ jwksUrl: 'http://127.0.0.1:1/' }).catch((error: unknown) => error)
  t.match(closed, { facts: { reason: /^(ECONNREFUSED|TypeError)$/ } })
})
