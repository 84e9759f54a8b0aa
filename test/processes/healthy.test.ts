import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { environmentIn, memoryLimits, type Settings, servicesOfCompose } from '../deploy/deployment.ts'
import { folder, settings as kubernetesSettings } from '../deploy/kubernetes.ts'
import { throwawayCertificates, throwawayKey } from '../harness/certificate.ts'
import { freePort } from '../harness/free-port.ts'
import { poll, preload, startProcess } from '../harness/process.ts'
import { originsOf, slowId, startSandbox } from '../harness/service-process.ts'

const deployments = {
  compose: servicesOfCompose()['hilos-bff'].environment as Settings,
  kubernetes: kubernetesSettings,
}

/** The base URL of the sandbox behind TLS, and the settings with which a process trusts it. */
async function startEncrypted(t: Test, baseUrl: string): Promise<Settings> {
  const [key, cert] = [throwawayKey, throwawayCertificates.rightHost]
  const server = createServer({ key, cert }, (socket) => {
    const { port } = new URL(baseUrl)
    const upstream = connect(Number(port), '127.0.0.1').on('error', () => {})
    socket
      .on('error', () => {})
      .pipe(upstream)
      .pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const trusted = join(t.testdirName, 'trusted.pem')
  writeFileSync(trusted, cert)
  const { port } = server.address() as AddressInfo
  return { HILOS_BASE_URL: baseUrl.replace(/^http:.*?:\d+/, `https://127.0.0.1:${port}`), NODE_EXTRA_CA_CERTS: trusted }
}

for (const [name, deployed] of Object.entries(deployments))
  t.test(`a healthy service with the settings of ${name} logs nothing that needs attention`, async (t) => {
    const { sandbox, baseUrl, release } = await startSandbox(t, { token: 'not-a-token' })
    const key = createKey()
    const callers = { callers: [{ name: 'page', profile: 'agent', keySha256: keyHash(key) }] }
    const env = {
      ...environmentIn(t, deployed, folder, JSON.stringify(callers)),
      ...(await startEncrypted(t, baseUrl)),
      ...{ HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: String(await freePort()), DRAIN_DELAY_MS: '0' },
    }
    const memory = preload(`process.constrainedMemory = () => ${memoryLimits().compose}`)
    const running = startProcess(t, 'src/main.ts', env, {
      nodeOptions: [...memory, deployed.NODE_OPTIONS ?? ''],
    })
    const { origin } = await originsOf(running)
    const statusOf = async (path: string, headers: Record<string, string> = {}) => {
      const options = { headers: { authorization: `Bearer ${key}`, ...headers } }
      return (await fetch(`${origin}/execution-contacts/${path}`, options)).status
    }

    t.equal(await statusOf(documentIds.completed), 200)
    t.equal(await statusOf(documentIds.completed, { 'if-none-match': '*' }), 304)
    t.equal(await statusOf('00000000-0000-4000-8000-00000000dead'), 404)
    t.equal(await statusOf('x'), 400)
    t.equal(await statusOf(documentIds.completed, { authorization: 'Bearer none' }), 401)
    t.equal(await statusOf(documentIds.completed, { accept: 'text/html' }), 406)
    t.equal(await statusOf(documentIds.ready, { 'cache-control': 'only-if-cached' }), 504)
    t.equal((await fetch(`http://127.0.0.1:${env.ADMIN_PORT}/readyz`)).status, 200)
    const leaving = new AbortController()
    const left = fetch(`${origin}/execution-contacts/${slowId}`, {
      headers: { authorization: `Bearer ${key}` },
      signal: leaving.signal,
    })
    await poll(() => sandbox.requests.some(({ url }) => url.endsWith(slowId)))
    leaving.abort()
    await t.rejects(left, { name: 'AbortError' })
    await running.says(/caller disconnected before the response/)
    release()
    running.child.kill('SIGTERM')
    t.equal(await running.ended, 0)

    t.strictSame(
      running.lines().filter(({ level }) => Number(level) >= 40),
      [],
    )
    t.equal(running.stderr(), '')
    for (const setting of ['HILOS_TOKEN_NEXT_FILE', 'ADMIN_TOKEN_FILE']) {
      const told = running.lines().filter(({ msg }) => String(msg).startsWith(setting))
      t.strictSame(
        told.map(({ level, msg }) => `${level} ${msg}`),
        [`30 ${setting}: the file is missing, as it may be`],
      )
    }
  })
