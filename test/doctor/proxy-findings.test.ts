import t from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import { proxyFindings } from '../../src/doctor/proxy-findings.ts'

const base = { HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }
const issuer = { JWT_ISSUER: 'a', JWT_AUDIENCE: 'b', JWT_JWKS_URL: 'https://issuer.example/keys' }
const asked = { NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: 'http://user:canary@proxy.example' }

t.test('the finding about the proxy says what is called through it', async (t) => {
  const rows = [
    [{}, null],
    [{ NODE_USE_ENV_PROXY: '1' }, null],
    [{ ...asked, HTTPS_PROXY: ' ' }, null],
    [{ HTTPS_PROXY: 'http://canary' }, 'It is not used, because NODE_USE_ENV_PROXY is not 1.'],
    [{ ...asked, https_proxy: '' }, 'This service calls Hilos through the proxy.'],
    [asked, 'This service calls Hilos through the proxy.'],
    [{ ...asked, ...issuer }, 'This service calls Hilos through the proxy, and the token issuer through the proxy.'],
    [
      { ...asked, ...issuer, NO_PROXY: 'issuer.example' },
      'This service calls Hilos through the proxy, and the token issuer without the proxy.',
    ],
  ] as const
  for (const [given, message] of rows) {
    const env = { ...base, ...given }
    const findings = proxyFindings(loadConfig(env), env)
    t.strictSame(findings, message === null ? [] : [{ level: 'note', subject: 'HTTPS_PROXY', message }])
  }
})
