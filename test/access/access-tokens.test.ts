import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { encoded, type SignOptions } from '../harness/issuer.ts'
import { challenges, refusal } from './refusal.ts'
import { createTokenRig } from './token-rig.ts'

const refused = (reason: string) => ({ code: 'unauthenticated', facts: { reason }, challenge: challenges.invalid })
const expired = { code: 'unauthenticated', facts: { reason: 'expired' }, challenge: challenges.expired }
const withoutScope = { code: 'forbidden', facts: { reason: 'no scope' }, challenge: challenges.scope }

t.test('an access token, when good, is its caller’s, with each algorithm that is taken', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
    t.strictSame(await tokens(issuer.sign({}, { algorithm })), {
      name: 'support-web',
      kind: 'token',
      profile: 'agent',
      flows: null,
    })
  }
  t.equal(issuer.requests(), 1)
})

t.test('an access token, when its claims are not what they must be, is refused', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const seconds = Date.now() / 1000
  for (const [claims, expected] of [
    [{ iss: `${issuer.issuer}/` }, refused('issuer')],
    [{ iss: undefined }, refused('issuer')],
    [{ aud: 'https://other.example' }, refused('audience')],
    [{ aud: ['https://other.example'] }, refused('audience')],
    [{ aud: undefined }, refused('audience')],
    [{ exp: undefined }, refused('claims')],
    [{ exp: String(seconds + 300) }, refused('claims')],
    [{ exp: null }, refused('claims')],
    [{ exp: seconds - 3600 }, expired],
    [{ exp: seconds - 3600, aud: 'https://other.example' }, refused('audience')],
    [{ nbf: seconds + 6 }, refused('not yet valid')],
    [{ sub: undefined }, refused('claims')],
    [{ sub: '' }, refused('claims')],
    [{ sub: 7 }, refused('claims')],
    [{ scope: undefined }, withoutScope],
  ] as const) {
    const token = issuer.sign(claims)
    t.strictSame(await refusal(t, token, () => tokens(token)), expected, JSON.stringify(claims))
  }
  for (const claims of [{ aud: ['https://other.example', issuer.audience] }, { nbf: seconds + 5 }]) {
    t.match(await tokens(issuer.sign(claims)), { profile: 'agent' })
  }
})

t.test('an access token, when its time comes, is refused at that millisecond, remembered or not', async (t) => {
  for (const [exp, goodMs] of [
    [60, 64_999],
    [60.5, 65_999],
    [-4, 999],
  ] as const) {
    const { issuer, tokens, advance } = await createTokenRig(t)
    const sign = (sub: string) => issuer.sign({ sub, exp: Date.now() / 1000 + exp })
    const [remembered, firstSeenLate, tooLate] = ['remembered', 'firstSeenLate', 'tooLate'].map(sign) as [
      string,
      string,
      string,
    ]
    await tokens(remembered)
    advance(goodMs)
    t.match(tokens(remembered), { name: 'remembered' }, 'at once')
    t.match(await tokens(firstSeenLate), { name: 'firstSeenLate' })
    advance(1)
    for (const token of [remembered, firstSeenLate, tooLate])
      t.strictSame(await refusal(t, token, () => tokens(token)), expired)
  }
})

t.test(
  'an access token, when it was verified, is answered at once for ten minutes and then verified again',
  async (t) => {
    const { issuer, tokens, advance } = await createTokenRig(t)
    const token = issuer.sign({ exp: Date.now() / 1000 + 3600 })
    const caller = await tokens(token)
    advance(599_999)
    t.equal(tokens(token), caller, 'at once')
    issuer.rotate()
    advance(1)
    t.strictSame(await refusal(t, token, () => tokens(token)), refused('signing key unknown'))
  },
)

t.test('an access token, when judged by a clock of ours, is judged by no other', async (t) => {
  const { issuer, tokens } = await createTokenRig(t, { now: () => Date.now() + 3_600_000 })
  t.strictSame(await refusal(t, '', () => tokens(issuer.sign({ exp: Date.now() / 1000 + 3595 }))), expired)
  const token = issuer.sign({ exp: Date.now() / 1000 + 3596 })
  const caller = await tokens(token)
  t.equal(tokens(token), caller, 'at once')
})

t.test('an access token, when its expiry is no finite number, is still verified again after ten minutes', async (t) => {
  const { issuer, tokens, advance } = await createTokenRig(t)
  const claims = { iss: issuer.issuer, aud: issuer.audience, sub: 'x', scope: 'execution-contacts:full' }
  const token = issuer.sign({}, { payload: JSON.stringify(claims).replace('{', '{"exp":1e999,') })
  const caller = await tokens(token)
  t.equal(tokens(token), caller)
  advance(600_000)
  t.type(tokens(token), Promise)
})

t.test('an access token without a scope, when it was verified, is refused at once', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const token = issuer.sign({ scope: 'execution-contacts' })
  t.strictSame(await refusal(t, token, () => tokens(token)), withoutScope)
  t.throws(() => tokens(token), { code: 'forbidden' })
})

t.test('access tokens, when more than there is room for, leave out the least recently used', async (t) => {
  const { issuer, tokens } = await createTokenRig(t, { maxRemembered: 2 })
  const [one, two, three] = ['1', '2', '3'].map((sub) => issuer.sign({ sub })) as [string, string, string]
  for (const token of [one, two, one, three]) await tokens(token)
  t.match(tokens(one), { name: '1' })
  t.match(tokens(three), { name: '3' })
  t.type(tokens(two), Promise)
})

t.test('an access token, when its signature is not the issuer’s, is refused', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const token = issuer.sign()
  const [header = '', claims = '', signature = ''] = token.split('.')
  const forged = `${header}.${encoded({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), scope: 'execution-contacts:full' })}.${signature}`
  t.strictSame(await refusal(t, forged, () => tokens(forged)), refused('signature'))
  t.match(await tokens(token), { profile: 'agent' })
  t.strictSame(await refusal(t, forged, () => tokens(forged)), refused('signature'))

  const long = issuer.sign({ exp: 1 })
  const both = `${long.slice(0, -8)}AAAAAAAA`
  t.strictSame(await refusal(t, both, () => tokens(both)), refused('signature'), 'and nothing is said of its expiry')
})

t.test('an access token, when it names an algorithm that is not taken, is refused', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  let jwk: Readonly<Record<string, unknown>> = {}
  issuer.publish((keys) => {
    jwk = keys[0] ?? {}
    return keys
  })
  const [, claims = ''] = issuer.sign().split('.')
  const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  for (const alg of ['HS256', 'none', 'None', 'RS384', 'PS256', 'ES384', 'Ed25519', '', undefined, 7]) {
    for (const secret of [pem, JSON.stringify(jwk), '']) {
      const signed = `${encoded({ alg, kid: jwk.kid })}.${claims}`
      for (const signature of ['', createHmac('sha256', secret).update(signed).digest('base64url')]) {
        const token = `${signed}.${signature}`
        const answer = await refusal(t, token, () => tokens(token))
        t.match(answer, {
          code: 'unauthenticated',
          facts: { reason: /^(algorithm|malformed)$/ },
          challenge: challenges.invalid,
        })
      }
    }
  }
  t.equal(issuer.requests(), 0, 'and the issuer is not even asked')
})

t.test(
  'an access token, when it brings its own key or says where to get one, is judged by the issuer’s alone',
  async (t) => {
    const { issuer, tokens } = await createTokenRig(t)
    const attacker = await createTokenRig(t)
    const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
    const kid = JSON.parse(Buffer.from(issuer.sign().split('.')[0] ?? '', 'base64url').toString()).kid
    for (const header of [
      { jku: attacker.issuer.jwksUrl },
      { x5u: attacker.issuer.jwksUrl },
      { jwk },
      { x5c: ['MIIB'] },
    ]) {
      const good = issuer.sign({}, { header })
      t.match(await tokens(good), { profile: 'agent' })
      const bad = attacker.issuer.sign({ iss: issuer.issuer }, { header: { ...header, kid } })
      t.strictSame(await refusal(t, bad, () => tokens(bad)), refused('signature'))
    }
    t.equal(attacker.issuer.requests(), 0)
  },
)

t.test('an access token, when its form is not that of a signed JWT, is refused', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const good = issuer.sign()
  const signedAs = (options: SignOptions) => issuer.sign({}, options)
  for (const [token, reason] of [
    ['', 'malformed'],
    ['opaque', 'malformed'],
    ['a.b.c', 'malformed'],
    ['..', 'malformed'],
    ['a.b.c.d.e', 'malformed'],
    [`${encoded({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.a.b.c.d`, 'malformed'],
    [`${good}.`, 'malformed'],
    [good.slice(0, good.lastIndexOf('.')), 'malformed'],
    [signedAs({ header: { crit: ['exp'], exp: 1 } }), 'malformed'],
    [signedAs({ header: { crit: [] } }), 'malformed'],
    [signedAs({ header: { crit: ['b64'], b64: false } }), 'malformed'],
    [signedAs({ payload: good }), 'malformed'],
    [signedAs({ payload: '[]' }), 'malformed'],
    [signedAs({ payload: 'null' }), 'malformed'],
    [signedAs({ header: { kid: 'k'.repeat(4096) } }), 'signing key unknown'],
    [signedAs({ header: { kid: 'k'.repeat(8192) } }), 'too long'],
    [signedAs({ header: { kid: 7 } }), 'signing key unknown'],
  ] as const) {
    t.strictSame(await refusal(t, token, () => tokens(token)), refused(reason), token.slice(0, 60))
  }
})

t.test('an access token, when of 8 KiB, is read, and when longer refused unread', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  t.match(await tokens(issuer.sign({ padding: 'x'.repeat(5000) })), { profile: 'agent' })
  for (const [length, reason] of [
    [8192, 'malformed'],
    [8193, 'too long'],
  ] as const) {
    const token = 'x'.repeat(length)
    t.strictSame(await refusal(t, token, () => tokens(token)), refused(reason))
  }
})
