import { globSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { keygen } from '../../src/setup/keygen.ts'
import {
  accountCallsPerSecond,
  checkMemory,
  checkSettings,
  checkStop,
  configIn,
  filesIn,
  memoryLimits,
  splitAtEquals,
  textOf,
  yamlOf,
} from './deployment.ts'
import { base, container, deployment, folder, kubernetes, settings, template } from './kubernetes.ts'
import { sharedSettings, valkeyImage } from './valkey.ts'

const overlay = yamlOf(`${kubernetes}/overlays/example/kustomization.yaml`)
const overlaid = Object.fromEntries(overlay.configMapGenerator[0].literals.map(splitAtEquals))

t.test('each kustomization names all files of its folder', async (t) => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  for (const path of globSync(`${kubernetes}/**/kustomization.yaml`, { cwd })) {
    const { resources = [], components = [] } = yamlOf(path)
    const files = resources.filter((name: string) => name.endsWith('.yaml'))
    const present = globSync('*.yaml', { cwd: join(cwd, dirname(path)) }).filter((file) => file !== basename(path))
    t.strictSame([...files].sort(), present.sort(), path)
    for (const name of [...resources, ...components])
      if (!files.includes(name)) t.ok(textOf(join(dirname(path), name, 'kustomization.yaml')), `${path} names ${name}`)
  }
})

t.test('the settings are known, and nothing is remarkable but files that may be missing', async (t) => {
  const [{ name, envs }] = base('kustomization').configMapGenerator
  t.strictSame(container.envFrom, [{ configMapRef: { name } }])
  t.strictSame(envs, ['settings.env'])
  t.notOk('env' in container)
  t.match(overlay.configMapGenerator[0], { name, behavior: 'merge' })
  const all = { ...settings, ...overlaid }
  checkSettings(t, all, await configIn(t, all, folder))
})

t.test('the secrets are those that the guide creates', async (t) => {
  const guide = textOf('deploy/README.md')
  const [, command = '', from = ''] =
    /^npm ci && npm run --silent keygen -- (\S+ --profile agent --secrets (\S+)) /m.exec(guide) ?? []
  const [, secret] = /create secret generic (\S+) --from-file=(\S+)\n/.exec(guide) ?? []
  t.ok(guide.includes(`create secret generic ${secret} --from-file=${from}\n`))
  const made = join(t.testdir(), 'secrets')
  const args = [...command.split(' ').slice(0, -1), made, '--admin-token']
  const { status } = await keygen(
    args,
    { input: Readable.from([Buffer.from('a-token')]), output: new PassThrough() },
    1000,
  )
  t.equal(status, 0)
  const files = [...readdirSync(made), 'hilos-token-next'].map((key) => `${folder}/${key}`)
  t.strictSame(filesIn(settings).sort(), files.sort())
  t.strictSame(container.volumeMounts, [{ name: 'secrets', mountPath: folder, readOnly: true }])
  t.match(template.spec.volumes, [{ name: 'secrets', secret: { secretName: secret, defaultMode: 0o440 } }])
  t.notOk('items' in template.spec.volumes[0].secret, 'so that the next key appears')
})

t.test('the pod is limited', async (t) => {
  t.strictSame(template.spec.securityContext, {
    runAsNonRoot: true,
    runAsUser: 1000,
    runAsGroup: 1000,
    fsGroup: 1000,
    seccompProfile: { type: 'RuntimeDefault' },
  })
  t.strictSame(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  t.match(template.spec, { automountServiceAccountToken: false, enableServiceLinks: false })
  t.equal(template.spec.containers.length, 1)
  t.match(textOf('Dockerfile'), /^USER 1000:1000$/m)
  t.equal(container.resources.requests.memory, container.resources.limits.memory)
  checkMemory(t, await configIn(t, settings, folder), settings, memoryLimits().kubernetes)
})

t.test('the pod has enough time to stop', async (t) => {
  checkStop(t, settings, template.spec.terminationGracePeriodSeconds * 1000)
  const { periodSeconds, failureThreshold } = container.readinessProbe
  t.ok(Number(settings.DRAIN_DELAY_MS) > periodSeconds * failureThreshold * 1000, 'the delay outlasts the readiness')
})

t.test(
  'without the shared tier, too, all replicas together call Hilos no more often than the account may',
  async (t) => {
    const { maxReplicas, minReplicas } = base('horizontal-pod-autoscaler').spec
    const { maxSurge, maxUnavailable } = deployment.spec.strategy.rollingUpdate
    const { maxCallsPerSecond } = (await configIn(t, settings, folder)).hilos
    t.ok((maxReplicas + maxSurge) * maxCallsPerSecond <= accountCallsPerSecond)
    t.ok(maxCallsPerSecond > 0, '0 is no limit')
    t.ok(minReplicas > base('pod-disruption-budget').spec.maxUnavailable, 'one is left when a node is drained')
    t.equal(maxUnavailable, 0)
    t.notOk('replicas' in deployment.spec, 'the autoscaler sets them')
  },
)

t.test('the image has the same name everywhere', async (t) => {
  t.equal(yamlOf('deploy/compose.yaml').services['hilos-bff'].image.split(':')[0], container.image)
  t.match(overlay.images, [{ name: container.image, newTag: JSON.parse(textOf('package.json')).version }])
  t.equal(overlay.images.length, 1)
})

t.test('the list of what to change is what the files have', async (t) => {
  const [, list = ''] = /### What to change\n(.*?)\n## /s.exec(textOf('deploy/README.md')) ?? []
  const rows = [...list.matchAll(/^\| `(.+?)` \| `(.+?)` \|/gm)].map(([, text = '', file = '']) => ({ text, file }))
  const listed = rows.map(({ text }) => text)
  for (const { text, file } of rows) t.ok(textOf(join(kubernetes, file)).includes(text), `${file} has ${text}`)

  const [{ newName, newTag }] = overlay.images
  const policy = textOf(`${kubernetes}/base/network-policy.yaml`)
  const selectors = [...policy.matchAll(/matchLabels:\n +(.+)/g)].map(([, label = '']) => label)
  const ports = [...policy.matchAll(/- (port: \d+)/g)].map(([, port = '']) => port)
  const own = [
    ...[`newName: ${newName}`, `newTag: ${newTag}`, `namespace: ${overlay.namespace}`],
    ...overlay.configMapGenerator[0].literals,
    ...overlay.components.map((path: string) => `- ${path}`),
    ...selectors.filter((label) => label !== 'app.kubernetes.io/name: hilos-bff'),
    ...ports,
    ...['HILOS_MAX_RPS', 'DRAIN_DELAY_MS'].map((name) => `${name}=${settings[name]}`),
    `image: ${valkeyImage}`,
    ...['HILOS_MAX_RPS', 'REPLICAS_EXPECTED'].map((name) => `${name}=${sharedSettings[name]}`),
    `maxReplicas: ${base('horizontal-pod-autoscaler').spec.maxReplicas}`,
  ]
  t.strictSame(listed.sort(), own.sort())
  t.equal(yamlOf(`${kubernetes}/overlays/example/namespace.yaml`).metadata.name, overlay.namespace)
})
