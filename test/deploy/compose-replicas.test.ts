import t from 'tap'
import { checkSettings, composeOf, configIn, filesIn, servicesOfCompose, textOf } from './deployment.ts'
import { serverSettings, unencrypted, valkeyImage } from './valkey.ts'

const file = 'deploy/compose.replicas.yaml'
const folder = '/run/secrets/hilos-bff'
const { 'hilos-bff': replica, 'hilos-bff-valkey': server, ...others } = composeOf({}, file).services
const { 'hilos-bff': base } = servicesOfCompose()
const environment = { ...base.environment, ...replica.environment }

t.test('the settings are known, and the log warns of what is not encrypted', async (t) => {
  const config = await configIn(t, environment, folder)
  checkSettings(t, environment, config, [unencrypted])
  t.match(config.sharedTier, {
    server: { hosts: [{ host: 'hilos-bff-valkey', port: Number(serverSettings.port) }], tls: false },
    expectedReplicas: replica.deploy.replicas,
  })
})

t.test('there are three replicas, each with a port for callers and one for operators', async (t) => {
  t.strictSame(others, {})
  t.strictSame(
    [replica.deploy, replica.environment.REPLICAS_EXPECTED],
    [{ replicas: 3 }, '3'],
    'the setting is their number',
  )
  t.match(textOf(file), '    ports: !override\n', 'three replicas cannot have one port')
  const ranges = replica.ports.map((each: string) =>
    /^127\.0\.0\.1:(\d+)-(\d+):(\d+)$/.exec(each)?.slice(1).map(Number),
  )
  const { callers, operators } = await configIn(t, base.environment, folder)
  t.strictSame(ranges, [
    [3010, 3012, callers.port],
    [3020, 3022, operators?.port],
  ])
  const { 'hilos-bff': open } = composeOf({ BIND_ADDRESS: '0.0.0.0' }, file).services
  t.strictSame(
    open.ports.map((each: string) => each.split(':')[0]),
    ['0.0.0.0', '127.0.0.1'],
  )
})

t.test('the secrets are in the folder of the others, and the server sees only its own', async (t) => {
  for (const path of filesIn(environment)) t.ok(path.startsWith(`${folder}/`), path)
  t.match(server.volumes, [
    { source: './kubernetes/components/valkey/valkey.conf', target: server.command[1], read_only: true },
    { source: './secrets/valkey', target: '/run/secrets/valkey', read_only: true },
  ])
  for (const { type, bind } of server.volumes) t.strictSame([type, bind], ['bind', { create_host_path: false }])
  t.ok(serverSettings.aclfile?.startsWith('/run/secrets/valkey/'))
})

t.test('the server is limited, and reached by the replicas only', async (t) => {
  t.match(server, {
    user: base.user,
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: base.security_opt,
    memswap_limit: server.mem_limit,
    cpus: 1,
    pids_limit: 50,
    ulimits: { core: 0 },
    restart: base.restart,
    healthcheck: { test: ['CMD', 'valkey-cli', 'ping'] },
  })
  t.equal(
    server.mem_limit,
    `${(Number.parseInt(`${serverSettings.maxmemory}`, 10) * 3) / 2}m`,
    'for maxmemory and more',
  )
  t.notOk('ports' in server)
  t.strictSame([server.networks, replica.networks], [['valkey'], ['default', 'valkey']])
  t.strictSame(composeOf({}, file).networks, { valkey: { internal: true } })
})

t.test('the image is the one of Kubernetes, and can be another', async (t) => {
  t.equal(server.image, valkeyImage)
  const variables = { VALKEY_IMAGE: 'mirror.example/valkey@sha256:0' }
  t.equal(composeOf(variables, file).services['hilos-bff-valkey'].image, variables.VALKEY_IMAGE)
  t.ok(
    textOf('deploy/README.md').includes(`| \`VALKEY_IMAGE\` | \`${valkeyImage}\` |`),
    'the guide explains the variable',
  )
})
