import { globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import {
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

/** The limit of Hilos for all keys of an account together. */
const accountCallsPerSecond = 5

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
  const [, guide = ''] =
    /kubectl -n hilos-bff create secret generic ((?:.*\\\n)*.*)$/m.exec(textOf('deploy/README.md')) ?? []
  const keys = [...guide.matchAll(/--from-file=([\w.-]+)/g)].map(([, key]) => key)
  const optional = [`${folder}/hilos-token-next`, `${folder}/admin-token`]
  t.strictSame([settings.HILOS_TOKEN_NEXT_FILE, settings.ADMIN_TOKEN_FILE], optional)
  const files = keys.map((key) => `${folder}/${key}`)
  t.strictSame(filesIn(settings).sort(), [...files, ...optional].sort())
  t.strictSame(container.volumeMounts, [{ name: 'secrets', mountPath: folder, readOnly: true }])
  t.match(template.spec.volumes, [{ name: 'secrets', secret: { secretName: guide.split(' ')[0], defaultMode: 0o440 } }])
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

t.test('all replicas together call Hilos no more often than the account may', async (t) => {
  const { maxReplicas, minReplicas } = base('horizontal-pod-autoscaler').spec
  const { maxSurge, maxUnavailable } = deployment.spec.strategy.rollingUpdate
  const { maxCallsPerSecond } = (await configIn(t, settings, folder)).hilos
  t.ok((maxReplicas + maxSurge) * maxCallsPerSecond <= accountCallsPerSecond)
  t.ok(maxCallsPerSecond > 0, '0 is no limit')
  t.ok(minReplicas > base('pod-disruption-budget').spec.maxUnavailable, 'one is left when a node is drained')
  t.equal(maxUnavailable, 0)
  t.notOk('replicas' in deployment.spec, 'the autoscaler sets them')
})

t.test('the image has the same name everywhere', async (t) => {
  t.equal(container.image, yamlOf('deploy/compose.yaml').services['hilos-bff'].image)
  t.match(overlay.images, [{ name: container.image }])
  t.equal(overlay.images.length, 1)
})
