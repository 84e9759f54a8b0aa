import { globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import {
  checkMemory,
  checkStop,
  configIn,
  filesIn,
  memoryLimits,
  splitAtEquals,
  textOf,
  unknownNames,
  yamlOf,
} from './deployment.ts'
import { base, container, deployment, folder, kubernetes, settings, template } from './kubernetes.ts'

/** What Hilos allows all keys of an account together. */
const accountCallsPerSecond = 5

const overlay = yamlOf(`${kubernetes}/overlays/example/kustomization.yaml`)
const overlaid = Object.fromEntries(overlay.configMapGenerator[0].literals.map(splitAtEquals))

t.test('a kustomization, when it names files, names all there are', async (t) => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  for (const path of globSync(`${kubernetes}/**/kustomization.yaml`, { cwd })) {
    const { resources = [], components = [] } = yamlOf(path)
    const [files, folders] = [resources, resources].map((names: string[], index) =>
      names.filter((name) => name.endsWith('.yaml') === (index === 0)),
    )
    const there = globSync('*.yaml', { cwd: join(cwd, dirname(path)) }).filter((file) => file !== basename(path))
    t.strictSame([...(files ?? [])].sort(), there.sort(), path)
    for (const name of [...(folders ?? []), ...components])
      t.ok(textOf(join(dirname(path), name, 'kustomization.yaml')), `${path} names ${name}`)
  }
})

t.test('the settings of the pod, when they are read, are known and warn of nothing but the next token', async (t) => {
  const [{ name, envs }] = base('kustomization').configMapGenerator
  t.strictSame(container.envFrom, [{ configMapRef: { name } }])
  t.strictSame(envs, ['settings.env'])
  t.notOk('env' in container)
  t.strictSame([overlay.configMapGenerator[0].name, overlay.configMapGenerator[0].behavior], [name, 'merge'])
  t.strictSame([...unknownNames(settings), ...unknownNames(overlaid)], [])
  // Its key to come is not there, as between two rotations.
  const { warnings } = configIn(t, { ...settings, ...overlaid }, folder)
  t.strictSame(
    warnings.map((warning) => warning.split(':', 1)[0]),
    ['HILOS_TOKEN_NEXT_FILE'],
  )
})

t.test('the pod, when it reads secrets, finds them in the Secret that the guide makes', async (t) => {
  const [, guide = ''] =
    /kubectl -n hilos-bff create secret generic ((?:.*\\\n)*.*)$/m.exec(textOf('deploy/README.md')) ?? []
  const keys = [...guide.matchAll(/--from-file=([\w.-]+)/g)].map(([, key]) => key)
  t.strictSame(
    filesIn(settings).filter((file) => file !== settings.HILOS_TOKEN_NEXT_FILE),
    keys.map((key) => `${folder}/${key}`),
  )
  t.equal(settings.HILOS_TOKEN_NEXT_FILE, `${folder}/hilos-token-next`)
  t.strictSame(container.volumeMounts, [{ name: 'secrets', mountPath: folder, readOnly: true }])
  t.match(template.spec.volumes, [{ name: 'secrets', secret: { secretName: guide.split(' ')[0], defaultMode: 0o440 } }])
  t.notOk('items' in template.spec.volumes[0].secret, 'so that the key to come appears')
})

t.test('the pod, whatever happens in it, is bounded', async (t) => {
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
  t.equal(template.spec.automountServiceAccountToken, false)
  t.equal(template.spec.enableServiceLinks, false)
  t.equal(template.spec.containers.length, 1)
  t.ok(textOf('Dockerfile').includes('USER 1000:1000\n'))
  t.equal(container.resources.requests.memory, container.resources.limits.memory)
  checkMemory(t, configIn(t, settings, folder), settings, memoryLimits().kubernetes)
})

t.test('the pod, when it is stopped, has the time it needs', async (t) => {
  checkStop(t, settings, template.spec.terminationGracePeriodSeconds * 1000)
  const { periodSeconds, failureThreshold } = container.readinessProbe
  t.ok(Number(settings.DRAIN_DELAY_MS) > periodSeconds * failureThreshold * 1000, 'readiness is seen to end meanwhile')
})

t.test('the replicas, when there are as many as can be, ask Hilos no more often than the account may', async (t) => {
  const { maxReplicas, minReplicas } = base('horizontal-pod-autoscaler').spec
  const { maxSurge, maxUnavailable } = deployment.spec.strategy.rollingUpdate
  const { maxCallsPerSecond } = configIn(t, settings, folder).hilos
  t.ok((maxReplicas + maxSurge) * maxCallsPerSecond <= accountCallsPerSecond)
  t.ok(maxCallsPerSecond > 0, '0 is no limit')
  t.ok(minReplicas > base('pod-disruption-budget').spec.maxUnavailable, 'one is left when a node is drained')
  t.equal(maxUnavailable, 0)
  t.notOk('replicas' in deployment.spec, 'that is the autoscaler’s')
})

t.test('the image, wherever it is named, has the same name', async (t) => {
  t.equal(container.image, yamlOf('deploy/compose.yaml').services['hilos-bff'].image)
  t.strictSame(
    overlay.images.map(({ name }: { name: string }) => name),
    [container.image],
  )
})
