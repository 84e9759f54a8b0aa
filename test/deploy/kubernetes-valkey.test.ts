import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { accountCallsPerSecond, checkSettings, configIn, filesIn, textOf, yamlOf } from './deployment.ts'
import { base, container, deployment, folder, settings, template } from './kubernetes.ts'
import {
  component,
  serverSettings,
  sharedSettings,
  unencrypted,
  valkeyContainer,
  valkeyDeployment,
  valkeyImage,
} from './valkey.ts'

const valkeyTemplate = valkeyDeployment.spec.template
const policies = parseAllDocuments(textOf(`${component}/network-policy.yaml`)).map((each) => each.toJS())
const [outwards, inwards] = policies
const service = yamlOf(`${component}/service.yaml`)
const labels = { 'app.kubernetes.io/name': 'hilos-bff-valkey' }

t.test('with the shared tier the replicas have the whole ration, and know how many they may be', async (t) => {
  const { maxReplicas } = base('horizontal-pod-autoscaler').spec
  const { maxSurge } = deployment.spec.strategy.rollingUpdate
  t.equal(Number(sharedSettings.REPLICAS_EXPECTED), maxReplicas + maxSurge)
  t.equal(Number(sharedSettings.HILOS_MAX_RPS), accountCallsPerSecond)
  const [generator] = yamlOf(`${component}/kustomization.yaml`).configMapGenerator
  t.strictSame(generator, { name: container.envFrom[0].configMapRef.name, behavior: 'merge', envs: ['settings.env'] })
  t.strictSame(filesIn(sharedSettings), [`${folder}/redis-url`, `${folder}/cache-keys`])
})

t.test('the settings are known, and the log warns of what is not encrypted', async (t) => {
  const all = { ...settings, ...sharedSettings }
  const config = await configIn(t, all, folder)
  checkSettings(t, all, config, [unencrypted])
  t.match(config.sharedTier?.server.hosts, [{ host: service.metadata.name, port: Number(serverSettings.port) }])
})

t.test('the server keeps nothing on disk, and forgets what is old before it is full', async (t) => {
  t.strictSame(serverSettings, {
    bind: '* -::*',
    port: '6379',
    'protected-mode': 'no',
    aclfile: '/run/secrets/valkey/users.acl',
    save: '""',
    appendonly: 'no',
    maxmemory: '256mb',
    'maxmemory-policy': 'allkeys-lru',
  })
  const { requests, limits } = valkeyContainer.resources
  t.strictSame([requests.memory, limits], ['384Mi', { memory: '384Mi' }], 'half as much again as maxmemory')
})

t.test('the pod of the server is as limited as that of the service', async (t) => {
  t.strictSame(valkeyTemplate.spec.securityContext, template.spec.securityContext)
  t.strictSame(valkeyContainer.securityContext, container.securityContext)
  t.match(valkeyTemplate.spec, { automountServiceAccountToken: false, enableServiceLinks: false })
  t.equal(valkeyTemplate.spec.containers.length, 1)
  t.match(valkeyDeployment.spec, { replicas: 1, strategy: { type: 'Recreate' } }, 'never two servers at once')
})

t.test('the server finds its files, and its secret is not that of the service', async (t) => {
  const [configuration, users] = valkeyTemplate.spec.volumes
  const [, generated] = yamlOf(`${component}/kustomization.yaml`).configMapGenerator
  t.strictSame(generated, { name: configuration.configMap.name, files: ['valkey.conf'] })
  t.strictSame(valkeyContainer.volumeMounts, [
    { name: configuration.name, mountPath: '/etc/valkey', readOnly: true },
    { name: users.name, mountPath: '/run/secrets/valkey', readOnly: true },
  ])
  t.strictSame(valkeyContainer.command, ['valkey-server', '/etc/valkey/valkey.conf'])
  t.strictSame(users.secret, { secretName: 'hilos-bff-valkey', defaultMode: 0o440 })
  const guide = textOf('deploy/README.md')
  t.ok(guide.includes(`create secret generic ${users.secret.secretName} --from-file=secrets/valkey`))
  t.ok(guide.includes('\ndeploy/valkey-secrets.sh secrets\n'))
})

t.test('the service reaches the server by its name, and no other pod does', async (t) => {
  t.strictSame([valkeyDeployment.spec.selector.matchLabels, valkeyTemplate.metadata.labels], [labels, labels])
  t.strictSame(service.spec.selector, labels)
  t.match(service.spec.ports, [{ port: Number(serverSettings.port), targetPort: 'valkey' }])
  t.match(textOf('deploy/valkey-secrets.sh'), `@${service.metadata.name}:${serverSettings.port}'`)
  t.notMatch(service.metadata.name, /^redis$/)
  t.strictSame(valkeyContainer.ports, [{ name: 'valkey', containerPort: Number(serverSettings.port) }])
  const [own, theirs] = [template.metadata.labels, labels].map((matchLabels) => ({ podSelector: { matchLabels } }))
  const ports = [{ port: 'valkey' }]
  t.equal(policies.length, 2)
  t.strictSame(outwards.spec, { ...own, policyTypes: ['Egress'], egress: [{ to: [theirs], ports }] })
  t.strictSame(inwards.spec, {
    ...theirs,
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [own], ports }],
    egress: [],
  })
  for (const probe of ['livenessProbe', 'readinessProbe'])
    t.strictSame(valkeyContainer[probe].exec.command, ['valkey-cli', 'ping'], probe)
})

t.test('the image has a release of its own that is pinned as far as a tag can', async (t) => {
  t.match(valkeyImage, /^docker\.io\/valkey\/valkey:\d+\.\d+$/)
})
