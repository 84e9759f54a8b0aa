import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createKey } from '../../src/access/keys.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type ArrangedCaller, type RunningService, startService } from '../harness/service.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
const callers: readonly ArrangedCaller[] = [
  { name: 'a', profile: 'full' },
  { name: 'b', profile: 'full' },
]

/** Returns the statuses of so many requests with a credential, without repetitions. */
const statusesOf =
  ({ get }: Pick<RunningService, 'get'>) =>
  async (count: number, headers: Record<string, string>) => {
    const statuses = new Set<number>()
    for (let index = 0; index < count; index += 1) statuses.add((await get(path, headers)).status)
    return [...statuses]
  }

/** The callers, and an issuer of access tokens. */
async function startWithIssuer(t: Test, env: Record<string, string> = {}) {
  const issuer = await createIssuer(t)
  const { issuer: JWT_ISSUER, audience: JWT_AUDIENCE, jwksUrl: JWT_JWKS_URL } = issuer
  const running = await startService(t, { callers, env: { JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL, ...env } })
  const exp = running.clock.now() / 1000 + 300
  const bearer = (claims: Record<string, unknown>) => ({ authorization: `Bearer ${issuer.sign({ exp, ...claims })}` })
  return { ...running, issuer, bearer, statuses: statusesOf(running) }
}

t.test('each caller has a number of requests per second, and is told how many are left', async (t) => {
  const { get, as } = await startService(t, { callers, env: { CALLER_MAX_RPS: '3' } })
  for (const [status, left] of [
    [200, 2],
    [200, 1],
    [200, 0],
    [429, 0],
  ] as const) {
    const reply = await get(path, as('a'))
    t.equal(reply.status, status)
    t.equal(reply.headers.get('ratelimit-policy'), '"caller";q=3;w=1')
    t.equal(reply.headers.get('ratelimit'), `"caller";r=${left};t=1`)
    if (status === 200) continue
    t.match(reply.json(), { code: 'caller_rate_limited', retryable: true, retryAfterSeconds: 1 })
    t.equal(reply.headers.get('retry-after'), '1')
    t.equal(reply.headers.get('etag'), null)
  }
  t.equal((await get(path, as('b'))).status, 200, 'another caller at the same address has its own')
})

t.test('every request for a contact is counted, whatever its status, and no other request', async (t) => {
  const { get, as } = await startService(t, { callers, env: { CALLER_MAX_RPS: '3' } })
  const page = await get('/problems/forbidden', as('a'))
  t.equal(page.status, 200)
  t.notMatch([...page.headers.keys()].join(), /ratelimit/)
  t.equal((await get('/execution-contacts/x', as('a'))).status, 400)
  t.equal((await get(path, { ...as('a'), accept: 'text/html' })).status, 406)
  t.equal((await get(path, as('a'), 'HEAD')).status, 200)
  t.equal((await get(path, as('a'))).status, 429)
})

t.test('anonymous callers are counted by address, where half an IPv6 address is one', async (t) => {
  const { service } = await startService(t, { env: { CALLER_MAX_RPS: '1' } })
  // The header could be forged.
  const headers = { 'x-forwarded-for': '198.51.100.1' }
  for (const [remoteAddress, status] of [
    ['203.0.113.7', 200],
    ['203.0.113.8', 200],
    ['203.0.113.7', 429],
    ['2001:db8:0:1::1', 200],
    ['2001:db8:0:1:ffff::2', 429],
    ['2001:db8:0:2::1', 200],
  ] as const) {
    const { statusCode } = await service.callers.inject({ url: path, remoteAddress, headers })
    t.equal(statusCode, status, remoteAddress)
  }
})

t.test('a key and a token of the same name are counted separately', async (t) => {
  const { as, bearer, statuses } = await startWithIssuer(t, { CALLER_MAX_RPS: '1' })
  t.strictSame(await statuses(1, as('a')), [200])
  t.strictSame(await statuses(1, bearer({ sub: 'a' })), [200])
  t.strictSame(await statuses(1, as('a')), [429])
  t.strictSame(await statuses(1, bearer({ sub: 'a' })), [429])
})

t.test('a limit of 0 is no limit, and the responses do not mention one', async (t) => {
  const { as, get } = await startService(t, { callers, env: { CALLER_MAX_RPS: '0' } })
  t.strictSame(await statusesOf({ get })(100, as('a')), [200])
  t.equal((await get(path, as('a'))).headers.get('ratelimit'), null)
})

t.test('guesses from one address are limited, and valid credentials from there are not', async (t) => {
  const { get, as, sandbox, logLines, service } = await startService(t, { callers, env: { CALLER_MAX_RPS: '1000' } })
  const guess = () => ({ authorization: `Bearer ${createKey()}` })
  for (let count = 0; count < 60; count += 1) t.equal((await get(path, guess())).status, 401)
  const late = await get(path, guess())
  t.match([late.status, late.json().code], [429, 'caller_rate_limited'])
  t.match(late.headers.get('retry-after'), /^(60|5\d)$/)
  t.equal(late.headers.get('connection'), 'close')
  t.equal(late.headers.get('www-authenticate'), null)
  t.equal((await get(path)).status, 401, 'a request without a credential is no guess')
  for (const name of ['a', 'b']) t.equal((await get(path, as(name))).status, 200, name)
  t.equal(sandbox.requests.length, 1)
  t.match(
    logLines().findLast(({ status }) => status === 429),
    { err: { reason: 'too many guesses' } },
  )
  const elsewhere = { url: path, remoteAddress: '203.0.113.7', headers: guess() }
  t.equal((await service.callers.inject(elsewhere)).statusCode, 401, 'another address has its own limit')
})

t.test('only a credential that belongs to no caller is a guess', async (t) => {
  const { bearer, statuses } = await startWithIssuer(t)
  for (const authorization of ['Basic eDp5', '', bearer({ exp: 1 }).authorization, bearer({ aud: 'x' }).authorization])
    t.strictSame(await statuses(70, { authorization }), [401], authorization)
  const scopeless = bearer({ scope: 'openid' })
  t.strictSame(await statuses(61, scopeless), [403])
  const forged = { authorization: `${bearer({}).authorization.slice(0, -8)}AAAAAAAA` }
  t.strictSame(await statuses(60, forged), [401])
  t.strictSame(await statuses(1, forged), [429])

  const other = await startWithIssuer(t)
  other.issuer.setMood('down')
  t.strictSame(await other.statuses(61, other.bearer({ scope: 'openid' })), [503])
})
