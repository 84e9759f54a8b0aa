import t from 'tap'
import { checkMemory, checkStop, configIn, filesIn, memoryLimits, textOf, unknownNames, yamlOf } from './deployment.ts'

const folder = '/run/secrets/hilos-bff'
const { 'hilos-bff': service, ...others } = yamlOf('deploy/compose.yaml').services
const { environment } = service

t.test(
  'the settings of the composed service, when they are read, are known and warn of nothing but the next token',
  async (t) => {
    t.strictSame(others, {})
    t.strictSame(unknownNames(environment), [])
    for (const value of Object.values(environment)) t.type(value, 'string', 'and not a number that YAML makes of it')
    // Its key to come is not there, as between two rotations.
    t.strictSame(
      configIn(t, environment, folder).warnings.map((warning) => warning.split(':', 1)[0]),
      ['HILOS_TOKEN_NEXT_FILE'],
    )
  },
)

t.test('the composed service, when it reads secrets, finds them in a mounted folder', async (t) => {
  t.strictSame(service.volumes, [
    { type: 'bind', source: './secrets', target: folder, read_only: true, bind: { create_host_path: false } },
  ])
  for (const file of filesIn(environment)) t.ok(file.startsWith(`${folder}/`), file)
  t.ok(textOf('.gitignore').split('\n').includes('deploy/secrets/'), 'which is not committed')
})

t.test('the composed service, when its ports are published, shows the operators’ to this machine only', async (t) => {
  const { callers, operators } = configIn(t, environment, folder)
  t.strictSame(service.ports, [`${callers.port}:${callers.port}`, `127.0.0.1:${operators?.port}:${operators?.port}`])
  t.equal(callers.host, '0.0.0.0')
  t.equal(operators?.host, '0.0.0.0')
})

t.test('the composed service, whatever happens in it, is bounded', async (t) => {
  t.match(service, {
    user: '1000:1000',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    cpus: 1,
    pids_limit: 100,
    memswap_limit: service.mem_limit,
    logging: { options: { 'max-size': '50m', 'max-file': '5' } },
  })
  checkMemory(t, configIn(t, environment, folder), environment, memoryLimits().compose)
})

t.test('the composed service, when it is stopped, has the time it needs', async (t) => {
  const [, seconds] = /^(\d+)s$/.exec(service.stop_grace_period) ?? []
  checkStop(t, environment, Number(seconds) * 1000)
})

t.test('the composed service, when it is built, is the image of the Dockerfile with its healthcheck', async (t) => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose’s, not JavaScript’s
  t.strictSame(service.build, { context: '..', args: { COMMIT: '${COMMIT:-}' } })
  t.match(textOf('Dockerfile'), /^ARG COMMIT$/m)
  t.ok(textOf('README.md').includes(`docker build -t ${service.image} `))
  t.match(textOf('Dockerfile'), /^HEALTHCHECK /m)
  t.ok(textOf('Dockerfile').includes(`USER ${service.user}\n`))
  for (const name of ['healthcheck', 'init', 'privileged', 'cap_add', 'command', 'entrypoint'])
    t.notOk(name in service, name)
})
