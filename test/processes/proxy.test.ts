import t, { type Test } from 'tap'
import { freePort } from '../harness/free-port.ts'
import { createIssuer } from '../harness/issuer.ts'
import { startProcess } from '../harness/process.ts'
import { createProxy } from '../harness/proxy.ts'
import { slowId, startSandbox, startServiceProcess } from '../harness/service-process.ts'

/** A proxy, and the environment that asks Node.js to use it for everything. */
async function arrange(t: Test) {
  const proxy = await createProxy(t)
  const { url } = proxy
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: url, HTTPS_PROXY: url, http_proxy: url, https_proxy: url }
  return { proxy, env }
}

t.test('Hilos and an issuer on this machine, and the health check, use no proxy', async (t) => {
  const { proxy, env } = await arrange(t)
  const issuer = await createIssuer(t)
  const tokens = { JWT_ISSUER: issuer.issuer, JWT_AUDIENCE: issuer.audience, JWT_JWKS_URL: issuer.jwksUrl }
  const ADMIN_PORT = String(await freePort())
  const { origin, sandbox, release } = await startServiceProcess(t, { ...env, ...tokens, ADMIN_PORT })
  const authorization = `Bearer ${issuer.sign()}`
  release()
  t.equal((await fetch(`${origin}/execution-contacts/${slowId}`, { headers: { authorization } })).status, 200)
  t.strictSame([issuer.requests(), sandbox.requests.length], [1, 1])

  const check = startProcess(t, 'src/healthcheck.ts', { ...env, ADMIN_PORT })
  t.strictSame([await check.ended, check.stderr()], [0, ''])
  t.strictSame(proxy.requests, [])
})

t.test('the doctor uses no proxy for this machine, and says so', async (t) => {
  const { proxy, env } = await arrange(t)
  const issuer = await createIssuer(t)
  const { baseUrl } = await startSandbox(t)
  const settings = {
    ...env,
    HILOS_TOKEN: 'token-canary',
    HILOS_BASE_URL: baseUrl,
    JWT_ISSUER: issuer.issuer,
    JWT_AUDIENCE: issuer.audience,
    JWT_JWKS_URL: issuer.jwksUrl,
  }
  const doctor = startProcess(t, 'src/main.ts', settings, { args: ['--check'] })
  t.equal(await doctor.ended, 0)
  t.match(doctor.stdout(), 'This service calls Hilos without the proxy, and the token issuer without the proxy.')
  t.strictSame([issuer.requests(), proxy.requests], [1, []])
})
