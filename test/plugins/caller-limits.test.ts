import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createKey } from '../../src/access/keys.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type ArrangedCaller, startService } from '../harness/service.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
const callers: readonly ArrangedCaller[] = [
  { name: 'a', profile: 'full' },
  { name: 'b', profile: 'full' },
]

t.test('each caller, as long as there are requests left, is told how many, and then to wait', async (t) => {
  const { get, as } = await startService(t, { callers, env: { CALLER_MAX_RPS: '3' } })
  const replies = [
    await get(path, as('a')),
    await get(path, as('a')),
    await get(path, as('a')),
    await get(path, as('a')),
  ]
  t.strictSame(
    replies.map(({ status }) => status),
    [200, 200, 200, 429],
  )
  for (const [index, { headers }] of replies.entries()) {
    t.equal(headers.get('ratelimit-policy'), '"caller";q=3;w=1')
    t.equal(headers.get('ratelimit'), `"caller";r=${Math.max(0, 2 - index)};t=1`)
  }
  const refused = replies[3]
  t.match(refused?.json(), { code: 'caller_rate_limited', retryable: true, retryAfterSeconds: 1 })
  t.equal(refused?.headers.get('retry-after'), '1')
  t.equal(refused?.headers.get('etag'), null)
  t.equal((await get(path, as('b'))).status, 200, 'another caller at the same address has their own')
})

t.test('callers nobody knows, are counted by their address', async (t) => {
  const { get } = await startService(t, { env: { CALLER_MAX_RPS: '1' } })
  t.equal((await get(path)).status, 200)
  t.equal((await get(path, { 'x-forwarded-for': '203.0.113.7' })).status, 429, 'which nobody can make up')
})

t.test('callers nobody knows, at different addresses, are counted apart; half an IPv6 address is one', async (t) => {
  const { service } = await startService(t, { env: { CALLER_MAX_RPS: '1' } })
  const ask = async (remoteAddress: string) => (await service.callers.inject({ url: path, remoteAddress })).statusCode
  for (const [address, status] of [
    ['203.0.113.7', 200],
    ['203.0.113.8', 200],
    ['203.0.113.7', 429],
    ['2001:db8:0:1::1', 200],
    ['2001:db8:0:1:ffff::2', 429],
    ['2001:db8:0:2::1', 200],
  ] as const)
    t.equal(await ask(address), status, address)
})

t.test('a key and a token, when they bear the same name, are counted apart', async (t) => {
  const { get, as, bearer } = await startWithIssuer(t, { CALLER_MAX_RPS: '1' })
  t.equal((await get(path, as('a'))).status, 200)
  t.equal((await get(path, bearer({ sub: 'a' }))).status, 200)
  t.equal((await get(path, as('a'))).status, 429)
  t.equal((await get(path, bearer({ sub: 'a' }))).status, 429)
})

t.test('what is no contact, is not counted', async (t) => {
  const { get } = await startService(t, { env: { CALLER_MAX_RPS: '1' } })
  for (let count = 0; count < 3; count += 1) {
    const { status, headers } = await get('/problems/forbidden')
    t.equal(status, 200)
    t.notMatch([...headers.keys()].join(), /ratelimit/)
  }
})

t.test('a limit of 0, is none, and says nothing', async (t) => {
  const { get, as } = await startService(t, { callers, env: { CALLER_MAX_RPS: '0' } })
  for (let count = 0; count < 100; count += 1) t.equal((await get(path, as('a'))).status, 200)
  t.equal((await get(path, as('a'))).headers.get('ratelimit'), null)
})

t.test('requests, whatever their answer, are counted once they are somebody’s', async (t) => {
  const { get, as } = await startService(t, { callers, env: { CALLER_MAX_RPS: '3' } })
  t.equal((await get('/execution-contacts/x', as('a'))).status, 400)
  t.equal((await get(path, { ...as('a'), accept: 'text/html' })).status, 406)
  t.equal((await get(path, as('a'), 'HEAD')).status, 200)
  t.equal((await get(path, as('a'))).status, 429)
})

t.test('bad credentials, from one address, run out; good ones from there never do', async (t) => {
  const { get, as, sandbox, logLines, service } = await startService(t, { callers, env: { CALLER_MAX_RPS: '1000' } })
  const guess = () => get(path, { authorization: `Bearer ${createKey()}` })
  for (let count = 0; count < 60; count += 1) t.equal((await guess()).status, 401)
  const late = await guess()
  t.match([late.status, late.json().code], [429, 'caller_rate_limited'])
  t.match(late.headers.get('retry-after'), /^(60|5\d)$/)
  t.equal(late.headers.get('connection'), 'close')
  t.equal(late.headers.get('www-authenticate'), null)
  t.equal((await get(path)).status, 401, 'to send nothing is no guess')
  for (const name of ['a', 'b']) t.equal((await get(path, as(name))).status, 200, name)
  t.equal(sandbox.requests.length, 1)
  t.match(
    logLines().filter(({ status }) => status === 429),
    [{ err: { reason: 'too many guesses' } }],
  )
  const elsewhere = { url: path, remoteAddress: '203.0.113.7', headers: { authorization: `Bearer ${createKey()}` } }
  t.equal((await service.callers.inject(elsewhere)).statusCode, 401, 'another address has its own')
})

t.test('what is no guess, such as another scheme or a token that has expired, does not run out', async (t) => {
  const { get, bearer } = await startWithIssuer(t)
  const harmless = ['Basic eDp5', '', bearer({ exp: 1 }).authorization, bearer({ aud: 'elsewhere' }).authorization]
  for (const authorization of harmless)
    for (let count = 0; count < 70; count += 1) t.equal((await get(path, { authorization })).status, 401, authorization)
  const forged = `${bearer({}).authorization.slice(0, -8)}AAAAAAAA`
  for (let count = 0; count < 60; count += 1) t.equal((await get(path, { authorization: forged })).status, 401)
  t.equal((await get(path, { authorization: forged })).status, 429)
})

t.test('a credential, when it is refused though it may be good, is not counted as a bad one', async (t) => {
  const { get, bearer, issuer } = await startWithIssuer(t)
  const scopeless = bearer({ scope: 'openid' })
  issuer.setMood('down')
  for (let count = 0; count < 61; count += 1) t.equal((await get(path, scopeless)).status, 503)
  const other = await startWithIssuer(t)
  const token = other.bearer({ scope: 'openid' })
  for (let count = 0; count < 61; count += 1) t.equal((await other.get(path, token)).status, 403)
})

/** The callers, and an issuer whose tokens are taken, too. */
async function startWithIssuer(t: Test, env: Record<string, string> = {}) {
  const issuer = await createIssuer(t)
  const { issuer: JWT_ISSUER, audience: JWT_AUDIENCE, jwksUrl: JWT_JWKS_URL } = issuer
  const running = await startService(t, { callers, env: { JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL, ...env } })
  const exp = running.clock.now() / 1000 + 300
  const bearer = (claims: Record<string, unknown>) => ({
    authorization: `Bearer ${issuer.sign({ exp, ...claims })}`,
  })
  return { ...running, issuer, bearer }
}
