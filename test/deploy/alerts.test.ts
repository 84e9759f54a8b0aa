import t from 'tap'
import { startService } from '../harness/service.ts'
import { memoryLimits, textOf, yamlOf } from './deployment.ts'
import { labelsOf, seriesOf, strangersIn } from './known-metrics.ts'
import { labelsShownIn, queryOf } from './promql.ts'

interface Alert {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string }
}

const rules = yamlOf('deploy/prometheus/alerts.yaml')
const alerts: readonly Alert[] = rules.groups.flatMap((group: { rules: Alert[] }) => group.rules)
const headings = [...textOf('docs/runbook.md').matchAll(/^#{2,3} (.+)$/gm)].map(([, heading = '']) => heading)

t.test('the PrometheusRule, after a change of the alerts, is made anew by `npm run alerts`', async (t) => {
  t.strictSame(yamlOf('deploy/kubernetes/components/monitoring/prometheus-rule.yaml').spec, rules)
})

t.test('an alert, when it is evaluated, asks for metrics and labels that there are', async (t) => {
  const { service } = await startService(t)
  const metrics = await service.operators?.inject('/metrics')
  const series = seriesOf(metrics?.body ?? '')
  for (const { alert, expr } of alerts) t.strictSame(strangersIn(queryOf(expr), series), [], alert)
})

t.test('an alert, when it fires, says how urgent it is, what happens, and where to read on', async (t) => {
  const names = alerts.map(({ alert }) => alert)
  t.strictSame([...new Set(names)], names)
  for (const { alert, expr, labels, annotations } of alerts) {
    t.match(alert, /^HilosBff[A-Z]/)
    t.ok(['page', 'ticket'].includes(labels.severity), alert)
    t.strictSame(Object.keys(annotations).sort(), ['description', 'runbook_url', 'summary'], alert)
    t.equal(annotations.runbook_url, `docs/runbook.md#${alert.toLowerCase()}`)
    const { selectors, grouping } = queryOf(expr)
    const kept =
      grouping.length > 0 ? grouping : selectors.flatMap(({ metric }) => Object.keys(labelsOf(metric, metric)))
    for (const label of labelsShownIn(annotations.description)) t.ok(kept.includes(label), `${alert} has ${label}`)
  }
})

t.test(
  'an alert, when somebody looks it up, has a section in the runbook, and each such section has an alert',
  async (t) => {
    t.strictSame(
      headings.filter((heading) => heading.startsWith('HilosBff')),
      alerts.map(({ alert }) => alert),
    )
  },
)

t.test('an alert that wakes somebody, is tried out, firing and not', async (t) => {
  const tried: readonly { alertname: string; exp_alerts: unknown[] }[] = yamlOf(
    'deploy/prometheus/alerts.test.yaml',
  ).tests.flatMap((test: { alert_rule_test: unknown[] }) => test.alert_rule_test)
  for (const { alert, for: patience } of alerts.filter(({ labels }) => labels.severity === 'page')) {
    const outcomes = tried.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length)
    t.ok(outcomes.includes(0) && outcomes.includes(1), alert)
    t.match(patience, /^\d+m$/, 'and not for a moment’s trouble')
  }
})

t.test('the alert about memory, when it compares, takes the limit that the deployments set', async (t) => {
  const { expr } = alerts.find(({ alert }) => alert === 'HilosBffMemoryNearLimit') ?? { expr: '' }
  const [, mebibytes] = /> 0\.\d+ \* (\d+) \* 1024 \* 1024$/.exec(expr) ?? []
  const bytes = Number(mebibytes) * 1024 * 1024
  t.strictSame(memoryLimits(), { compose: bytes, kubernetes: bytes })
})
