import t from 'tap'
import { checkMemory, checkSettings, checkStop, configIn, filesIn, memoryLimits, textOf, yamlOf } from './deployment.ts'

const folder = '/run/secrets/hilos-bff'
const { 'hilos-bff': service, ...others } = yamlOf('deploy/compose.yaml').services
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
  t.ok(textOf('.gitignore').split('\n').includes('deploy/secrets/'))
})

t.test('the operators’ port is published to this machine only', async (t) => {
  const { callers, operators } = await configIn(t, environment, folder)
  t.strictSame(service.ports, [`${callers.port}:${callers.port}`, `127.0.0.1:${operators?.port}:${operators?.port}`])
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
    logging: { options: { 'max-size': '50m', 'max-file': '5' } },
  })
  checkMemory(t, await configIn(t, environment, folder), environment, memoryLimits().compose)
  const [, seconds] = /^(\d+)s$/.exec(service.stop_grace_period) ?? []
  checkStop(t, environment, Number(seconds) * 1000)
})

t.test('the image is built from the Dockerfile, with its healthcheck', async (t) => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose’s, not JavaScript’s
  t.strictSame(service.build, { context: '..', args: { COMMIT: '${COMMIT:-}' } })
  const dockerfile = textOf('Dockerfile')
  for (const line of [/^ARG COMMIT$/m, /^HEALTHCHECK /m, new RegExp(`^USER ${service.user}$`, 'm')])
    t.match(dockerfile, line)
  t.ok(textOf('README.md').includes(`docker build -t ${service.image} `))
  for (const name of ['healthcheck', 'init', 'privileged', 'cap_add', 'command', 'entrypoint'])
    t.notOk(name in service, name)
})
