import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { countIssuerKeys } from '../../src/access/issuer-check.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createIssuer, type IssuerMood } from '../harness/issuer.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const jwk = (key: { export: (options: { format: 'jwk' }) => object }, more = {}) => ({
  ...key.export({ format: 'jwk' }),
  kid: 'k',
  ...more,
})

t.test('the issuer is asked once, and the keys that can sign tokens are counted', async (t) => {
  const { jwksUrl, publish, requests } = await createIssuer(t)
  t.strictSame(await countIssuerKeys({ jwksUrl, fetch }), { published: 3, usable: 3 })
  t.equal(requests(), 1)
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
  const cases = [
    ...unusable.map((key) => [[key], 0] as const),
    [[jwk(rsa.publicKey), ...unusable], 1] as const,
    [[], 0] as const,
  ]
  const check = async ([keys, usable]: (typeof cases)[number]) => {
    publish(() => keys)
    return difference(await countIssuerKeys({ jwksUrl, fetch }), { published: keys.length, usable })
  }
  await checkRowsInTurn(t, cases, check, 'each key set')
})

t.test('a failure of the issuer says what happened, and repeats nothing of the response', async (t) => {
  const { jwksUrl, setMood, requests } = await createIssuer(t)
  const failureOf = (url: string) =>
    countIssuerKeys({ jwksUrl: url, fetch, timeoutMs: 300 }).catch((error: unknown) => error as Failure)
  const cases: readonly (readonly [IssuerMood, object])[] = [
    ['down', { reason: 'not 200', status: 503 }],
    ['redirecting', { reason: 'not 200', status: 302 }],
    ['hanging', { reason: 'TimeoutError' }],
    ['hangingInTheBody', { reason: 'TimeoutError' }],
    ['breakingOff', { reason: 'UND_ERR_SOCKET' }],
    ['tooLarge', { reason: 'too large', maxBytes: 1024 * 1024 }],
    ['rubbish', { reason: 'not a key set' }],
    ['noKeySet', { reason: 'not a key set' }],
    ['null', { reason: 'not a key set' }],
  ]
  for (const [mood, facts] of cases) {
    setMood(mood)
    const failure = await failureOf(jwksUrl)
    t.ok(failure instanceof Failure)
    t.match(failure, { code: 'token_issuer_unavailable', facts }, mood)
    t.notMatch(JSON.stringify(failure), 'canary')
  }
  t.equal(requests(), cases.length)
  t.match(await failureOf('http://127.0.0.1:1/'), { facts: { reason: /^(ECONNREFUSED|TypeError)$/ } })
})
