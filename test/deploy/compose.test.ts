import t from 'tap'
import { loadConfig } from '../../src/config/config.ts'
import {
  checkMemory,
  checkSettings,
  checkStop,
  configIn,
  filesIn,
  memoryLimits,
  servicesOfCompose,
  textOf,
} from './deployment.ts'

const folder = '/run/secrets/hilos-bff'
const file = textOf('deploy/compose.yaml')
const { 'hilos-bff': service, ...others } = servicesOfCompose()
const { environment } = service

t.test('the settings are known, and nothing is remarkable but files that may be missing', async (t) => {
  t.strictSame(others, {})
  // YAML would make numbers of some.
  for (const value of Object.values(environment)) t.type(value, 'string')
  checkSettings(t, environment, await configIn(t, environment, folder))
})

t.test('the secrets are in a mounted folder, which is not committed', async (t) => {
  t.strictSame(service.volumes, [
    { type: 'bind', source: './secrets', target: folder, read_only: true, bind: { create_host_path: false } },
  ])
  for (const file of filesIn(environment)) t.ok(file.startsWith(`${folder}/`), file)
  t.ok(textOf('.gitignore').split('\n').includes('secrets/'))
})

t.test('the account and the pages are variables, and so are the address and the tag', async (t) => {
  t.strictSame(
    [environment.HILOS_BASE_URL, environment.CORS_ORIGINS],
    [loadConfig({ HILOS_TOKEN: 'x', DANGEROUSLY_ALLOW_ANONYMOUS: 'true' }).hilos.baseUrl, ''],
  )
  const variables = {
    HILOS_BASE_URL: 'https://api.hilos.io/api',
    CORS_ORIGINS: 'https://one.example,https://two.example',
    BIND_ADDRESS: '0.0.0.0',
    TAG: 'next',
    COMMIT: 'abcdef0',
  }
  const { 'hilos-bff': changed } = servicesOfCompose(variables)
  const { hilos, corsOrigins } = await configIn(t, changed.environment, folder)
  t.equal(hilos.baseUrl, variables.HILOS_BASE_URL)
  t.strictSame(corsOrigins, variables.CORS_ORIGINS.split(','))
  t.match(changed, { ports: ['0.0.0.0:3000:3000', '127.0.0.1:3001:3001'], image: 'hilos-bff:next' })
  t.equal(changed.build.args.COMMIT, 'abcdef0')
  const named = [...file.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name)
  t.strictSame(named.sort(), Object.keys(variables).sort())
  const guide = textOf('deploy/README.md')
  for (const name of named) t.match(guide, new RegExp(`^\\| \`${name}\` \\|`, 'm'), `the guide explains ${name}`)
  for (const [, name, fallback] of file.matchAll(/\$\{(\w+):-([^}]+)\}/g))
    t.ok(guide.includes(`| \`${name}\` | \`${fallback}\` |`), `the guide has the default of ${name}`)
})

t.test('both ports are published to this machine only', async (t) => {
  const { callers, operators } = await configIn(t, environment, folder)
  const ports = [callers.port, operators?.port]
  t.strictSame(
    service.ports,
    ports.map((port) => `127.0.0.1:${port}:${port}`),
  )
  t.strictSame([callers.host, operators?.host], ['0.0.0.0', '0.0.0.0'])
})

t.test('the container is limited, and has enough time to stop', async (t) => {
  t.match(service, {
    user: '1000:1000',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    cpus: 1,
    pids_limit: 100,
    ulimits: { core: 0 },
    memswap_limit: service.mem_limit,
    logging: { options: { mode: 'non-blocking', 'max-buffer-size': '32m', 'max-size': '50m', 'max-file': '5' } },
  })
  checkMemory(t, await configIn(t, environment, folder), environment, memoryLimits().compose)
  const [, seconds] = /^(\d+)s$/.exec(service.stop_grace_period) ?? []
  checkStop(t, environment, Number(seconds) * 1000)
})

t.test('the image is built from the Dockerfile, with its healthcheck', async (t) => {
  t.strictSame(service.build, { context: '..', args: { COMMIT: '' } })
  const dockerfile = textOf('Dockerfile')
  for (const line of [/^ARG COMMIT$/m, /^HEALTHCHECK /m, new RegExp(`^USER ${service.user}$`, 'm')])
    t.match(dockerfile, line)
  t.equal(service.image, `hilos-bff:${JSON.parse(textOf('package.json')).version}`)
  t.ok(textOf('README.md').includes('docker build -t hilos-bff '))
  t.ok(textOf('deploy/README.md').includes(` -v ./deploy/secrets:/secrets ${service.image} \\\n`), 'the guide runs it')
  for (const name of ['healthcheck', 'init', 'privileged', 'cap_add', 'command', 'entrypoint'])
    t.notOk(name in service, name)
})
