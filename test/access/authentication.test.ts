import t from 'tap'
import { forbiddenProfile } from '../../src/access/access-failure.ts'
import { createAuthentication } from '../../src/access/authentication.ts'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import { createCallerKeys } from '../../src/access/caller-keys.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { challenges, refusal } from './refusal.ts'
import { createTokenRig } from './token-rig.ts'

const key = createKey()
const holder: Caller = { name: 'support-web', kind: 'key', profile: 'agent', flows: null }
const keys = createCallerKeys([{ name: holder.name, keySha256: keyHash(key), profile: holder.profile, flows: null }])
const bearerOfToken: Caller = { name: 'somebody', kind: 'token', profile: 'viewer', flows: null }

const refused = (reason: string, challenge: string = challenges.invalid) => ({
  code: 'unauthenticated',
  facts: { reason },
  challenge,
})

t.test('whoever sends no credential is anonymous where that is allowed, and refused elsewhere', async (t) => {
  for (const ways of [
    { keys: () => keys, tokens: null },
    { keys: null, tokens: () => bearerOfToken },
    { keys: () => keys, tokens: () => bearerOfToken },
    { keys: null, tokens: null },
  ]) {
    t.equal(createAuthentication({ ...ways, allowAnonymous: true })(undefined), anonymous)
    const authenticate = createAuthentication({ ...ways, allowAnonymous: false })
    t.strictSame(await refusal(t, '', () => authenticate(undefined)), refused('no credential', challenges.none))
  }
})

t.test('a credential, when there is nothing to check it by, is as good as none', async (t) => {
  for (const header of [`Bearer ${key}`, 'Basic dXNlcjpwYXNz', '', 'Bearer']) {
    t.equal(createAuthentication({ keys: null, tokens: null, allowAnonymous: true })(header), anonymous)
    const closed = createAuthentication({ keys: null, tokens: null, allowAnonymous: false })
    t.strictSame(await refusal(t, header, () => closed(header)), refused('no credential', challenges.none))
  }
})

t.test('a credential goes to the keys when it begins as a key does, and to the tokens otherwise', async (t) => {
  const asked: string[] = []
  const tokens = (token: string) => {
    asked.push(token)
    return bearerOfToken
  }
  const authenticate = createAuthentication({ keys: () => keys, tokens, allowAnonymous: false })
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    t.strictSame(authenticate(`${scheme} ${key}`), holder)
    t.equal(authenticate(`${scheme} eyJ.a-b_c~d+e/f.g==`), bearerOfToken)
  }
  t.strictSame(new Set(asked), new Set(['eyJ.a-b_c~d+e/f.g==']))
})

t.test('a credential, when bad, is refused even where none is needed', async (t) => {
  const stranger = createKey()
  for (const allowAnonymous of [true, false]) {
    const authenticate = createAuthentication({ keys: () => keys, tokens: () => bearerOfToken, allowAnonymous })
    for (const [header, expected] of [
      [`Bearer ${stranger}`, refused('unknown key')],
      [`Bearer ${key}x`, refused('unknown key')],
      ['Bearer hbff_', refused('unknown key')],
      ['Bearer', refused('malformed')],
      ['Bearer ', refused('malformed')],
      ['Bearer\tx', refused('malformed')],
      [`Bearer ${key} ${key}`, refused('malformed')],
      [`Bearer ${key},${key}`, refused('malformed')],
      [`Bearer ${key}, Basic x`, refused('malformed')],
      [`Bearer "${key}"`, refused('malformed')],
      [`Bearer ${key}\n`, refused('malformed')],
      ['Bearer a=b', refused('malformed')],
      ['Bearer =', refused('malformed')],
      ['Bearer é', refused('malformed')],
      ['bearer \u0000', refused('malformed')],
      ['', refused('another scheme', challenges.none)],
      [key, refused('another scheme', challenges.none)],
      ['Basic dXNlcjpwYXNz', refused('another scheme', challenges.none)],
      [`DPoP ${key}`, refused('another scheme', challenges.none)],
      [`Bearers ${key}`, refused('another scheme', challenges.none)],
      [`Bearer-x ${key}`, refused('another scheme', challenges.none)],
      [` Bearer ${key}`, refused('another scheme', challenges.none)],
    ] as const) {
      t.strictSame(
        await refusal(t, header.replace('Bearer ', ''), () => authenticate(header)),
        expected,
        header.slice(0, 9),
      )
    }
  }
})

t.test('a credential, when of a kind that is not configured, is refused', async (t) => {
  const tokensOnly = createAuthentication({ keys: null, tokens: () => bearerOfToken, allowAnonymous: true })
  t.strictSame(await refusal(t, key, () => tokensOnly(`Bearer ${key}`)), refused('unknown key'))
  const keysOnly = createAuthentication({ keys: () => keys, tokens: null, allowAnonymous: true })
  t.strictSame(await refusal(t, 'eyJhbGciOi', () => keysOnly('Bearer eyJhbGciOi')), refused('no issuer trusted'))
})

t.test('the callers’ keys, when read again, count from the next request', async (t) => {
  let current = keys
  const authenticate = createAuthentication({ keys: () => current, tokens: null, allowAnonymous: false })
  t.strictSame(authenticate(`Bearer ${key}`), holder)
  current = createCallerKeys([])
  t.strictSame(await refusal(t, key, () => authenticate(`Bearer ${key}`)), refused('unknown key'))
})

t.test('an access token of a real issuer lets its caller in, at once the second time', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const authenticate = createAuthentication({ keys: () => keys, tokens, allowAnonymous: false })
  const header = `Bearer ${issuer.sign()}`
  const caller = await authenticate(header)
  t.match(caller, { name: 'support-web', kind: 'token' })
  t.equal(authenticate(header), caller)
  t.strictSame(await refusal(t, '', () => authenticate('Bearer x')), refused('malformed'))
})

t.test('a caller, when asking for a wider profile than their own, is told the scope that would do', async (t) => {
  t.strictSame(
    await refusal(t, '', () => {
      throw forbiddenProfile('full')
    }),
    {
      code: 'forbidden',
      facts: { reason: 'wider profile' },
      challenge: 'Bearer realm="hilos-bff", error="insufficient_scope", scope="execution-contacts:full"',
    },
  )
})
