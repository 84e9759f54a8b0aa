import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { encoded, type SignOptions } from '../harness/issuer.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { challenges, refused } from './refusal.ts'
import { createTokenRig } from './token-rig.ts'

const expired = refused('expired', challenges.expired)
const withoutScope = { code: 'forbidden', facts: { reason: 'no scope' }, challenge: challenges.scope }

const partsOf = (token: string) => token.split('.') as [header: string, claims: string, signature: string]
const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())

t.test('a valid access token gives its caller, with each of three algorithms', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const caller = { name: 'support-web', kind: 'token', profile: 'agent', flows: null }
  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const)
    t.strictSame(await tokens(issuer.sign({}, { algorithm })), caller)
  t.equal(issuer.requests(), 1)
})

t.test('an access token with wrong claims is refused', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const seconds = Date.now() / 1000
  const other = 'https://other.example'
  const expiredLongAgo = { exp: seconds - 3600 }
  const claimsOf: readonly (readonly [refusal: object, ...claims: Record<string, unknown>[]])[] = [
    [refused('issuer'), { iss: `${issuer.issuer}/` }, { iss: undefined }],
    [refused('audience'), { aud: other }, { aud: [other] }, { aud: undefined }, { ...expiredLongAgo, aud: other }],
    [refused('claims'), { exp: undefined }, { exp: String(seconds + 300) }, { exp: null }],
    [refused('claims'), { sub: undefined }, { sub: '' }, { sub: 7 }],
    [refused('not yet valid'), { nbf: seconds + 6 }],
    [expired, expiredLongAgo],
    [withoutScope, { scope: undefined }],
  ]
  const cases = claimsOf.flatMap(([refusal, ...each]) => each.map((claims) => [claims, refusal] as const))
  const check = async ([claims, expected]: (typeof cases)[number]) =>
    difference(await refusalOf(issuer.sign(claims)), expected)
  await checkRowsInTurn(t, cases, check, 'each token')
  for (const claims of [{ aud: ['https://other.example', issuer.audience] }, { nbf: seconds + 5 }])
    t.match(await tokens(issuer.sign(claims)), { profile: 'agent' })
})

t.test('an access token is refused from the millisecond of its expiry, whether it is cached or not', async (t) => {
  for (const [exp, goodMs] of [
    [60, 64_999],
    [60.5, 65_999],
    [-4, 999],
  ] as const) {
    const { issuer, tokens, refusalOf, advance } = await createTokenRig(t)
    const sign = (sub: string) => issuer.sign({ sub, exp: Date.now() / 1000 + exp })
    const [cached, firstSeenLate, tooLate] = [sign('cached'), sign('firstSeenLate'), sign('tooLate')]
    await tokens(cached)
    advance(goodMs)
    t.match(tokens(cached), { name: 'cached' }, 'at once')
    t.match(await tokens(firstSeenLate), { name: 'firstSeenLate' })
    advance(1)
    for (const token of [cached, firstSeenLate, tooLate]) t.strictSame(await refusalOf(token), expired)
  }
})

t.test('a verified access token is answered at once for ten minutes, and then verified again', async (t) => {
  const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
  const verified = [signFor('x'), signFor('y')]
  const callers = await Promise.all(verified.map(tokens))
  advance(599_999)
  t.strictSame(verified.map(tokens), callers, 'at once')
  issuer.rotate()
  advance(1)
  for (const token of verified) t.strictSame(await refusalOf(token), refused('signing key unknown'))
})

t.test('an access token is verified again after ten minutes, even if the wall clock is set back', async (t) => {
  let setBackMs = 0
  const clock = { now: () => Date.now() - setBackMs, elapsed: () => Date.now() }
  const { tokens, signFor, advance } = await createTokenRig(t, { clock })
  const token = signFor('x')
  await tokens(token)
  setBackMs = 3_600_000
  advance(599_999)
  t.match(tokens(token), { name: 'x' }, 'at once')
  advance(1)
  t.type(tokens(token), Promise)
})

t.test('a token of another type is refused, and the issuer is not asked', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const other = [
    ...[
      'logout+jwt',
      'secevent+jwt',
      'dpop+jwt',
      'token-introspection+jwt',
      'id_token',
      'JOSE',
      'JWE',
      'at',
      'at+',
      '',
    ],
    ...['+jwt', 'jwt+at', 'at+at+jwt', 'at+jwt ', 'at+jwt\n', 'xjwt', 'jwtx', 'text/jwt', 'application/', '/jwt'],
    ...['application/application/jwt', 'application/logout+jwt', 'application/jwt; a=b', 'at+jwt, logout+jwt'],
    ...[null, 7, true, [], ['at+jwt'], { typ: 'at+jwt' }],
  ]
  const checkOther = async (typ: unknown) =>
    difference(await refusalOf(issuer.sign({ exp: 1 }, { header: { typ } })), refused('type'))
  await checkRowsInTurn(t, other, checkOther, 'each other type')
  t.equal(issuer.requests(), 0)
  const own = [undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/JWT']
  const checkOwn = async (typ: unknown) =>
    difference((await tokens(issuer.sign({}, { header: { typ } }))).profile, 'agent')
  await checkRowsInTurn(t, own, checkOwn, 'each type of an access token')
})

t.test('an access token with an absurd time is refused', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const common = { iss: issuer.issuer, aud: issuer.audience, sub: 'x', scope: 'execution-contacts:full' }
  const sign = (times: string) => issuer.sign({}, { payload: JSON.stringify(common).replace('{', `{${times},`) })
  const good = Date.now() / 1000 + 300.5
  const absurd = ['1e300', '1e999', '1e21', '253402300800', String(good * 1000), '"9999999999"', 'null', '[1]', 'true']
  const cases = [
    ...absurd.map((exp) => [`"exp":${exp}`, 'claims'] as const),
    ...['-1', '-1e300', '-1e999'].map((nbf) => [`"exp":${good},"nbf":${nbf}`, 'claims'] as const),
    ...['-1', '1e300', '1e999', '"0"', 'null'].map((iat) => [`"exp":${good},"iat":${iat}`, 'claims'] as const),
    ...['1e21', '1e999', '"0"', 'null', '{}'].map((nbf) => [`"exp":${good},"nbf":${nbf}`, 'not yet valid'] as const),
  ]
  const check = async ([times, reason]: (typeof cases)[number]) =>
    difference(await refusalOf(sign(times)), refused(reason))
  await checkRowsInTurn(t, cases, check, 'each time')
  for (const exp of ['-5', '0', '-1e999']) t.strictSame(await refusalOf(sign(`"exp":${exp}`)), expired)
  for (const times of [`"exp":${good},"nbf":0,"iat":0.5`, '"exp":253402300799', '"exp":4e9'])
    t.match(await tokens(sign(times)), { profile: 'full' })
})

t.test('only the clock of the service decides about the expiry', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t, {
    clock: { now: () => Date.now() + 3_600_000, elapsed: Date.now },
  })
  t.strictSame(await refusalOf(issuer.sign({ exp: Date.now() / 1000 + 3595 })), expired)
  const token = issuer.sign({ exp: Date.now() / 1000 + 3596 })
  const caller = await tokens(token)
  t.equal(tokens(token), caller, 'at once')
})

t.test('a verified access token without a scope is refused at once', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const token = issuer.sign({ scope: 'execution-contacts' })
  t.strictSame(await refusalOf(token), withoutScope)
  t.throws(() => tokens(token), { code: 'forbidden' })
})

t.test('a full cache drops the access token that was used least recently', async (t) => {
  const { tokens, signFor } = await createTokenRig(t, { maxCached: 2 })
  const [one, two, three] = [signFor('1'), signFor('2'), signFor('3')]
  for (const token of [one, two, one, three]) await tokens(token)
  t.match(tokens(one), { name: '1' })
  t.match(tokens(three), { name: '3' })
  t.type(tokens(two), Promise)
})

t.test('an access token with a wrong signature is refused', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const token = issuer.sign()
  const [header, claims, signature] = partsOf(token)
  const forged = `${header}.${encoded({ ...decoded(claims), scope: 'execution-contacts:full' })}.${signature}`
  t.strictSame(await refusalOf(forged), refused('signature'))
  t.match(await tokens(token), { profile: 'agent' })
  t.strictSame(await refusalOf(forged), refused('signature'))
  const old = `${issuer.sign({ exp: 1 }).slice(0, -8)}AAAAAAAA`
  t.strictSame(await refusalOf(old), refused('signature'), 'its expiry is not told')
})

t.test('an access token with another algorithm is refused, and the issuer is not asked', async (t) => {
  const { issuer, refusalOf } = await createTokenRig(t)
  const jwks: Readonly<Record<string, unknown>>[] = []
  issuer.publish((keys) => {
    jwks.push(...keys)
    return keys
  })
  const [jwk = {}] = jwks
  const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const [, claims] = partsOf(issuer.sign())
  const forged = ['HS256', 'none', 'None', 'RS384', 'PS256', 'ES384', 'Ed25519', '', undefined, 7].flatMap((alg) => {
    const signed = `${encoded({ alg, kid: jwk.kid })}.${claims}`
    const secrets = [pem, JSON.stringify(jwk), '']
    const signatures = secrets.map((secret) => createHmac('sha256', secret).update(signed).digest('base64url'))
    return ['', ...signatures].map((signature) => `${signed}.${signature}`)
  })
  const check = async (token: string) => {
    const { facts, ...others } = await refusalOf(token)
    const isNamed = ['algorithm', 'malformed'].includes(String(facts.reason))
    return difference({ isNamed, ...others }, { isNamed: true, code: 'unauthenticated', challenge: challenges.invalid })
  }
  await checkRowsInTurn(t, forged, check, 'each algorithm and signature')
  t.equal(issuer.requests(), 0)
})

t.test('a key in the header of an access token is not used', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const attacker = await createTokenRig(t)
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const { kid } = decoded(partsOf(issuer.sign())[0])
  for (const header of [
    { jku: attacker.issuer.jwksUrl },
    { x5u: attacker.issuer.jwksUrl },
    { jwk },
    { x5c: ['MIIB'] },
  ]) {
    t.match(await tokens(issuer.sign({}, { header })), { profile: 'agent' })
    const forged = attacker.issuer.sign({ iss: issuer.issuer }, { header: { ...header, kid } })
    t.strictSame(await refusalOf(forged), refused('signature'))
  }
  t.equal(attacker.issuer.requests(), 0)
})

t.test('an access token that is no signed JWT, or longer than 8 KiB, is refused', async (t) => {
  const { issuer, tokens, refusalOf } = await createTokenRig(t)
  const good = issuer.sign()
  const signedAs = (options: SignOptions) => issuer.sign({}, options)
  const malformed = [
    ...['', 'opaque', 'a.b.c', '..', 'a.b.c.d.e', `${encoded({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.a.b.c.d`],
    ...[`${good}.`, good.slice(0, good.lastIndexOf('.')), 'x'.repeat(8192)],
    ...[{ crit: ['exp'], exp: 1 }, { crit: [] }, { crit: ['b64'], b64: false }].map((header) => signedAs({ header })),
    ...[good, '[]', 'null'].map((payload) => signedAs({ payload })),
  ]
  const cases = [
    ...malformed.map((token) => [token, 'malformed'] as const),
    [signedAs({ header: { kid: 'k'.repeat(4096) } }), 'signing key unknown'] as const,
    [signedAs({ header: { kid: 7 } }), 'signing key unknown'] as const,
    [signedAs({ header: { kid: 'k'.repeat(8192) } }), 'too long'] as const,
    ['x'.repeat(8193), 'too long'] as const,
  ]
  const check = async ([token, reason]: (typeof cases)[number]) => difference(await refusalOf(token), refused(reason))
  await checkRowsInTurn(t, cases, check, 'each token')
  t.match(await tokens(issuer.sign({ padding: 'x'.repeat(5000) })), { profile: 'agent' })
})
