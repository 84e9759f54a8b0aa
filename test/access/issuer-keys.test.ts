import t from 'tap'
import type { IssuerMood } from '../harness/issuer.ts'
import { challenges, refusal } from './refusal.ts'
import { createTokenRig } from './token-rig.ts'

const unknownKey = { code: 'unauthenticated', facts: { reason: 'signing key unknown' }, challenge: challenges.invalid }
const unavailable = { code: 'token_issuer_unavailable', challenge: null }
const minute = 60_000

const outageReasons = {
  down: { reason: 'not 200', status: 503 },
  redirecting: { reason: 'not 200', status: 302 },
  hanging: { reason: 'no answer' },
  hangingInTheBody: { reason: 'no answer' },
  breakingOff: { reason: 'no answer' },
  tooLarge: { reason: 'too large', maxBytes: 1024 * 1024 },
  rubbish: { reason: 'not a key set' },
  noKeySet: { reason: 'not a key set' },
  null: { reason: 'not a key set' },
} satisfies Partial<Record<IssuerMood, object>>

t.test(
  'the issuer, when it cannot be asked, makes a first token wait once, and a known key go on working',
  async (t) => {
    for (const [mood, facts] of Object.entries(outageReasons) as [keyof typeof outageReasons, object][]) {
      const { issuer, tokens, outages, advance } = await createTokenRig(t, { timeoutMs: 100 })
      const sign = (sub: string) => issuer.sign({ sub, exp: Date.now() / 1000 + 86_400 })
      issuer.setMood(mood)
      for (const sub of ['1', '2', '3'])
        t.strictSame(await refusal(t, sign(sub), () => tokens(sign(sub))), { ...unavailable, facts }, mood)
      t.equal(issuer.requests(), 1)

      advance(4999)
      t.match(await refusal(t, sign('4'), () => tokens(sign('4'))), unavailable)
      t.equal(issuer.requests(), 1)
      issuer.setMood('well')
      advance(1)
      t.match(await tokens(sign('5')), { name: '5' })
      t.equal(issuer.requests(), 2)

      issuer.setMood(mood)
      advance(600 * minute)
      for (const sub of ['6', '7']) t.match(await tokens(sign(sub)), { name: sub })
      t.equal(issuer.requests(), 3)
      issuer.rotate()
      t.strictSame(await refusal(t, sign('8'), () => tokens(sign('8'))), { ...unavailable, facts })
      t.strictSame(
        outages.map(({ code, facts }) => ({ code, facts })),
        Array(2).fill({ code: unavailable.code, facts }),
      )
    }
  },
)

t.test('the issuer, when nothing listens at its address, or it answers without a body, cannot be asked', async (t) => {
  for (const [answer, facts] of [
    [async () => Promise.reject(new TypeError('secret-canary')), { reason: 'no answer' }],
    [async () => new Response(null), { reason: 'not a key set' }],
    [async () => new Response(null, { status: 204 }), { reason: 'not 200', status: 204 }],
  ] as const) {
    const { issuer, tokens } = await createTokenRig(t, { fetch: answer })
    const token = issuer.sign()
    t.strictSame(await refusal(t, token, () => tokens(token)), { ...unavailable, facts })
  }
})

t.test(
  'the issuer, while it is away, is asked behind: only a token with a key that is not known waits for it',
  async (t) => {
    const gate = Promise.withResolvers<Response>()
    const answers: (() => Promise<Response>)[] = []
    const { issuer, tokens, advance } = await createTokenRig(t, { fetch: () => answers.shift()?.() ?? gate.promise })
    const sign = (sub: string) => issuer.sign({ sub, exp: Date.now() / 1000 + 86_400 })
    const [known, another, last] = ['1', '2', '3'].map(sign) as [string, string, string]
    answers.push(
      () => fetch(issuer.jwksUrl),
      () => Promise.reject(new TypeError('away')),
    )
    await tokens(sign('first'))
    advance(10 * minute)
    t.match(await tokens(known), { name: '1' })
    advance(5000)
    t.match(await tokens(another), { name: '2' }, 'while the question hangs')

    issuer.rotate()
    const waiting = tokens(sign('waiting'))
    gate.resolve(await fetch(issuer.jwksUrl))
    t.match(await waiting, { name: 'waiting' })
    t.strictSame(await refusal(t, last, () => tokens(last)), unknownKey, 'and what it says then counts')

    const after = sign('after')
    issuer.rotate()
    answers.push(() => fetch(issuer.jwksUrl))
    advance(10 * minute)
    t.strictSame(await refusal(t, after, () => tokens(after)), unknownKey, 'and later on old keys are not used unasked')
  },
)

t.test('the issuer, when nobody is told of outages, cannot be asked all the same', async (t) => {
  const { issuer, tokens } = await createTokenRig(t, { onOutage: undefined } as object)
  issuer.setMood('down')
  t.match(await refusal(t, '', () => tokens(issuer.sign())), unavailable)
})

t.test('the issuer, when it answers with an error, is not listened to', async (t) => {
  let cancelled = false
  const body = new ReadableStream({
    cancel: () => {
      cancelled = true
    },
  })
  const { issuer, tokens } = await createTokenRig(t, { fetch: async () => new Response(body, { status: 500 }) })
  t.match(await refusal(t, '', () => tokens(issuer.sign())), { ...unavailable, facts: { status: 500 } })
  t.ok(cancelled)
})

t.test('the issuer, when its keys are as large as is taken, is read', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  issuer.setMood('largest')
  t.match(await tokens(issuer.sign()), { profile: 'agent' })
})

t.test('the issuer, when many tokens come at once, is asked once', async (t) => {
  const { issuer, tokens } = await createTokenRig(t)
  await Promise.all(['1', '2', '3'].map((sub) => tokens(issuer.sign({ sub }))))
  t.equal(issuer.requests(), 1)
})

t.test('a new key, when a token names it, is asked for once in thirty seconds', async (t) => {
  const { issuer, tokens, advance } = await createTokenRig(t)
  const old = issuer.sign({ sub: 'old', exp: Date.now() / 1000 + 86_400 })
  await tokens(issuer.sign())
  issuer.rotate()
  advance(29_999)
  const token = issuer.sign()
  t.strictSame(await refusal(t, token, () => tokens(token)), unknownKey)
  t.equal(issuer.requests(), 1)
  advance(1)
  t.match(await tokens(token), { profile: 'agent' })
  t.equal(issuer.requests(), 2)
  t.strictSame(await refusal(t, old, () => tokens(old)), unknownKey, 'and what is signed with the old one is refused')
  t.equal(issuer.requests(), 2)
})

t.test('an unknown key, when the issuer was asked long ago and cannot be now, is not said to be unknown', async (t) => {
  const { issuer, tokens, advance } = await createTokenRig(t)
  await tokens(issuer.sign())
  issuer.rotate()
  issuer.setMood('down')
  t.match(await refusal(t, '', () => tokens(issuer.sign())), unknownKey)
  advance(30_000)
  t.match(await refusal(t, '', () => tokens(issuer.sign())), unavailable)
})

t.test('the keys, when old, are asked for again: one taken back does not stay good', async (t) => {
  const { issuer, tokens, advance } = await createTokenRig(t)
  const signed = ['1', '2'].map((sub) => issuer.sign({ sub, exp: Date.now() / 1000 + 86_400 })) as [string, string]
  await tokens(issuer.sign())
  issuer.rotate()
  advance(10 * minute - 1)
  t.match(await tokens(signed[0]), { name: '1' })
  t.equal(issuer.requests(), 1)
  advance(1)
  t.strictSame(await refusal(t, signed[1], () => tokens(signed[1])), unknownKey)
  t.equal(issuer.requests(), 2)
})

t.test('keys that are not for checking signatures of others are not used', async (t) => {
  const octets = Buffer.alloc(32, 'x').toString('base64url')
  for (const [change, reason] of [
    [{ kty: 'oct', k: octets }, 'signing key unknown'],
    [{ d: octets, p: octets, q: octets, dp: octets, dq: octets, qi: octets }, 'signing key unusable'],
    [{ n: Buffer.alloc(128, 0xff).toString('base64url') }, 'signing key unusable'],
    [{ n: 7 }, 'signing key unusable'],
    [{ use: 'enc' }, 'signing key unknown'],
    [{ alg: 'RS384' }, 'signing key unknown'],
  ] as const) {
    const { issuer, tokens } = await createTokenRig(t)
    issuer.publish((keys) => keys.map((key) => ({ ...key, ...change })))
    const token = issuer.sign()
    t.strictSame(
      await refusal(t, token, () => tokens(token)),
      { ...unknownKey, facts: { reason } },
      JSON.stringify(change),
    )
  }
})

t.test('a token that names no key is good when one key fits, and refused when several do', async (t) => {
  const { issuer, tokens, advance } = await createTokenRig(t)
  const sign = () => issuer.sign({}, { header: { kid: undefined } })
  t.match(await tokens(sign()), { profile: 'agent' })
  issuer.publish((keys) => [...keys, ...keys])
  advance(10 * minute)
  t.strictSame(await refusal(t, sign(), () => tokens(sign())), {
    ...unknownKey,
    facts: { reason: 'signing key ambiguous' },
  })
  issuer.setMood('down')
  advance(10 * minute)
  t.match(
    await refusal(t, sign(), () => tokens(sign())),
    { facts: { reason: 'signing key ambiguous' } },
    'in an outage, too',
  )
})
