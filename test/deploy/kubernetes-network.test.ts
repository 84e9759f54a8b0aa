import t from 'tap'
import { startService } from '../harness/service.ts'
import { configIn } from './deployment.ts'
import { base, container, deployment, folder, monitoring, settings, template } from './kubernetes.ts'

t.test('the ports have the same names and numbers everywhere', async (t) => {
  const { callers, operators } = await configIn(t, settings, folder)
  t.strictSame(container.ports, [
    { name: 'callers', containerPort: callers.port },
    { name: 'admin', containerPort: operators?.port },
  ])
  t.strictSame([callers.host, operators?.host], ['0.0.0.0', '0.0.0.0'])
  t.match(base('service').spec.ports, [{ port: callers.port, targetPort: 'callers' }])
  t.match(monitoring('admin-service').spec.ports, [{ name: 'admin', port: operators?.port, targetPort: 'admin' }])
  t.match(monitoring('service-monitor').spec.endpoints, [{ port: 'admin', path: '/metrics' }])
  const { ingress, egress } = base('network-policy').spec
  // biome-ignore lint/suspicious/noExplicitAny: assertions are the check
  const portsOf = (rules: any[]) => rules.map(({ ports }) => ports.map(({ port }: { port: unknown }) => port))
  t.strictSame(portsOf(ingress), [['callers'], ['admin']])
  t.strictSame(portsOf(egress), [[53, 53], [443]])
  for (const { from } of ingress) t.ok(from?.length, 'each rule names its sources')
})

t.test('each probe asks for a route of the operators’ listener', async (t) => {
  const { service } = await startService(t)
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => container[name].httpGet)
  const [livez, readyz] = ['/livez', '/readyz'].map((path) => ({ path, port: 'admin' }))
  t.strictSame(probes, [livez, livez, readyz])
  const [endpoint] = monitoring('service-monitor').spec.endpoints
  for (const { path } of [...probes, endpoint])
    t.ok(service.operators?.hasRoute({ method: 'GET', url: path }), `${path} is a route`)
})

t.test('each selector matches its pods or its Service', async (t) => {
  const { labels } = template.metadata
  t.strictSame(labels, { 'app.kubernetes.io/name': 'hilos-bff' })
  const spread = template.spec.topologySpreadConstraints.map(
    ({ labelSelector }: { labelSelector: unknown }) => labelSelector,
  )
  const { selector } = deployment.spec
  const { podSelector } = base('network-policy').spec
  const selectors = [selector, podSelector, base('pod-disruption-budget').spec.selector, ...spread]
  t.strictSame(selectors, Array(5).fill({ matchLabels: labels }))
  t.strictSame(base('service').spec.selector, labels)
  t.strictSame(monitoring('admin-service').spec.selector, labels)
  t.strictSame(monitoring('service-monitor').spec.selector.matchLabels, monitoring('admin-service').metadata.labels)
  t.notMatch(base('service').metadata.labels, monitoring('service-monitor').spec.selector.matchLabels)
  const { kind, name } = base('horizontal-pod-autoscaler').spec.scaleTargetRef
  t.strictSame([kind, name], [deployment.kind, deployment.metadata.name])
  t.equal(labels[monitoring('service-monitor').spec.jobLabel], 'hilos-bff', 'the job in the alerts')
})
