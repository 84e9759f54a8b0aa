import { inspect } from 'node:util'
import t from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import { proxyFor, proxyProblems } from '../../src/config/proxy.ts'
import { checkRows, difference } from '../harness/table.ts'

const proxy = 'http://user:canary@proxy.example:3128'
const asked = { NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: proxy }
const address = 'https://api.hilos.example/path'

t.test('a proxy is used only if the environment asks for it, and never for this machine', async (t) => {
  const other = 'http://other.example'
  const cases = [
    [address, asked, proxy],
    [address, { ...asked, https_proxy: other }, other],
    [address, { ...asked, HTTP_PROXY: other }, proxy],
    [address, { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: other }, null],
    [address, { HTTPS_PROXY: proxy }, null],
    ...['0', 'true', '2', ' 1'].map((value) => [address, { ...asked, NODE_USE_ENV_PROXY: value }, null] as const),
    ...[
      'http://127.0.0.1:8080/keys',
      'http://localhost/',
      'https://localhost:1/',
      'https://127.1.2.3/',
      'http://[::1]:1/',
    ].map((own) => [own, asked, null] as const),
    ['https://localhost.example/', asked, proxy],
    ['https://127.example/', asked, proxy],
  ] as const
  const check = ([url, env, expected]: (typeof cases)[number]) =>
    difference(proxyFor(url, env)?.reveal() ?? null, expected)
  checkRows(t, cases, check, 'each environment')
})

t.test('hosts in NO_PROXY are reached without the proxy', async (t) => {
  const exempt = [
    ...['*', 'api.hilos.example', 'hilos.example', '.hilos.example', '*.hilos.example', 'EXAMPLE', '*:443'],
    ...['other, api.hilos.example', 'other  hilos.example', ',,hilos.example,', 'api.hilos.example:443'],
  ]
  const others = [
    ...['', ' ', ',', '.', '*.', 'pi.hilos.example', 'hilos.exampl', 'os.example', 'api.hilos.example:8443', '*:80'],
    ...['x.api.hilos.example', 'api.hilos.example:', ':443', '*example', 'api*'],
  ]
  const isProxied = (url: string, list: string, name = 'NO_PROXY') => proxyFor(url, { ...asked, [name]: list }) !== null
  checkRows(t, exempt, (list) => difference(isProxied(address, list), false), 'each list with the host')
  checkRows(t, others, (list) => difference(isProxied(address, list), true), 'each list without the host')
  t.notOk(isProxied('https://api.hilos.example:8443/', 'api.hilos.example:8443'))
  t.notOk(isProxied('https://api.hilos.example:8443/', 'api.hilos.example'))
  t.ok(isProxied('https://api.hilos.example:8443/', 'api.hilos.example:443'))
  t.notOk(isProxied('https://[fd00::1]/', '[fd00::1]'))
  for (const [host, entry] of [
    ['api.hilos.example.', 'hilos.example'],
    ['api.hilos.example', 'api.hilos.example.'],
    ['api.hilos.example.', 'hilos.example.:443'],
  ] as const)
    t.notOk(isProxied(`https://${host}/`, entry), 'the dot of an absolute name')
  t.notOk(isProxied(address, 'hilos.example', 'no_proxy'))
  t.ok(proxyFor(address, { ...asked, no_proxy: 'other', NO_PROXY: '*' }), 'the lower-case name counts first')
})

t.test('a proxy that is used must be an http or https URL', async (t) => {
  for (const bad of ['proxy.example:3128', 'socks5://canary', 'canary', 'file:///canary', 'http://']) {
    const problems = proxyProblems({ ...asked, HTTPS_PROXY: bad })
    t.strictSame(problems, ['HTTPS_PROXY: must be an http or https URL to be used'])
    t.strictSame(proxyProblems({ HTTPS_PROXY: bad }), [])
  }
  for (const env of [{}, { NODE_USE_ENV_PROXY: '1' }, asked, { ...asked, HTTPS_PROXY: 'https://a' }])
    t.strictSame(proxyProblems(env), [])
})

t.test('the configuration has the proxy of each destination, and does not show it', async (t) => {
  const settings = {
    ...{ HILOS_TOKEN: 'x', ...asked, NO_PROXY: 'issuer.example' },
    ...{ JWT_ISSUER: 'a', JWT_AUDIENCE: 'b', JWT_JWKS_URL: 'https://issuer.example/keys' },
  }
  const config = loadConfig(settings)
  t.equal(config.hilos.proxy?.reveal(), proxy)
  t.equal(config.access.tokens?.proxy, null)
  t.notMatch(inspect(config, { depth: null }), 'canary')
  t.throws(
    () => loadConfig({ ...settings, HTTPS_PROXY: 'canary' }),
    /one problem in its settings:\n {2}HTTPS_PROXY: must/,
  )
})
