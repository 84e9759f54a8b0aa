import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { uuid } from '../../sandbox/parts.ts'
import { createKey } from '../../src/access/keys.ts'
import { createIssuer } from '../harness/issuer.ts'
import { type ArrangedCaller, startService } from '../harness/service.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
const callers: readonly ArrangedCaller[] = [
  { name: 'everything', profile: 'full' },
  { name: 'support-web', profile: 'agent' },
  { name: 'wallboard', profile: 'viewer' },
]
const scopes = 'execution-contacts:viewer execution-contacts:agent execution-contacts:full'
const realm = 'Bearer realm="hilos-bff"'
const invalid = `${realm}, error="invalid_token", error_description="The credential is not valid"`

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

t.test(
  'a credential, when there is none or a bad one, is refused with a challenge, before anything is asked',
  async (t) => {
    const { get, as, sandbox, log } = await startService(t, { callers })
    const key = as('everything').authorization.replace('Bearer ', '')
    const stranger = createKey()
    const table: readonly (readonly [Record<string, string>, string])[] = [
      [{}, realm],
      [{ cookie: `token=${key}; session=${key}` }, realm],
      [{ 'x-api-key': key }, realm],
      [{ 'proxy-authorization': `Bearer ${key}` }, realm],
      [{ authorization: '' }, realm],
      [{ authorization: key }, realm],
      [{ authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}` }, realm],
      [{ authorization: `Token ${key}` }, realm],
      [{ authorization: 'Bearer' }, invalid],
      [{ authorization: `Bearer ${stranger}` }, invalid],
      [{ authorization: `Bearer ${key}x` }, invalid],
      [{ authorization: `Bearer ${key.slice(0, -1)}` }, invalid],
      [{ authorization: `Bearer ${key.toUpperCase()}` }, invalid],
      [{ authorization: `Bearer ${key}, Bearer ${key}` }, invalid],
      [{ authorization: `Bearer ${key}, Basic eDp5` }, invalid],
      [{ authorization: `Basic eDp5, Bearer ${key}` }, realm],
      [{ authorization: `Bearer ${key} ${key}` }, invalid],
      [{ authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' }, invalid],
      [{ authorization: 'Bearer null' }, invalid],
      [{ authorization: `Bearer ${'x'.repeat(7000)}` }, invalid],
    ]
    for (const [headers, challenge] of table) {
      const name = JSON.stringify(headers).slice(0, 60)
      const reply = await get(path, headers)
      t.equal(reply.status, 401, name)
      t.equal(reply.json().code, 'unauthenticated')
      t.equal(reply.headers.get('www-authenticate'), challenge, name)
      t.equal(reply.headers.get('cache-control'), 'no-store')
      t.equal(reply.headers.get('vary'), 'Accept, Accept-Encoding, Authorization', name)
      for (const header of ['etag', 'age', 'cache-status', 'ratelimit'])
        t.equal(reply.headers.get(header), null, header)
      t.notMatch(`${reply.text}${[...reply.headers].join()}`, new RegExp(`${key.slice(5, 20)}|${stranger.slice(5)}`))
    }
    t.equal((await get('/execution-contacts/not-an-id?x=y')).status, 401, 'nor is anything looked at')
    t.equal(sandbox.requests.length, 0)
    t.notMatch(log(), new RegExp(`${key.slice(5)}|${stranger.slice(5)}|xxxxxxxx`))
  },
)

t.test('a key in the query, is refused whoever sends it, and stands nowhere', async (t) => {
  const { get, as, sandbox, log } = await startService(t, { callers })
  const key = as('everything').authorization.replace('Bearer ', '')
  for (const name of ['access_token', 'key', 'api_key', 'token', 'authorization', 'view']) {
    const alone = await get(`${path}?${name}=${key}`)
    t.equal(alone.status, 401, name)
    t.match(alone.json().detail + alone.headers.get('www-authenticate'), /credential.*Bearer/)
    const both = await get(`${path}?${name}=${key}`, as('everything'))
    t.match([both.status, both.json().code], [400, 'invalid_query'], name)
    t.notMatch(alone.text + both.text + [...alone.headers].join() + [...both.headers].join(), key.slice(5))
  }
  t.equal(sandbox.requests.length, 0)
  t.notMatch(log(), key.slice(5))
})

t.test('two Authorization headers, whatever is in them, are one too many', async (t) => {
  const { get, as, sandbox } = await startService(t, { callers })
  const good = as('everything').authorization
  for (const second of [good, as('wallboard').authorization, 'Basic eDp5', '']) {
    const reply = await get(path, { authorization: [good, second] })
    t.match([reply.status, reply.json().code], [400, 'malformed_request'])
    t.equal(reply.headers.get('connection'), 'close')
  }
  t.equal(sandbox.requests.length, 0)
})

t.test('each caller, by key, sees what their profile has, and may see less but not more', async (t) => {
  const { get, as } = await startService(t, { callers })
  const contactFor = async (name: string, query = '') => {
    const reply = await get(`${path}${query}`, as(name))
    return reply.status === 200 ? reply.json().contact : `${reply.status} ${reply.json().code}`
  }
  const full = {
    name: 'María González',
    phone: '+525512344433',
    email: 'maria.gonzalez@correo-ejemplo.mx',
    masked: false,
  }
  const agent = { name: 'María G.', phone: '****4433', email: null, id: null, meta: {}, masked: true }
  const viewer = { name: null, phone: null, email: null, id: null, meta: {}, masked: true }
  const table = [
    ['everything', '', full],
    ['everything', '?profile=full', full],
    ['everything', '?profile=agent', agent],
    ['everything', '?profile=viewer', viewer],
    ['support-web', '', agent],
    ['support-web', '?profile=agent', agent],
    ['support-web', '?profile=viewer', viewer],
    ['support-web', '?profile=full', '403 forbidden'],
    ['wallboard', '', viewer],
    ['wallboard', '?profile=viewer', viewer],
    ['wallboard', '?profile=agent', '403 forbidden'],
    ['wallboard', '?profile=full', '403 forbidden'],
    ['everything', '?profile=', '400 invalid_query'],
    ['everything', '?profile=admin', '400 invalid_query'],
    ['everything', '?profile=agent&profile=full', '400 invalid_query'],
    ['wallboard', '?profile=Viewer', '400 invalid_query'],
  ] as const
  for (const [name, query, expected] of table) t.match(await contactFor(name, query), expected, name + query)
  const refs = await Promise.all(callers.map(async ({ name }) => (await contactFor(name)).ref))
  t.strictSame(new Set(refs), new Set(['ct_snpng4vy']), 'the pseudonym is everybody’s')
})

t.test('a wider profile, when asked for, is refused with the scope it takes, and Hilos is not asked', async (t) => {
  const { get, as, sandbox } = await startService(t, { callers })
  const reply = await get(`${path}?profile=full`, as('support-web'))
  t.equal(reply.status, 403)
  t.equal(
    reply.headers.get('www-authenticate'),
    `${realm}, error="insufficient_scope", scope="execution-contacts:full"`,
  )
  t.equal(reply.headers.get('etag'), null)
  t.equal(sandbox.requests.length, 0)
})

t.test('an access token, by its scope and its flows, sees what it is good for', async (t) => {
  const { get, bearer } = await startWithIssuer(t)
  const [own, other] = [uuid(0xf1, 1), uuid(0xf1, 2)]
  const table = [
    [{}, 200, 'María G.'],
    [{ scope: 'openid execution-contacts:viewer' }, 200, null],
    [{ scope: 'execution-contacts:viewer execution-contacts:full' }, 200, 'María González'],
    [{ scope: undefined, scp: ['execution-contacts:full'] }, 200, 'María González'],
    [{ hilos_flows: [own.toUpperCase()] }, 200, 'María G.'],
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
  for (const [claims, status, name] of table) {
    const reply = await get(path, bearer(claims))
    t.equal(reply.status, status, JSON.stringify(claims))
    if (status === 200) t.equal(reply.json().contact.name, name, JSON.stringify(claims))
  }
  const unscoped = await get(path, bearer({ scope: 'openid' }))
  t.equal(unscoped.headers.get('www-authenticate'), `${realm}, error="insufficient_scope", scope="${scopes}"`)
})

t.test('an access token, when it has expired, says so; a remembered one, too, and to the second', async (t) => {
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

t.test('keys and tokens, when both are on, are both taken; a key is none without a callers’ file', async (t) => {
  const both = await startWithIssuer(t)
  t.equal((await both.get(path, both.as('everything'))).status, 200)
  t.equal((await both.get(path, both.bearer())).status, 200)
  const tokensOnly = await startWithIssuer(t, false)
  t.equal((await tokensOnly.get(path, { authorization: `Bearer ${createKey()}` })).status, 401)
  t.equal((await tokensOnly.get(path, tokensOnly.bearer())).status, 200)
})

t.test('the issuer, when it is down, stops only those tokens whose key is not known yet', async (t) => {
  const { get, bearer, issuer, logLines } = await startWithIssuer(t)
  issuer.setMood('down')
  const before = await get(path, bearer())
  t.match([before.status, before.json().code], [503, 'token_issuer_unavailable'])
  t.match(before.headers.get('retry-after'), /^[1-9]\d*$/)
  t.equal(before.headers.get('www-authenticate'), null)
  t.match(
    logLines().filter(({ msg }) => msg === 'the issuer of access tokens cannot be asked'),
    [{ level: 40, err: { code: 'token_issuer_unavailable' } }],
  )
})

t.test('anybody, when that is allowed, sees everything, but not with a credential that is bad', async (t) => {
  const open = await startService(t)
  t.equal((await open.get(path)).json().contact.masked, false)
  for (const authorization of ['Basic eDp5', `Bearer ${createKey()}`, 'rubbish'])
    t.equal((await open.get(path, { authorization })).status, 200, 'nothing could check it')
  const checked = await startService(t, { callers, env: { DANGEROUSLY_ALLOW_ANONYMOUS: 'true' } })
  t.equal((await checked.get(path)).json().contact.masked, false)
  t.equal((await checked.get(path, checked.as('wallboard'))).json().contact.masked, true)
  for (const authorization of ['Basic eDp5', `Bearer ${createKey()}`, 'rubbish'])
    t.equal((await checked.get(path, { authorization })).status, 401, authorization)
})

t.test('what is no contact, such as the documentation, is there for everybody', async (t) => {
  const { get } = await startService(t, { callers })
  for (const page of ['/openapi.json', '/docs', '/problems/forbidden']) t.equal((await get(page)).status, 200, page)
  t.equal((await get(path, {}, 'POST')).status, 405)
  t.equal((await get('/nothing-here')).status, 404)
})

t.test('HEAD and 304, without rights, are refused as GET is, and show no validator', async (t) => {
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

t.test('the Host header, whatever it says, is in no answer', async (t) => {
  const { get, as } = await startService(t, { callers })
  for (const host of ['evil.example', 'evil.example:80', '127.0.0.1', 'localhost:1']) {
    for (const headers of [{ host }, { host, ...as('everything') }, { host, 'x-forwarded-host': 'evil.example' }]) {
      const reply = await get(path, headers)
      t.notMatch(reply.text + [...reply.headers].join(), /evil\.example/)
    }
  }
})
