import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createKey } from '../../src/access/keys.ts'
import { networkOf } from '../../src/plugins/caller-limits.ts'
import { createClock } from '../harness/clock.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type ArrangedCaller, type RunningService, startService } from '../harness/service.ts'
import { checkRows, difference } from '../harness/table.ts'

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

t.test('requests that need no credential, or have none, are limited by address', async (t) => {
  const { get, as, clock, service } = await startService(t, { callers, env: { CALLER_MAX_RPS: '1000' } })
  const pages = [
    '/docs',
    '/docs/static/swagger-ui.css',
    '/openapi.json',
    '/problems/forbidden',
    '/',
    '/favicon.ico',
    '/nothing',
    path,
  ]
  for (let count = 0; count < 300; count += 1) {
    const { status } = await get(pages[count % pages.length] ?? '', {}, count % 2 === 0 ? 'GET' : 'HEAD')
    t.not(status, 429)
  }
  for (const each of pages) {
    const late = await get(each)
    t.match(
      [late.status, late.json().code, late.headers.get('connection')],
      [429, 'caller_rate_limited', 'close'],
      each,
    )
    t.equal(late.headers.get('retry-after'), '1')
  }
  t.equal((await get(path, as('a'))).status, 200, 'a caller with a credential is not affected')
  const elsewhere = { url: '/docs', remoteAddress: '203.0.113.7' }
  t.equal((await service.callers.inject(elsewhere)).statusCode, 200, 'another address has its own limit')
  clock.advance(1000)
  t.equal((await get('/docs')).status, 200)
})

t.test('a clock that is set back does not lengthen a window', async (t) => {
  const clock = createClock()
  let setBackMs = 0
  const { get, as } = await startService(t, {
    callers,
    env: { CALLER_MAX_RPS: '1' },
    clock: { ...clock, now: () => clock.now() - setBackMs },
  })
  const ask = async () => {
    const { status, headers } = await get(path, as('a'))
    return [status, headers.get('retry-after')]
  }
  t.equal((await ask())[0], 200)
  setBackMs = 3_600_000
  t.strictSame(await ask(), [429, '1'])
  clock.advance(1000)
  t.equal((await ask())[0], 200)
})

t.test('an address of IPv6 counts by its first half, and an address of IPv4 as a whole', async (t) => {
  const networks = [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', '::ffff:192.0.2.1'],
    ['2001:db8:0:1', '2001:db8:0:1::1'],
    ['2001:db8:0:1', '2001:db8:0:1:ffff:2:3:4'],
    ['2001:db8:0:0', '2001:db8::1'],
    ['2001:db8:0:0', '2001:db8::'],
    ['2001:0:0:0', '2001::1:2:3:4'],
    ['0:0:0:0', '::1'],
    ['0:0:0:0', '::'],
    ['fe80:0:0:0', 'fe80::1%eth0'],
    // The caller has disconnected.
    ['undefined:0:0:0', 'undefined'],
  ] as const
  checkRows(
    t,
    networks,
    ([network, address]) => difference(networkOf(address), network),
    'each address has its network',
  )
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
  for (const authorization of [bearer({ exp: 1 }).authorization, bearer({ aud: 'x' }).authorization])
    t.strictSame(await statuses(301, { authorization }), [401], authorization)
  for (const authorization of ['Basic eDp5', ''])
    t.strictSame(await statuses(150, { authorization }), [401], authorization)
  t.strictSame(await statuses(1, {}), [429], 'these count like requests that need no credential')
  const scopeless = bearer({ scope: 'openid' })
  t.strictSame(await statuses(61, scopeless), [403])
  const forged = { authorization: `${bearer({}).authorization.slice(0, -8)}AAAAAAAA` }
  t.strictSame(await statuses(60, forged), [401])
  t.strictSame(await statuses(1, forged), [429])

  const other = await startWithIssuer(t)
  other.issuer.setMood('down')
  t.strictSame(await other.statuses(61, other.bearer({ scope: 'openid' })), [503])
})
