import t from 'tap'
import { forbiddenProfile } from '../../src/access/access-failure.ts'
import { createAuthentication, createCallerKeys } from '../../src/access/authentication.ts'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import type { CallerEntry } from '../../src/access/caller-entry.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { challenges, refusalOf, refused } from './refusal.ts'
import { createTokenRig } from './token-rig.ts'

const entryOf = (key: string, name = 'support-web'): CallerEntry => ({
  name,
  keySha256: keyHash(key),
  profile: 'agent',
  flows: new Set(['f']),
})

const key = createKey()
const keys = createCallerKeys([entryOf(key)])
const keyCaller: Caller = { name: 'support-web', kind: 'key', profile: 'agent', flows: new Set(['f']) }
const tokenCaller: Caller = { name: 'support-web', kind: 'token', profile: 'viewer', flows: null }
const tokens = () => tokenCaller

t.test('a request without a credential is anonymous if that is allowed, and refused otherwise', async (t) => {
  const withoutChecks = { keys: null, tokens: null }
  const cases = [
    [{ keys: () => keys, tokens: null }, undefined],
    [{ keys: null, tokens }, undefined],
    [{ keys: () => keys, tokens }, undefined],
    [withoutChecks, undefined],
    // Without anything to check a credential with, it counts as none.
    [withoutChecks, `Bearer ${key}`],
    [withoutChecks, 'Basic dXNlcjpwYXNz'],
    [withoutChecks, ''],
    [withoutChecks, 'Bearer'],
  ] as const
  const check = async ([checks, header]: (typeof cases)[number]) => {
    const open = createAuthentication({ ...checks, allowAnonymous: true })
    const closed = createAuthentication({ ...checks, allowAnonymous: false })
    const found = [open(header), await refusalOf(header ?? '', () => closed(header))]
    return difference(found, [anonymous, refused('no credential', challenges.none)])
  }
  await checkRowsInTurn(t, cases, check, 'each header')
})

t.test('a credential with the prefix of a key is looked up, and any other is a token', async (t) => {
  const seen: string[] = []
  const authenticate = createAuthentication({
    keys: () => keys,
    tokens: (token) => {
      seen.push(token)
      return tokenCaller
    },
    allowAnonymous: false,
  })
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    t.strictSame(authenticate(`${scheme} ${key}`), keyCaller)
    t.equal(authenticate(`${scheme} eyJ.a-b_c~d+e/f.g==`), tokenCaller)
  }
  t.strictSame(seen, Array(4).fill('eyJ.a-b_c~d+e/f.g=='))
})

t.test('a bad credential is refused even if none is needed', async (t) => {
  const headers: readonly (readonly [object, readonly string[]])[] = [
    [refused('unknown key'), [`Bearer ${createKey()}`, `Bearer ${key}x`, 'Bearer hbff_']],
    [refused('malformed'), ['Bearer', 'Bearer ', 'Bearer\tx', `Bearer ${key} ${key}`, `Bearer ${key},${key}`]],
    [refused('malformed'), [`Bearer ${key}, Basic x`, `Bearer "${key}"`, `Bearer ${key}\n`, 'Bearer a=b', 'Bearer =']],
    [refused('malformed'), ['Bearer é', 'bearer \u0000']],
    [refused('another scheme', challenges.none), ['', key, 'Basic dXNlcjpwYXNz', `DPoP ${key}`, `Bearers ${key}`]],
    [refused('another scheme', challenges.none), [`Bearer-x ${key}`, ` Bearer ${key}`]],
  ]
  const cases = [true, false].flatMap((allowAnonymous) => {
    const authenticate = createAuthentication({ keys: () => keys, tokens, allowAnonymous })
    return headers.flatMap(([expected, each]) => each.map((header) => [header, authenticate, expected] as const))
  })
  const check = async ([header, authenticate, expected]: (typeof cases)[number]) =>
    difference(await refusalOf(header.replace('Bearer ', ''), () => authenticate(header)), expected)
  await checkRowsInTurn(t, cases, check, 'each header')
})

t.test('a credential of a kind that is not configured is refused', async (t) => {
  const tokensOnly = createAuthentication({ keys: null, tokens, allowAnonymous: true })
  t.strictSame(await refusalOf(key, () => tokensOnly(`Bearer ${key}`)), refused('unknown key'))
  const keysOnly = createAuthentication({ keys: () => keys, tokens: null, allowAnonymous: true })
  t.strictSame(await refusalOf('eyJhbGciOi', () => keysOnly('Bearer eyJhbGciOi')), refused('no issuer trusted'))
})

t.test('reloaded keys count from the next request', async (t) => {
  let current = keys
  const authenticate = createAuthentication({ keys: () => current, tokens: null, allowAnonymous: false })
  t.strictSame(authenticate(`Bearer ${key}`), keyCaller)
  current = createCallerKeys([])
  t.strictSame(await refusalOf(key, () => authenticate(`Bearer ${key}`)), refused('unknown key'))
})

t.test('an access token of a real issuer gives its caller, at once the second time', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  const authenticate = createAuthentication({ keys: () => keys, tokens, allowAnonymous: false })
  const header = `Bearer ${issuer.sign()}`
  const caller = await authenticate(header)
  t.match(caller, { name: 'support-web', kind: 'token' })
  t.equal(authenticate(header), caller)
  t.strictSame(await refusalOf('', () => authenticate('Bearer x')), refused('malformed'))
})

t.test('a caller who wants a wider profile is told the scope for it', async (t) => {
  const refusal = await refusalOf('', () => {
    throw forbiddenProfile('full')
  })
  const challenge = 'Bearer realm="hilos-bff", error="insufficient_scope", scope="execution-contacts:full"'
  t.strictSame(refusal, { code: 'forbidden', facts: { reason: 'wider profile' }, challenge })
})

t.test('each of many keys gives its caller, in any order of the entries', async (t) => {
  const many = Array.from({ length: 300 }, createKey)
  const entries = many.map((each, index) => entryOf(each, `caller-${index}`))
  for (const order of [entries, entries.toReversed()]) {
    const callerOf = createCallerKeys(order)
    t.ok(many.every((each, index) => callerOf(each)?.name === `caller-${index}`))
  }
})

t.test('a text that is not a known key gives no caller', async (t) => {
  const wrongEnd = key.endsWith('A') ? 'E' : 'A'
  const guesses = [
    ...[createKey(), `${key.slice(0, -1)}${wrongEnd}`, key.slice(0, -1), `${key}A`, ` ${key}`, key.toUpperCase()],
    ...[keyHash(key), 'hbff_', ''],
  ]
  for (const guess of guesses) t.equal(keys(guess), null)
  t.equal(createCallerKeys([])(key), null)
  for (const word of ['hbff_secret', 'secret', ''])
    t.equal(createCallerKeys([entryOf(word)])(word), null, 'not even if its hash is in the file')
})

t.test('a lookup compares no stored hash, because every table has its own salt', async (t) => {
  const tables = [createCallerKeys([entryOf(key)]), createCallerKeys([entryOf(key)])]
  const lookups = t.capture(Map.prototype, 'get', Map.prototype.get)
  for (const callerOf of tables) callerOf(key)
  lookups.restore()
  const names = lookups().flatMap(({ args: [name] }) => (name === key ? [] : String(name)))
  t.equal(new Set(names).size, tables.length)
  t.notOk(names.includes(keyHash(key)))
})

t.test('a key is remembered when it was verified, and only then', async (t) => {
  const callerOf = createCallerKeys([entryOf(key)])
  const presented = [key, createKey(), key, 'hbff_', createKey(), key]
  const lookups = t.capture(Map.prototype, 'get', Map.prototype.get)
  const additions = t.capture(Map.prototype, 'set', Map.prototype.set)
  const found = presented.map((each) => callerOf(each)?.name)
  lookups.restore()
  additions.restore()
  t.strictSame(found, ['support-web', undefined, 'support-web', undefined, undefined, 'support-web'])
  const added = additions().flatMap(({ args: [name] }) => (typeof name === 'string' ? name : []))
  t.strictSame(added, [key])
  const hashes = lookups().filter(({ args: [name] }) => /^[0-9a-f]{64}$/.test(String(name)))
  t.equal(hashes.length, 3, 'the first request of the key, and those of the unknown ones')
})
