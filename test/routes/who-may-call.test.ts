import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { uuid } from '../../sandbox/parts.ts'
import { createKey } from '../../src/access/keys.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type ArrangedCaller, type Reply, type RunningService, startService } from '../harness/service.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
const callers: readonly ArrangedCaller[] = [
  { name: 'everything', profile: 'full' },
  { name: 'support-web', profile: 'agent' },
  { name: 'wallboard', profile: 'viewer' },
]
const realm = 'Bearer realm="hilos-bff"'
const invalid = `${realm}, error="invalid_token", error_description="The credential is not valid"`

const keyOf = ({ as }: RunningService) => as('everything').authorization.replace('Bearer ', '')
const everythingIn = ({ text, headers }: Reply) => text + [...headers].join()

async function startWithIssuer(t: Test, withKeys = true) {
  const issuer = await createIssuer(t)
  const running = await startService(t, {
    ...(withKeys && { callers }),
    env: {
      JWT_ISSUER: issuer.issuer,
      JWT_AUDIENCE: issuer.audience,
      JWT_JWKS_URL: issuer.jwksUrl,
      DANGEROUSLY_ALLOW_ANONYMOUS: 'false',
    },
  })
  const exp = running.clock.now() / 1000 + 300
  const bearer = (claims: Record<string, unknown> = {}) => ({
    authorization: `Bearer ${issuer.sign({ exp, ...claims })}`,
  })
  return { ...running, issuer, bearer }
}

t.test('a request without a valid credential is rejected with a challenge before Hilos is asked', async (t) => {
  const running = await startService(t, { callers })
  const { get, sandbox, log } = running
  const key = keyOf(running)
  const stranger = createKey()
  const secrets = new RegExp(`${key.slice(5, 20)}|${stranger.slice(5)}`)
  const cases: readonly (readonly [Record<string, string>, string])[] = [
    [{}, realm],
    [{ cookie: `token=${key}; session=${key}` }, realm],
    [{ 'x-api-key': key }, realm],
    [{ 'proxy-authorization': `Bearer ${key}` }, realm],
    ...['', key, `Basic ${Buffer.from(`x:${key}`).toString('base64')}`, `Token ${key}`].map(
      (authorization) => [{ authorization }, realm] as const,
    ),
    [{ authorization: `Basic eDp5, Bearer ${key}` }, realm],
    ...[
      'Bearer',
      `Bearer ${stranger}`,
      `Bearer ${key}x`,
      `Bearer ${key.slice(0, -1)}`,
      `Bearer ${key.toUpperCase()}`,
      `Bearer ${key}, Bearer ${key}`,
      `Bearer ${key}, Basic eDp5`,
      `Bearer ${key} ${key}`,
      'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.',
      'Bearer null',
      `Bearer ${'x'.repeat(7000)}`,
    ].map((authorization) => [{ authorization }, invalid] as const),
  ]
  const check = async ([headers, challenge]: (typeof cases)[number]) => {
    const reply = await get(path, headers)
    if (secrets.test(everythingIn(reply))) return 'the response holds a part of a key'
    const names = ['www-authenticate', 'cache-control', 'vary', 'etag', 'age', 'cache-status', 'ratelimit']
    const found = names.map((name) => reply.headers.get(name))
    const wanted = [challenge, 'no-store', 'Accept, Accept-Encoding, Authorization', null, null, null, null]
    return difference([reply.status, reply.json().code, ...found], [401, 'unauthenticated', ...wanted])
  }
  await checkRowsInTurn(t, cases, check, 'each request')
  t.equal((await get('/execution-contacts/not-an-id?x=y')).status, 401, 'the request is not validated before')
  t.equal(sandbox.requests.length, 0)
  t.notMatch(log(), new RegExp(`${key.slice(5)}|${stranger.slice(5)}|xxxxxxxx`))
})

t.test('a key in the query is refused, and is in no response and no log', async (t) => {
  const running = await startService(t, { callers })
  const { get, as, sandbox, log } = running
  const key = keyOf(running)
  for (const name of ['access_token', 'key', 'api_key', 'token', 'authorization', 'view']) {
    const alone = await get(`${path}?${name}=${key}`)
    t.equal(alone.status, 401, name)
    t.match(alone.json().detail + alone.headers.get('www-authenticate'), /credential.*Bearer/)
    const both = await get(`${path}?${name}=${key}`, as('everything'))
    t.match([both.status, both.json().code], [400, 'invalid_query'], name)
    t.notMatch(everythingIn(alone) + everythingIn(both), key.slice(5))
  }
  t.equal(sandbox.requests.length, 0)
  t.notMatch(log(), key.slice(5))
})

t.test('two Authorization headers are refused, even if both are valid', async (t) => {
  const { get, as, sandbox } = await startService(t, { callers })
  const good = as('everything').authorization
  for (const second of [good, as('wallboard').authorization, 'Basic eDp5', '']) {
    const reply = await get(path, { authorization: [good, second] })
    t.match([reply.status, reply.json().code], [400, 'malformed_request'])
    t.equal(reply.headers.get('connection'), 'close')
  }
  t.equal(sandbox.requests.length, 0)
})

t.test('a caller sees what their profile allows, and can ask for less but not for more', async (t) => {
  const { get, as, sandbox } = await startService(t, { callers })
  const wider = await get(`${path}?profile=full`, as('support-web'))
  t.equal(wider.status, 403)
  const challenge = `${realm}, error="insufficient_scope", scope="execution-contacts:full"`
  t.equal(wider.headers.get('www-authenticate'), challenge)
  t.equal(wider.headers.get('etag'), null)
  t.equal(sandbox.requests.length, 0, 'Hilos is not asked')

  const full = {
    name: 'María González',
    phone: '+525512344433',
    email: 'maria.gonzalez@correo-ejemplo.mx',
    masked: false,
  }
  const agent = { name: 'María G.', phone: '****4433', email: null, id: null, meta: {}, masked: true }
  const viewer = { name: null, phone: null, email: null, id: null, meta: {}, masked: true }
  const [forbidden, badQuery] = ['403 forbidden', '400 invalid_query']
  for (const [expected, name, ...queries] of [
    [full, 'everything', '', '?profile=full'],
    [agent, 'everything', '?profile=agent'],
    [viewer, 'everything', '?profile=viewer'],
    [agent, 'support-web', '', '?profile=agent'],
    [viewer, 'support-web', '?profile=viewer'],
    [forbidden, 'support-web', '?profile=full'],
    [viewer, 'wallboard', '', '?profile=viewer'],
    [forbidden, 'wallboard', '?profile=agent', '?profile=full'],
    [badQuery, 'everything', '?profile=', '?profile=admin', '?profile=agent&profile=full'],
    [badQuery, 'wallboard', '?profile=Viewer'],
  ] as const) {
    for (const query of queries) {
      const { status, json } = await get(`${path}${query}`, as(name))
      const found = status === 200 ? json().contact : `${status} ${json().code}`
      // The pseudonym is the same for all callers.
      t.match(found, typeof expected === 'string' ? expected : { ...expected, ref: 'ct_be3b45ps' }, name + query)
    }
  }
})

t.test('an access token gives what its scopes and its flows allow', async (t) => {
  const { get, bearer } = await startWithIssuer(t)
  const [own, other] = [uuid(0xf1, 1), uuid(0xf1, 2)]
  const cases = [
    [{}, 'María G.'],
    [{ scope: 'openid execution-contacts:viewer' }, null],
    [{ scope: 'execution-contacts:viewer execution-contacts:full' }, 'María González'],
    [{ scope: undefined, scp: ['execution-contacts:full'] }, 'María González'],
    [{ hilos_flows: [own.toUpperCase()] }, 'María G.'],
    [{ hilos_flows: [other] }, 404],
    [{ hilos_flows: [] }, 404],
    [{ hilos_flows: 7 }, 401],
    [{ scope: 'openid' }, 403],
    [{ scope: undefined }, 403],
    [{ aud: 'https://elsewhere.example' }, 401],
    [{ iss: 'https://elsewhere.example' }, 401],
    [{ sub: undefined }, 401],
    [{ exp: undefined }, 401],
  ] as const
  const check = async ([claims, expected]: (typeof cases)[number]) => {
    const { status, json } = await get(path, bearer(claims))
    return difference(status === 200 ? json().contact.name : status, expected)
  }
  await checkRowsInTurn(t, cases, check, 'each token')
  const { headers } = await get(path, bearer({ scope: 'openid' }))
  const scopes = 'execution-contacts:viewer execution-contacts:agent execution-contacts:full'
  t.equal(headers.get('www-authenticate'), `${realm}, error="insufficient_scope", scope="${scopes}"`)
})

t.test('an expired access token is told that it has expired, even if it was valid a moment ago', async (t) => {
  const { get, bearer, clock } = await startWithIssuer(t)
  const token = bearer()
  t.equal((await get(path, token)).status, 200)
  clock.advance(304_999)
  t.equal((await get(path, token)).status, 200, 'within the tolerance')
  clock.advance(1)
  const late = await get(path, token)
  t.equal(late.status, 401)
  t.match(late.headers.get('www-authenticate'), /error_description="The access token has expired"$/)
})

t.test('keys and tokens can be on together, and without a file of callers no key is valid', async (t) => {
  const both = await startWithIssuer(t)
  t.equal((await both.get(path, both.as('everything'))).status, 200)
  t.equal((await both.get(path, both.bearer())).status, 200)
  const tokensOnly = await startWithIssuer(t, false)
  t.equal((await tokensOnly.get(path, { authorization: `Bearer ${createKey()}` })).status, 401)
  t.equal((await tokensOnly.get(path, tokensOnly.bearer())).status, 200)
})

t.test('while the issuer is down, a token with an unknown key is a 503', async (t) => {
  const { get, bearer, issuer, logLines } = await startWithIssuer(t)
  issuer.setMood('down')
  const reply = await get(path, bearer())
  t.match([reply.status, reply.json().code], [503, 'token_issuer_unavailable'])
  t.match(reply.headers.get('retry-after'), /^[1-9]\d*$/)
  t.equal(reply.headers.get('www-authenticate'), null)
  t.match(
    logLines().filter(({ msg }) => msg === 'token issuer is unavailable'),
    [{ level: 40, err: { code: 'token_issuer_unavailable' } }],
  )
})

t.test('an anonymous caller sees everything if that is allowed, but not with a bad credential', async (t) => {
  const bad = ['Basic eDp5', `Bearer ${createKey()}`, 'rubbish']
  const open = await startService(t)
  t.equal((await open.get(path)).json().contact.masked, false)
  for (const authorization of bad)
    t.equal((await open.get(path, { authorization })).status, 200, 'without anything to check it')
  const checked = await startService(t, { callers, env: { DANGEROUSLY_ALLOW_ANONYMOUS: 'true' } })
  t.equal((await checked.get(path)).json().contact.masked, false)
  t.equal((await checked.get(path, checked.as('wallboard'))).json().contact.masked, true)
  for (const authorization of bad) t.equal((await checked.get(path, { authorization })).status, 401, authorization)
})

t.test('the documentation needs no credential', async (t) => {
  const { get } = await startService(t, { callers })
  for (const page of ['/openapi.json', '/docs', '/problems/forbidden']) t.equal((await get(page)).status, 200, page)
  t.equal((await get(path, {}, 'POST')).status, 405)
  t.equal((await get('/nothing-here')).status, 404)
})

t.test('without rights, HEAD and conditional requests are refused as GET is, without an ETag', async (t) => {
  const { get, as } = await startService(t, { callers })
  const etag = (await get(path, as('everything'))).headers.get('etag') ?? ''
  for (const method of ['GET', 'HEAD'])
    for (const headers of [{ 'if-none-match': etag }, { 'if-none-match': '*' }]) {
      const reply = await get(path, headers, method)
      t.equal(reply.status, 401, method)
      t.equal(reply.headers.get('etag'), null)
      t.equal((await get(`${path}?profile=full`, { ...as('wallboard'), ...headers }, method)).status, 403)
    }
})

t.test('no response holds the Host header', async (t) => {
  const { get, as } = await startService(t, { callers })
  for (const host of ['evil.example', 'evil.example:80', '127.0.0.1', 'localhost:1']) {
    for (const headers of [{ host }, { host, ...as('everything') }, { host, 'x-forwarded-host': 'evil.example' }])
      t.notMatch(everythingIn(await get(path, headers)), /evil\.example/)
  }
})
