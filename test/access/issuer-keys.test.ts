import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { IssuerMood } from '../harness/issuer.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { refused } from './refusal.ts'
import { createTokenRig } from './token-rig.ts'

const unknownKey = refused('signing key unknown')
const unavailable = { code: 'token_issuer_unavailable', challenge: null }
const minute = 60_000

t.test('while the issuer is down, only a token with an unknown key waits, and only the first one', async (t) => {
  const outageFacts: readonly (readonly [IssuerMood, object])[] = [
    ['down', { reason: 'not 200', status: 503 }],
    ['redirecting', { reason: 'not 200', status: 302 }],
    ['hanging', { reason: 'no answer' }],
    ['hangingInTheBody', { reason: 'no answer' }],
    ['breakingOff', { reason: 'no answer' }],
    ['tooLarge', { reason: 'too large', maxBytes: 1024 * 1024 }],
    ['rubbish', { reason: 'not a key set' }],
    ['noKeySet', { reason: 'not a key set' }],
    ['null', { reason: 'not a key set' }],
  ]
  for (const [mood, facts] of outageFacts) {
    const timeoutMs = mood.startsWith('hanging') ? 500 : 60_000
    const { issuer, tokens, refusalOf, signFor, outages, advance } = await createTokenRig(t, { timeoutMs })
    issuer.setMood(mood)
    for (const sub of ['1', '2', '3']) t.strictSame(await refusalOf(signFor(sub)), { ...unavailable, facts }, mood)
    t.equal(issuer.requests(), 1)

    advance(4999)
    t.match(await refusalOf(signFor('4')), unavailable)
    t.equal(issuer.requests(), 1)
    issuer.setMood('well')
    advance(1)
    t.match(await tokens(signFor('5')), { name: '5' })
    t.equal(issuer.requests(), 2)

    issuer.setMood(mood)
    advance(600 * minute)
    for (const sub of ['6', '7']) t.match(await tokens(signFor(sub)), { name: sub })
    t.equal(issuer.requests(), 3)
    issuer.rotate()
    t.strictSame(await refusalOf(signFor('8')), { ...unavailable, facts })
    const reported = outages.map(({ code, facts }) => ({ code, facts }))
    t.strictSame(reported, Array(2).fill({ code: unavailable.code, facts }))
  }
})

t.test('a request to the issuer that fails or has no usable response is an outage', async (t) => {
  let cancelled = false
  const cancel = () => {
    cancelled = true
  }
  const endless = () => new Response(new ReadableStream({ cancel }), { status: 500 })
  const cases = [
    [async () => Promise.reject(new TypeError('secret-canary')), { reason: 'no answer' }],
    [async () => new Response(null), { reason: 'not a key set' }],
    [async () => new Response(null, { status: 204 }), { reason: 'not 200', status: 204 }],
    [async () => endless(), { reason: 'not 200', status: 500 }],
  ] as const
  const check = async ([fetch, facts]: (typeof cases)[number]) => {
    const { issuer, refusalOf } = await createTokenRig(t, { fetch })
    return difference(await refusalOf(issuer.sign()), { ...unavailable, facts })
  }
  await checkRowsInTurn(t, cases, check, 'each response')
  t.ok(cancelled, 'the body of an error is not read')
  const { issuer, refusalOf } = await createTokenRig(t, { onOutage: undefined } as object)
  issuer.setMood('down')
  t.match(await refusalOf(issuer.sign()), unavailable, 'without an observer')
})

t.test('a known key does not wait for the issuer during an outage, and an unknown key does', async (t) => {
  const gate = Promise.withResolvers<Response>()
  const answers: (() => Promise<Response>)[] = []
  const rig = await createTokenRig(t, { fetch: () => answers.shift()?.() ?? gate.promise })
  const { issuer, tokens, refusalOf, signFor, advance } = rig
  const [known, another, last] = [signFor('1'), signFor('2'), signFor('3')]
  const ask = () => fetch(issuer.jwksUrl)
  answers.push(ask, () => Promise.reject(new TypeError('down')))
  await tokens(signFor('first'))
  advance(10 * minute)
  t.match(await tokens(known), { name: '1' })
  advance(5000)
  t.match(await tokens(another), { name: '2' }, 'while the request hangs')

  issuer.rotate()
  const waiting = tokens(signFor('waiting'))
  gate.resolve(await ask())
  t.match(await waiting, { name: 'waiting' })
  t.strictSame(await refusalOf(last), unknownKey, 'the new keys count from the end of the outage')

  const after = signFor('after')
  issuer.rotate()
  answers.push(ask)
  advance(10 * minute)
  t.strictSame(await refusalOf(after), unknownKey, 'old keys are not used without a request any more')
})

t.test('the largest key set is read, and many tokens cause one request', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  issuer.setMood('largest')
  const callers = await Promise.all(['1', '2', '3'].map((sub) => tokens(issuer.sign({ sub }))))
  t.match(callers, [{ profile: 'agent' }, { profile: 'agent' }, { profile: 'agent' }])
  t.equal(issuer.requests(), 1)
})

t.test('a made-up key keeps a new one out for two seconds at most', async (t) => {
  const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
  const old = signFor('old')
  const madeUp = () => issuer.sign({}, { header: { kid: randomUUID() } })
  await tokens(issuer.sign())
  advance(1999)
  t.strictSame(await refusalOf(madeUp()), unknownKey)
  t.equal(issuer.requests(), 1, 'the issuer was asked a moment ago')
  advance(1)
  t.strictSame(await refusalOf(madeUp()), unknownKey)
  t.equal(issuer.requests(), 2)

  issuer.rotate()
  const token = issuer.sign()
  t.strictSame(await refusalOf(token), unknownKey)
  advance(1999)
  t.strictSame(
    await refusalOf(token),
    unknownKey,
    'it is not remembered as unknown, because the issuer was not asked for it',
  )
  t.equal(issuer.requests(), 2)
  advance(1)
  t.match(await tokens(token), { profile: 'agent' })
  t.equal(issuer.requests(), 3)
  t.strictSame(await refusalOf(old), unknownKey, 'a token of the old key is refused')
  t.equal(issuer.requests(), 3)
})

t.test('ever new made-up keys cause one request in two seconds', async (t) => {
  const { issuer, refusalOf, advance } = await createTokenRig(t)
  for (let second = 0; second < 60; second += 1) {
    const madeUp = () => issuer.sign({}, { header: { kid: randomUUID() } })
    await Promise.all([madeUp(), madeUp(), madeUp()].map(refusalOf))
    await refusalOf(madeUp())
    advance(1000)
  }
  t.equal(issuer.requests(), 30)
})

t.test('an unknown key is remembered for ten seconds, unless it is published earlier', async (t) => {
  const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
  await tokens(signFor('first'))
  advance(2000)
  issuer.rotate()
  const early = signFor('early')
  issuer.publish(() => [])
  t.strictSame(await refusalOf(early), unknownKey)
  t.equal(issuer.requests(), 2)
  issuer.publish((keys) => keys)
  advance(9999)
  t.strictSame(await refusalOf(early), unknownKey)
  t.equal(issuer.requests(), 2)
  advance(1)
  t.match(await tokens(early), { name: 'early' })
  t.equal(issuer.requests(), 3)

  issuer.rotate()
  const next = signFor('next')
  issuer.publish(() => [])
  advance(2000)
  t.strictSame(await refusalOf(next), unknownKey)
  issuer.publish((keys) => keys)
  advance(2000)
  t.strictSame(await refusalOf(issuer.sign({}, { header: { kid: 'made up' } })), unknownKey)
  t.match(await tokens(next), { name: 'next' }, 'a request because of another key brought it')
})

t.test('a key that the issuer does not publish at a regular request is remembered, too', async (t) => {
  const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
  await tokens(signFor('first'))
  const old = signFor('old')
  issuer.rotate()
  advance(10 * minute)
  t.strictSame(await refusalOf(old), unknownKey)
  advance(9999)
  t.strictSame(await refusalOf(old), unknownKey)
  t.equal(issuer.requests(), 2)
  advance(1)
  t.strictSame(await refusalOf(old), unknownKey)
  t.equal(issuer.requests(), 3)
})

t.test(
  'while the issuer is away, an unknown key is a 503 with Retry-After, even if it was unknown before',
  async (t) => {
    const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
    await tokens(signFor('first'))
    const madeUp = issuer.sign({}, { header: { kid: 'made up' } })
    advance(2000)
    t.strictSame(await refusalOf(madeUp), unknownKey)
    issuer.setMood('down')
    advance(2000)
    const other = issuer.sign({}, { header: { kid: 'another' } })
    for (const token of [other, other, madeUp]) {
      t.match(await refusalOf(token), unavailable)
      const failure: unknown = await Promise.resolve(tokens(token)).catch((error) => error)
      t.match(failure, { retryAfterSeconds: 5 })
    }
    t.equal(issuer.requests(), 3)
    t.match(await tokens(signFor('known')), { name: 'known' })
  },
)

t.test('a key that is replaced under its name is fetched once after a bad signature', async (t) => {
  const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
  const old = await createTokenRig(t)
  const badSignature = refused('signature')
  const kidOf = (token: string) => JSON.parse(Buffer.from(String(token.split('.')[0]), 'base64url').toString()).kid
  const kid = kidOf(signFor('first'))
  const rename = () => issuer.publish((keys) => keys.map((key) => (key.alg === 'RS256' ? { ...key, kid } : key)))
  const sign = (sub: string) => issuer.sign({ sub, exp: Date.now() / 1000 + 86_400 }, { header: { kid } })
  await tokens(signFor('first'))
  issuer.rotate()
  rename()
  t.strictSame(await refusalOf(sign('early')), badSignature)
  advance(2000)
  t.match(await Promise.all([tokens(sign('1')), tokens(sign('2'))]), [{ name: '1' }, { name: '2' }])
  t.equal(issuer.requests(), 2)

  const forge = () => old.issuer.sign({ iss: issuer.issuer }, { header: { kid } })
  for (let second = 0; second < 10; second += 1) {
    t.strictSame(await refusalOf(forge()), badSignature)
    t.strictSame(await refusalOf(forge()), badSignature)
    advance(1000)
  }
  t.equal(issuer.requests(), 6, 'a forger causes one request in two seconds')
  issuer.setMood('down')
  advance(2000)
  t.strictSame(await refusalOf(forge()), badSignature, 'during an outage as well')
  t.match(await tokens(sign('3')), { name: '3' })
})

t.test('keys are asked for again after ten minutes, so that a withdrawn key does not stay valid', async (t) => {
  const { issuer, tokens, refusalOf, signFor, advance } = await createTokenRig(t)
  const [early, late] = [signFor('early'), signFor('late')]
  await tokens(issuer.sign())
  issuer.rotate()
  advance(10 * minute - 1)
  t.match(await tokens(early), { name: 'early' })
  t.equal(issuer.requests(), 1)
  advance(1)
  t.strictSame(await refusalOf(late), unknownKey)
  t.equal(issuer.requests(), 2)
})

t.test('a key that is not for verifying signatures is not used', async (t) => {
  const octets = Buffer.alloc(32, 'x').toString('base64url')
  const cases = [
    [{ kty: 'oct', k: octets }, 'signing key unknown'],
    [{ d: octets, p: octets, q: octets, dp: octets, dq: octets, qi: octets }, 'signing key unusable'],
    [{ n: Buffer.alloc(128, 0xff).toString('base64url') }, 'signing key unusable'],
    [{ n: 7 }, 'signing key unusable'],
    [{ use: 'enc' }, 'signing key unknown'],
    [{ alg: 'RS384' }, 'signing key unknown'],
  ] as const
  const check = async ([change, reason]: (typeof cases)[number]) => {
    const { issuer, refusalOf } = await createTokenRig(t)
    issuer.publish((keys) => keys.map((key) => ({ ...key, ...change })))
    return difference(await refusalOf(issuer.sign()), refused(reason))
  }
  await checkRowsInTurn(t, cases, check, 'each key')
})

t.test('a token that names no key is valid if one key fits, and refused if several do', async (t) => {
  const { issuer, tokens, refusalOf, advance } = await createTokenRig(t)
  const sign = () => issuer.sign({}, { header: { kid: undefined } })
  const ambiguous = refused('signing key ambiguous')
  t.match(await tokens(sign()), { profile: 'agent' })
  issuer.publish((keys) => [...keys, ...keys])
  advance(10 * minute)
  t.strictSame(await refusalOf(sign()), ambiguous)
  issuer.setMood('down')
  advance(10 * minute)
  t.strictSame(await refusalOf(sign()), ambiguous, 'during an outage as well')
})
